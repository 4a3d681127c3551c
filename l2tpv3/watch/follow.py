"""Follows what happens on this host, for one reader: looks when the monitor says so, and tells what has changed.

The service does the same for many readers (l2tpv3_api.events); this needs none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from l2tpv3.documents.stats import stats_document
from l2tpv3.linux.filelock import held
from l2tpv3.linux.readable import wait_readable
from l2tpv3.model.host_status import HostStatus
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import SessionStatus
from l2tpv3.paths import Paths
from l2tpv3.watch import EARLY, Monitor
from l2tpv3.watch.diff import ChangeDetector, Event, targets

_SETTLE_S: Final = 0.03
_SETTLE_ROUNDS: Final = 30
_AGAIN_S: Final = 0.5
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
        self._dirty_at: float | None = 0.0  # when to look: of time.monotonic()
        self._again_at: float | None = None
        self._counters_at = 0.0
        self._before: tuple[_Pairs, Sequence[LinkStatus], float] | None = None

    def happenings(self, types: frozenset[str]) -> Iterator[Event]:
        while True:
            self._wait()
            now = time.monotonic()
            if any(at is not None and now >= at for at in (self._dirty_at, self._again_at)):
                self._settle()
                self._dirty_at = None
                if self._again_at is not None and now >= self._again_at:
                    self._again_at = None
                look = self._look()
                happened = self._history.happened(look.tunnels, look.links)
                yield from (one for one in happened if not types or one.type in types)
                if self._monitor.aim(targets(look.tunnels, look.links)):
                    self._dirty_at = now  # what is heard only from now on may have changed since the look
            if self._every_s is not None and now >= self._counters_at:
                self._counters_at = now + self._every_s
                yield self._counters(now)

    def _wait(self) -> None:
        counters_at = None if self._every_s is None else self._counters_at
        due = [at for at in (self._dirty_at, self._again_at, counters_at) if at is not None]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        if not wait_readable([self._monitor], timeout):
            return
        changes = self._monitor.read()
        if changes:
            self._dirty_at = time.monotonic()
        if changes & EARLY:
            self._again_at = time.monotonic() + _AGAIN_S

    def _settle(self) -> None:
        """Wait for a change that is half-way, unless it takes long."""
        for _ in range(_SETTLE_ROUNDS):
            time.sleep(_SETTLE_S)
            if not held(self._paths.runtime):
                return

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
