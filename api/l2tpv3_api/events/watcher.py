"""Observes the host when something may have changed, and publishes what differs from the time before.

Reasons come from the monitor (the kernel, workers, files) and from the service's own changes. Nobody listening, nobody
looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from l2tpv3.documents.names import document_to_names
from l2tpv3.errors import L2tpError
from l2tpv3.linux.filelock import held
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import TunnelStatus
from l2tpv3.paths import Paths
from l2tpv3.watch import Monitor
from l2tpv3.watch.diff import ChangeDetector, targets
from l2tpv3.watch.schedule import LookSchedule
from l2tpv3_api.events.hub import Hub
from l2tpv3_api.service.failing import Failing

LINGER_S: Final = 60.0
"""How long to go on when the last subscriber has gone: most come again, and want to resume."""

_RETRY_S: Final = 2.0
_TASK: Final = "watching for events"
_log = logging.getLogger(__name__)


class Seen(Protocol):
    """A look at a host; Snapshot is one."""

    @property
    def tunnels(self) -> Sequence[TunnelStatus]:
        """All tunnels of the host."""

    @property
    def links(self) -> Sequence[LinkStatus]:
        """All links of the host."""


class Looker(Protocol):
    """The protocol of what observes the host; Service does."""

    async def look(self) -> Seen:
        """All tunnels and links, not older than this call."""


class Watcher:
    """start() and stop() it in the running loop; it attaches itself to the hub."""

    def __init__(self, looker: Looker, hub: Hub, paths: Paths, failing: Failing | None = None) -> None:
        self._looker, self._hub, self._paths = looker, hub, paths
        self._failing = failing or Failing()
        self._schedule = LookSchedule()  # in the loop's time
        self._woken = asyncio.Event()
        self._subscribed = asyncio.Event()
        self._looked = asyncio.Event()
        self._history = ChangeDetector()
        self._task: asyncio.Task[None] | None = None
        self._monitor: Monitor | None = None

    async def start(self) -> None:
        """Begin; it costs nothing until somebody subscribes."""
        loop = asyncio.get_running_loop()

        def changed() -> None:
            loop.call_soon_threadsafe(self._ask)

        self._hub.on_changed = changed
        self._hub.on_subscribers = self._count
        self._count(self._hub.subscribers)
        self._task = asyncio.create_task(self._run(), name="event watcher")

    async def stop(self) -> None:
        """End. Subscriptions are ended by the hub."""
        self._hub.on_changed, self._hub.on_subscribers = (lambda: None), (lambda _: None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def _count(self, subscribers: int) -> None:
        if subscribers:
            self._subscribed.set()
        else:
            self._subscribed.clear()

    async def ready(self) -> None:
        """Return when all that changes from now on will be told."""
        await self._looked.wait()

    async def _run(self) -> None:
        while True:
            await self._subscribed.wait()
            try:
                await self._watch()
            except asyncio.CancelledError:
                raise
            except Exception as error:  # whatever it was, events must not end for good
                self._failing.note(_TASK, error)
                await asyncio.sleep(_RETRY_S)
            if not self._subscribed.is_set():
                self._failing.clear(_TASK)  # nobody waits for them

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            self._monitor = await self._open()
            if self._monitor is not None:
                stack.callback(self._monitor.close)
                loop.add_reader(self._monitor.fileno(), self._heard, self._monitor)
                stack.callback(loop.remove_reader, self._monitor.fileno())
            stack.callback(self._looked.clear)
            self._schedule = LookSchedule()
            self._ask()
            while await self._wait():
                began = loop.time()
                await self._look()
                self._failing.clear(_TASK)
                self._schedule.looked(began, loop.time())

    async def _open(self) -> Monitor | None:
        try:
            return await asyncio.to_thread(self._monitoring)
        except OSError as error:
            _log.warning("can't hear of changes that others make: %s", error)
            return None

    def _monitoring(self) -> Monitor:
        with contextlib.suppress(L2tpError):
            self._paths.make()  # what is not there yet can't be watched
        return Monitor(self._paths)

    async def _wait(self) -> bool:
        """True when it is time to look; False when nobody has listened for a while."""
        loop = asyncio.get_running_loop()
        while not self._schedule.due(loop.time(), self._under_way):
            timer = self._schedule.next_timer()
            try:
                async with asyncio.timeout_at(loop.time() + LINGER_S if timer is None else timer):
                    await self._woken.wait()
            except TimeoutError:
                if timer is None and not self._subscribed.is_set():
                    return False
            self._woken.clear()
        return True

    def _under_way(self) -> bool:
        return held(self._paths.runtime)

    def _ask(self, after_s: float = 0.0) -> None:
        """Have it look, after so many seconds at the soonest."""
        self._schedule.ask(asyncio.get_running_loop().time() + after_s)
        self._woken.set()

    def _heard(self, monitor: Monitor) -> None:
        self._schedule.heard(monitor.read(), asyncio.get_running_loop().time())
        self._woken.set()

    async def _look(self) -> None:
        try:
            seen = await self._looker.look()
        except L2tpError as error:
            _log.warning("can't look at tunnels and links: %s", error)
            self._ask(_RETRY_S)
            self._looked.set()
            return
        # In a thread: with thousands of sessions, or of changes, this takes a good part of a second.
        if await asyncio.to_thread(self._tell, seen, self._monitor):
            self._ask()  # what is heard only from now on may have changed since the look
        else:
            self._looked.set()

    def _tell(self, seen: Seen, monitor: Monitor | None) -> bool:
        """Publish what has changed. Whether to look again at once, as something is heard of only from now on."""
        for happening in self._history.happened(seen.tunnels, seen.links):
            data = happening.data
            if "document" in data:
                data = data | {"document": document_to_names(data["document"])}
            self._hub.publish(happening.type, data)
        return monitor is not None and monitor.aim(targets(seen.tunnels, seen.links))
