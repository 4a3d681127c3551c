"""Brings back what is on record and not running, and waits for what that needs of the host, such as a DHCP lease."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from l2tpv3.arrivals import Arrivals
from l2tpv3.engine import Engine
from l2tpv3.errors import L2tpError, MissingError, NoAddressError, NoRouteError
from l2tpv3.link.base import home
from l2tpv3.records import Records
from l2tpv3.settle import Settler
from l2tpv3.told import News, Tell, Turn

WAITED_FOR = (NoRouteError, NoAddressError, MissingError)
"""What may be only a matter of time."""


class Restorer:
    """One run of it. settler: what settles against these records.

    stopped: also bring back what `down` stopped; False leaves that alone, and what is on record no more, at whichever
    moment that came.
    """

    def __init__(
        self, engine: Engine, settler: Callable[[Records], Settler], tell: Tell | None = None, *, stopped: bool = True
    ) -> None:
        self._stopped = stopped
        self._engine = engine
        self._settler = settler
        self._tell = tell or (lambda _: None)
        self._told: set[tuple[str, str]] = set()
        self._restored: set[str] = set()
        self._failed: dict[str, L2tpError] = {}

    def restore(self, names: Collection[str] | None, wait_s: float = 0.0) -> list[str]:
        """Bring back these tunnels (None: all on record), those that can be while others are waited for.

        A tunnel comes back without those of its sessions that have to be waited for. Gives the names of those in which
        something was missing. Raises an error of one that failed, or that could not be brought back in `wait_s`
        seconds, when the others are up; the rest of the errors are told.
        """
        give_up = time.monotonic() + wait_s
        with Arrivals(self._namespaces() if wait_s > 0 else ()) as arrivals:
            waiting = self._attempt(names)
            while waiting:
                left = give_up - time.monotonic()
                if left <= 0:
                    self._failed |= waiting
                    break
                self._tell_waiting(waiting)
                arrivals.wait(left)
                waiting = self._attempt(list(waiting))
                arrivals.forget()
        if self._failed:
            *others, (_, first) = reversed(self._failed.items())
            for name, error in reversed(others):
                self._tell(News(name, Turn.FAILED, error))
            raise first
        return sorted(self._restored)

    def _namespaces(self) -> set[str | None]:
        records = self._engine.store.tunnels().values()
        homes = {home(record.spec, one.spec) for record in records for one in record.sessions}
        return homes | {record.spec.netns for record in records}

    def _tell_waiting(self, waiting: dict[str, L2tpError]) -> None:
        for name, error in waiting.items():
            if (name, str(error)) not in self._told:
                self._told.add((name, str(error)))
                self._tell(News(name, Turn.WAITING, error))

    def _attempt(self, names: Collection[str] | None) -> dict[str, L2tpError]:
        """Those that are to be waited for. All at once, else those that look ready, else one by one: quick when well.

        So one that can't be brought back is in no other's way.
        """
        try:
            return self._sorted(self._together(names))
        except L2tpError as error:
            if names is not None and len(names) == 1:
                return self._sorted({next(iter(names)): error})
        ready, failures = self._inspect(names)
        if ready and failures:
            try:
                failures |= self._together(ready)
                ready = []
            except L2tpError:
                pass
        for name in ready:
            try:
                failures |= self._together([name])
            except L2tpError as error:
                failures[name] = error
        return self._sorted(failures)

    def _sorted(self, failures: dict[str, L2tpError]) -> dict[str, L2tpError]:
        self._failed |= {name: error for name, error in failures.items() if not isinstance(error, WAITED_FOR)}
        return {name: error for name, error in failures.items() if isinstance(error, WAITED_FOR)}

    def _inspect(self, names: Collection[str] | None) -> tuple[list[str], dict[str, L2tpError]]:
        """Which have what they need of the host, touching nothing."""
        records = self._engine.store.tunnels()
        settler = self._settler(records)
        ready: list[str] = []
        failures: dict[str, L2tpError] = {}
        for name in records:
            if (names is None or name in names) and self._is_asked_for(records, name):
                try:
                    settler.again([name], {})
                    ready.append(name)
                except L2tpError as error:
                    failures[name] = error
        return ready, failures

    def _together(self, names: Collection[str] | None) -> dict[str, L2tpError]:
        """Bring back as one change: all that is missing of them, or nothing.

        But for sessions that have to be waited for: gives their tunnels, and what for.
        """
        while True:
            try:
                return self._at_once(names)
            except _FewerError as fewer:
                if not fewer.names:
                    return {}
                names = fewer.names

    def _at_once(self, names: Collection[str] | None) -> dict[str, L2tpError]:
        """As `_together`. Raises _FewerError, touching nothing, when some of them are not to be brought back."""
        scope = None if names is None else frozenset((name, None) for name in names)
        absent: dict[tuple[str, str], MissingError] = {}

        def want(records: Records) -> Records:
            asked = list(records) if names is None else names
            left = [name for name in asked if self._is_asked_for(records, name)]
            if len(left) < len(asked):
                raise _FewerError(left)
            return self._settler(records).again(names, absent)

        outcome = self._engine.change(want, scope, repairs=True, without=absent.keys())
        waiting: dict[str, L2tpError] = {}
        for (tunnel, _), error in absent.items():
            waiting.setdefault(tunnel, error)
        for name in sorted({step.tunnel.spec.name for step in outcome.steps}):
            self._restored.add(name)
            if name not in waiting:
                self._tell(News(name, Turn.RESTORED))
        return waiting

    def _is_asked_for(self, records: Records, name: str) -> bool:
        return self._stopped or (name in records and records[name].stopped is None)


class _FewerError(Exception):
    """Of what was to be brought back only `names` are, now that nobody else changes the record."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names
