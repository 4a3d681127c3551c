"""Takes note of when sessions receive something whose datapath does not, and of changes of hearing of all sessions."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Final

from l2tpv3.datapath.base import Datapath, HasWorkers
from l2tpv3.errors import NotFoundError, NotPermittedError, UnavailableError
from l2tpv3.model.hearing import Hearing, ReceptionTracker, hearing_of
from l2tpv3.model.observed import Session, Tunnel, by_tunnel_id
from l2tpv3.model.record import SessionRecord, TunnelRecord, is_same
from l2tpv3.paths import Paths
from l2tpv3.store import kept, receptions
from l2tpv3.store.database import Store

EVERY_S: Final = 3.0
_SHARE: Final = 20
"""A look may take one part in so many of the time. Of many thousand sessions it takes long, and is taken less often."""


class ReceptionNoter:
    """Call `note` again and again. A look that is not due yet costs nothing."""

    def __init__(self, paths: Paths, store: Store, datapaths: Mapping[str, Datapath]) -> None:
        self._runtime, self._store, self._datapaths = paths.runtime, store, datapaths
        self._trackers: dict[str, ReceptionTracker] = {}
        self._hearing: dict[str, Hearing | None] = {}
        self._due = 0.0

    def note(self) -> None:
        """Look at the counters of all sessions on record, if that is due. Raises L2tpError."""
        began = time.monotonic()
        if began < self._due:
            return
        trackers: dict[str, ReceptionTracker] = {}
        hearing: dict[str, Hearing | None] = {}
        for record, session, seen in self._sessions():
            key = receptions.reception_key(record, session.spec)
            reception = seen.reception
            if reception is None:
                now, counters = time.monotonic(), seen.counters
                one = trackers[key] = self._trackers.get(key) or _first(seen)
                one.look(counters.rx_packets, counters.tx_packets, now)
                reception = one.reception(now)
            hearing[key] = hearing_of(seen.counters, reception)
        ended = time.monotonic()
        every_s = max(EVERY_S, _SHARE * (ended - began))
        self._due = ended + every_s
        if trackers:
            receptions.keep(self._runtime, trackers, good_for_s=3 * every_s)
        elif self._trackers:
            kept.forget(self._runtime, receptions.FILE)
        before, self._hearing, self._trackers = self._hearing, hearing, trackers
        if any(before.get(key) is not state for key, state in hearing.items()):
            receptions.tell_changed(self._runtime)

    def _sessions(self) -> Iterator[tuple[TunnelRecord, SessionRecord, Session]]:
        """The sessions on record that run."""
        looked: dict[tuple[str, str | None], dict[int, list[Tunnel]]] = {}
        for record in self._store.load().tunnels.values():
            key = record.datapath, record.spec.netns
            if key not in looked:
                looked[key] = self._tunnels(*key)
            for tunnel in looked[key].get(record.spec.tunnel_id, ()):
                if is_same(record, tunnel):
                    there = {one.session_id: one for one in tunnel.sessions}
                    for session in record.sessions:
                        if (seen := there.get(session.spec.session_id)) is not None:
                            yield record, session, seen

    def _tunnels(self, name: str, netns: str | None) -> dict[int, list[Tunnel]]:
        datapath = self._datapaths.get(name)
        if datapath is None:
            return {}
        with contextlib.suppress(NotFoundError, NotPermittedError, UnavailableError):
            found = datapath.look(netns).tunnels if isinstance(datapath, HasWorkers) else datapath.tunnels(netns)
            return by_tunnel_id(found)
        return {}


def _first(seen: Session) -> ReceptionTracker:
    """What was counted before anybody took note was received at a time that nobody knows."""
    counters = seen.counters
    if not counters.rx_packets:
        return ReceptionTracker()
    return ReceptionTracker(counters.rx_packets, counters.tx_packets, ever=True)
