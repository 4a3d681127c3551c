"""Follows what happens on this host, for one reader: looks when the monitor says so, and tells what has changed.

The service does the same for many readers (l2tpv3_api.events); this needs none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime

from l2tpv3.documents.stats import stats_document
from l2tpv3.linux.filelock import held
from l2tpv3.linux.readable import wait_readable
from l2tpv3.model.host_status import HostStatus
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import SessionStatus
from l2tpv3.paths import Paths
from l2tpv3.watch import Monitor
from l2tpv3.watch.diff import ChangeDetector, Event, targets
from l2tpv3.watch.schedule import LookSchedule

_Pairs = list[tuple[str, SessionStatus]]


def follow(
    look: Callable[[], HostStatus],
    paths: Paths,
    *,
    types: Collection[str] = (),
    counters_s: float | None = None,
) -> Iterator[Event]:
    """Events from now on, as they happen. It blocks, and never ends.

    types: only events of these types. counters_s: every so many seconds also an event of type `counters`, with those of
    all sessions and links. Raises OSError where nobody may listen, L2tpError where looking fails.
    """
    monitor = Monitor(paths)
    try:
        yield from _Follower(look, paths, monitor, counters_s).happenings(frozenset(types))
    finally:
        monitor.close()


class _Follower:
    def __init__(
        self, look: Callable[[], HostStatus], paths: Paths, monitor: Monitor, counters_s: float | None
    ) -> None:
        self._look, self._paths, self._monitor = look, paths, monitor
        self._every_s = counters_s
        self._history = ChangeDetector()
        self._schedule = LookSchedule()  # in the time of time.monotonic()
        self._counters_at: float | None = None  # not before the first look
        self._before: tuple[_Pairs, Sequence[LinkStatus], float] | None = None

    def happenings(self, types: frozenset[str]) -> Iterator[Event]:
        self._schedule.ask(time.monotonic())
        while True:
            self._wait()
            now = time.monotonic()
            if self._schedule.due(now, self._under_way):
                look = self._look()
                happened = self._history.happened(look.tunnels, look.links)
                yield from (one for one in happened if not types or one.type in types)
                if self._monitor.aim(targets(look.tunnels, look.links)):
                    self._schedule.ask(now)  # what is heard only from now on may have changed since the look
                if self._counters_at is None and self._every_s is not None:
                    self._counters_at = now
            if self._counters_at is not None and self._every_s is not None and now >= self._counters_at:
                self._counters_at = now + self._every_s
                yield self._counters(now)

    def _wait(self) -> None:
        """Wait until the next thing is due, or something is heard."""
        due = [at for at in (self._schedule.next_timer(), self._counters_at) if at is not None]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        if wait_readable([self._monitor], timeout):
            self._schedule.heard(self._monitor.read(), time.monotonic())

    def _under_way(self) -> bool:
        return held(self._paths.runtime)

    def _counters(self, now: float) -> Event:
        look = self._look()
        pairs = [(tunnel.name, session) for tunnel in look.tunnels for session in tunnel.sessions]
        before, links_before, then = self._before or ([], (), None)
        interval_s = None if then is None else round(now - then, 3)
        self._before = (pairs, look.links, now)
        document = stats_document(
            pairs,
            time=datetime.now(UTC),
            interval_s=interval_s,
            before=before,
            links=look.links,
            links_before=links_before,
        )
        return Event("counters", document)
