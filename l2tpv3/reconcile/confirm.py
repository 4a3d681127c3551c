"""Commit-confirm: a change that is done waits to be confirmed, and is undone when nobody confirms it in time.

The pending change in the store has the deadline and what to go back to, so that any process can do it: the one that
made the change need not live that long. Something has to call `expire` when the time is up (`l2tpctl watch` does).
"""

from __future__ import annotations

import time
from typing import Final

from l2tpv3.plan.result import Outcome
from l2tpv3.reconcile.reconciler import Reconciler
from l2tpv3.store.actor import caller
from l2tpv3.store.database import AuditEntry
from l2tpv3.store.journal import PendingChange

_NOT_IN_TIME: Final = "rolled back, not confirmed in time"


class Confirmation:
    """The change of one host that waits to be confirmed. Every method raises L2tpError."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler, self._store = reconciler, reconciler.store

    def left_s(self) -> float | None:
        """Seconds that are left to confirm the change that awaits it, 0 when it is due; None without one.

        Raises what Store.load does.
        """
        pending = self._store.pending()
        return None if pending is None else pending.left_s

    def mark(self) -> str | None:
        """What tells the change that waits from any other (PendingChange.mark); None when none waits.

        Raises what Store.load does.
        """
        pending = self._store.pending()
        return None if pending is None else pending.mark

    def confirm(self, mark: str | None = None) -> bool:
        """Keep the change that waits for its confirmation. False when none waits. mark: only that one.

        Raises LockedError, and what Store.load does.
        """
        with self._reconciler.locked():
            pending = self._store.pending()
            if pending is None or pending.deadline is None or mark not in (None, pending.mark):
                return False
            names = [f"tunnel {name}" for name in sorted(pending.target.tunnels)]
            names += [f"link {name}" for name in sorted(pending.target.links)]
            self._store.forget_pending(_entry(f"confirmed: {', '.join(names) or 'what was applied'}"))
            self._reconciler.tidy_namespaces()
            return True

    def rollback(self, verb: str = "rolled back", mark: str | None = None) -> Outcome | None:
        """Undo the change that waits for its confirmation. None when none waits.

        verb: how the log calls it. mark: only that change.

        Raises LockedError, and what Reconciler.go_back does.
        """
        with self._reconciler.locked():
            recorded = self._store.load()
            pending = recorded.pending
            if pending is None or pending.deadline is None or mark not in (None, pending.mark):
                return None
            return self._reconciler.go_back(recorded, pending, verb)

    def expire(self) -> Outcome | None:
        """Undo the change that was not confirmed in time. None when none is due. Raises what `rollback` does."""
        pending = self._store.pending()
        if pending is None or pending.left_s is None or pending.left_s > 0:
            return None
        return self._forget_outlived(pending) if pending.outlived else self.rollback(_NOT_IN_TIME)

    def _forget_outlived(self, pending: PendingChange) -> Outcome | None:
        """The machine went down before a change was confirmed: nothing of it runs, only the record has to be undone.

        So that cannot fail for an address that is not there yet, and `restore` then brings up what was before.
        """
        with self._reconciler.locked():
            recorded = self._store.load()
            if recorded.pending != pending:
                return None
            names = ", ".join(sorted({*pending.before.tunnels, *pending.before.links}))
            what = f"rolled back: the machine went down before it was confirmed: {names}"
            self._store.commit(pending.before, _entry(what), None)
            return Outcome(steps=(), before=recorded.everything, after=self._store.load().everything)


def _entry(what: str) -> AuditEntry:
    return AuditEntry(at=time.time(), who=caller(), what=what)
