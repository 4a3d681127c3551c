"""A worker's part in failover: the frames of one session, the primary, go by another one while its other end is dead.

The primary's netdev is the one that is used. What the backup receives always comes out there, whichever of the two
sends, so both ends need not change over at the same moment. The backup's own netdev has no carrier meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.model.failover_rules import FailoverRules
from l2tpv3.model.probe import ProbeState
from l2tpv3.worker.loop import Loop

StateOf = Callable[[WorkerSession], ProbeState]


class _Failover:
    """One primary and its backup."""

    def __init__(self, primary: WorkerSession, backup: WorkerSession, delay_s: int) -> None:
        self.primary, self.backup, self.delay_s = primary, backup, delay_s
        self.rules = FailoverRules(delay_s)
        self.timer_at: float | None = None

    def fits(self, primary: WorkerSession, backup: WorkerSession) -> bool:
        """Whether it is of these two, as they are to be."""
        return (primary, backup, primary.settings.revert_delay_s) == (self.primary, self.backup, self.delay_s)


class Failovers:
    """Those of a worker. state_of: gives what the probes of a session say. show: has its netdev show that."""

    def __init__(self, loop: Loop, state_of: StateOf, show: Callable[[WorkerSession], None]) -> None:
        self._loop, self._state_of, self._show = loop, state_of, show
        self._of_primary: dict[WorkerSession, _Failover] = {}
        self._of_backup: dict[WorkerSession, _Failover] = {}

    def link(self, sessions: Mapping[str, WorkerSession]) -> None:
        """Have a failover for each session that has a backup here, and no others.

        sessions: all of the worker, by TUNNEL/SESSION.
        """
        wanted = {
            one: backup
            for one in sessions.values()
            if (backup := sessions.get(one.settings.backup)) is not None and not one.gone and not backup.gone
        }
        for primary, pair in list(self._of_primary.items()):
            if primary not in wanted or not pair.fits(primary, wanted[primary]):
                self._end(pair)
        for primary, backup in wanted.items():
            if primary not in self._of_primary and backup is not primary and backup not in self._of_backup:
                self._begin(_Failover(primary, backup, primary.settings.revert_delay_s))

    def _begin(self, pair: _Failover) -> None:
        self._of_primary[pair.primary] = self._of_backup[pair.backup] = pair
        self._loop.forget(pair.backup.port.fd)
        pair.backup.set_carrier("backup", up=False)
        pair.backup.serve(pair.primary)
        self._look(pair)

    def drop(self, session: WorkerSession) -> None:
        """The session is about to go: it has no backup, and is none, any more."""
        for pairs in (self._of_primary, self._of_backup):
            if (pair := pairs.get(session)) is not None:
                self._end(pair)

    def _end(self, pair: _Failover) -> None:
        del self._of_primary[pair.primary], self._of_backup[pair.backup]
        pair.timer_at = None
        pair.backup.serve(None)
        for session in (pair.primary, pair.backup):
            self._loop.forget(session.port.fd)
            if not session.gone:
                self._loop.watch(session.port.fd, session.send_frames, lone=session.send_frame)
        if not pair.backup.gone:
            pair.backup.set_carrier("backup", up=True)

    def look(self, session: WorkerSession) -> None:
        """What the probes of a session say has changed."""
        for pairs in (self._of_primary, self._of_backup):
            if (pair := pairs.get(session)) is not None:
                self._look(pair)
                self._show(pair.primary)

    def _look(self, pair: _Failover) -> None:
        rules, primary = pair.rules, pair.primary
        rules.look(self._state_of(primary), self._state_of(pair.backup), time.monotonic())
        sender = pair.backup if rules.on_backup else primary
        if not primary.gone:
            self._loop.watch(primary.port.fd, sender.send_frames, lone=sender.send_frame)
        if rules.next_at != pair.timer_at:
            pair.timer_at = when = rules.next_at
            if when is not None:
                self._loop.at(when, lambda _now: self._look(pair) if pair.timer_at == when else None)

    def is_carried(self, primary: WorkerSession) -> bool:
        """Whether a session's frames reach its backup's other end."""
        pair = self._of_primary.get(primary)
        return pair is not None and pair.rules.on_backup and self._state_of(pair.backup) is not ProbeState.DEAD

    def role(self, session: WorkerSession) -> str:
        """What a session does in a failover: "primary" and "by-backup", by which of both the frames of one go that has
        a backup; "apart" for one whose backup is not here; "backup"; "" for none."""
        if session in self._of_backup:
            return "backup"
        if (pair := self._of_primary.get(session)) is not None:
            return "by-backup" if pair.rules.on_backup else "primary"
        return "apart" if session.settings.backup else ""
