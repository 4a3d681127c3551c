"""The manager for many clients at once: looks are shared, changes take turns, and neither runs on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from l2tpv3.manager import Manager
from l2tpv3_api.access.identity import Identity
from l2tpv3_api.events.hub import Hub
from l2tpv3_api.events.sampler import Sampler
from l2tpv3_api.events.watcher import Watcher
from l2tpv3_api.snapshot import Snapshot

T = TypeVar("T")


class Service:
    """manager: called in threads only. hub: told of each change."""

    def __init__(self, manager: Manager, hub: Hub | None = None) -> None:
        self.manager = manager
        self.hub = hub or Hub()
        self.watcher = Watcher(self, self.hub, manager.places)
        self.sampler = Sampler(self)
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="manager")
        self._changing = asyncio.Lock()
        self._running: asyncio.Task[Snapshot] | None = None
        self._next: asyncio.Task[Snapshot] | None = None

    async def start(self) -> None:
        """The app has started."""
        await self.watcher.start()
        await self.sampler.start()

    async def stop(self) -> None:
        """The app ends: changes that have begun are ended, too."""
        self.hub.close()
        await self.sampler.stop()
        await self.watcher.stop()
        await asyncio.to_thread(self._pool.shutdown)

    async def look(self) -> Snapshot:
        """All tunnels, seen since this was called. Whoever calls while a look runs shares the next one."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_after(self._running))
        return await asyncio.shield(self._next)

    async def _look_after(self, running: asyncio.Task[Snapshot] | None) -> Snapshot:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._next = self._next, None
        return await self.read(lambda manager: Snapshot(manager.tunnels()))

    async def read(self, what: Callable[[Manager], T]) -> T:
        """What a call that changes nothing gives, from a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, what, self.manager)

    async def change(self, identity: Identity, what: Callable[[Manager], T]) -> T:
        """What a call that changes something gives, from a thread; one at a time, to its end in any case."""
        return await asyncio.shield(self._change(identity, what))

    async def _change(self, identity: Identity, what: Callable[[Manager], T]) -> T:
        async with self._changing:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._pool, what, self.manager)
            finally:
                self.hub.changed()
