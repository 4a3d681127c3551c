"""Looks at who is behind sessions and what passes them, for many clients: bounded in number and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, Final, TypeVar

from l2tpv3.errors import BusyError
from l2tpv3.flows.report import Flows
from l2tpv3.host.manager import Manager
from l2tpv3.lan_hosts.report import HostsReport
from l2tpv3_api.service.single_flight import SingleFlight

T = TypeVar("T")

LOOK_MAX_S: Final = 10.0
"""A look listens or counts for so long at most."""
_THREADS: Final = 4
_LOOKS_MAX: Final = 16
"""So many looks that differ are made or waited for at a time: the last of them waits for half a minute at most."""


class PassingLooks:
    """Each look listens at netdevs, or has the kernel count there, for as long as it takes, and leaves nothing there.

    Of one kind there is one look at a session at a time. Whoever asks the same shares the answer, as SingleFlight has
    it; others wait for their turn.
    """

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._threads = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="passing")
        self._looks: dict[Hashable, SingleFlight[Any]] = {}
        self._turns: dict[Hashable, asyncio.Lock] = {}

    async def hosts(self, tunnel: str | None, session: str | None, listen_s: float) -> HostsReport:
        """Who is behind the sessions; see Manager.hosts. Raises BusyError when too many look."""
        place = ("hosts", tunnel, session)
        return await self._look(place, listen_s, lambda: self._manager.hosts(tunnel, session, listen_s=listen_s))

    async def flows(self, tunnel: str, session: str, interval_s: float, most: int) -> Flows:
        """What passes a session in one interval from now on; see Manager.flows. Raises BusyError when too many look."""

        def count() -> Flows:
            with closing(self._manager.flows(tunnel, session, interval_s=interval_s, most=most)) as flows:
                return next(flows)

        return await self._look(("flows", tunnel, session), (interval_s, most), count)

    @property
    def count(self) -> int:
        """How many looks that differ are made, or waited for."""
        return sum(not shared.idle for shared in self._looks.values())

    def stop(self) -> None:
        """Nobody waits for looks any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _look(self, place: Hashable, values: Hashable, make: Callable[[], T]) -> T:
        key = (place, values)
        self._forget_idle()
        if key not in self._looks:
            if len(self._looks) >= _LOOKS_MAX:
                raise BusyError("looks", f"{_LOOKS_MAX} others look at hosts and flows", "try again in some seconds")
            turn = self._turns.setdefault(place, asyncio.Lock())

            async def look(begin: Callable[[], None]) -> T:
                async with turn:
                    begin()
                    return await asyncio.get_running_loop().run_in_executor(self._threads, make)

            self._looks[key] = SingleFlight(look)
        shared: SingleFlight[T] = self._looks[key]
        return await shared.get()

    def _forget_idle(self) -> None:
        for key in [key for key, shared in self._looks.items() if shared.idle]:
            del self._looks[key]
        for place in [place for place, turn in self._turns.items() if not turn.locked()]:
            if all(place != key[0] for key in self._looks if isinstance(key, tuple)):
                del self._turns[place]
