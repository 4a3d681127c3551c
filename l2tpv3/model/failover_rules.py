"""Rules for a session that has a backup, without I/O: which of the two sends.

Times are arguments, in seconds of a clock that nobody sets.
"""

from __future__ import annotations

from l2tpv3.model.probe import ProbeState


class FailoverRules:
    """on_backup: whether the backup sends. revert_delay_s: how long the other end of the primary has to be alive,
    without a break, before the primary sends again; less where the backup's is not alive.

    next_at: when to call `look` again, even if nothing changes; None: there is no need.
    """

    def __init__(self, revert_delay_s: float) -> None:
        self.on_backup = False
        self.next_at: float | None = None
        self._revert_delay_s = revert_delay_s

    def look(self, primary: ProbeState, backup: ProbeState, now: float) -> None:
        """Take what the probes of the two say now."""
        is_backup_alive = backup is ProbeState.ALIVE
        if not self.on_backup:
            self.on_backup = primary is ProbeState.DEAD and is_backup_alive
            self.next_at = None
            return
        if primary is not ProbeState.ALIVE:
            self.next_at = None
        elif self.next_at is None:
            self.next_at = now + self._revert_delay_s
        if not is_backup_alive and primary is not ProbeState.DEAD:
            self.on_backup = False
        if self.next_at is not None and now >= self.next_at:
            self.on_backup = False
        if not self.on_backup:
            self.next_at = None
