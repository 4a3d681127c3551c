"""Decides when a follower of events looks at the host, by what it hears. No I/O: time is an argument, in seconds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from l2tpv3.watch.monitor import EARLY, Change

SETTLE_S: Final = 0.03
"""How long after a change the host is looked at, and how often it is seen whether a change is still under way."""
SETTLE_ROUNDS: Final = 30
"""How often a change that is under way puts a look off: what is half made would be told as incomplete.

Counted, not timed: on a machine that is busy the change takes longer, and so do the rounds.
"""
AGAIN_S: Final = 0.5
"""How long after an early notification (monitor.EARLY) the host is looked at once more."""
_REST_MIN_S: Final = 0.02
_REST_MAX_S: Final = 5.0


class LookSchedule:
    """Call `due` at the time that `next_timer` gives, and look when it says so. Nothing is due until it is asked for.

    A look that is due is due once: whatever is heard after that asks for another one.
    """

    def __init__(self) -> None:
        self._check_at: float | None = None
        self._rounds_left = 0
        self._again_at: float | None = None
        self._rest_until = 0.0

    def ask(self, at: float) -> None:
        """Look a moment after that time, when no change is under way; sooner if that was asked for before."""
        at = max(at, self._rest_until)
        if self._check_at is None or at + SETTLE_S < self._check_at:
            self._check_at, self._rounds_left = at + SETTLE_S, SETTLE_ROUNDS

    def heard(self, changes: Collection[Change], now: float) -> None:
        """The monitor told of these changes; they may be none."""
        if changes:
            self.ask(now)
        if not EARLY.isdisjoint(changes):
            self._again_at = now + AGAIN_S

    def looked(self, began: float, now: float) -> None:
        """A look took from `began` until now: rest for as long, so that at most half of the time goes by looking."""
        self._rest_until = now + min(_REST_MAX_S, max(_REST_MIN_S, now - began))
        if self._check_at is not None:
            self._check_at = None
            self.ask(now)

    def next_timer(self) -> float | None:
        """The time (as `now`, in seconds) to call `due` at; None while there is nothing to wait for."""
        return min((at for at in (self._check_at, self._again_at) if at is not None), default=None)

    def due(self, now: float, under_way: Callable[[], bool]) -> bool:
        """Whether to look now. under_way: tells whether a change is being made; it is asked only if that matters."""
        if self._again_at is not None and now >= self._again_at:
            self._again_at = None
            self.ask(now)
        if self._check_at is None or now < self._check_at:
            return False
        self._rounds_left -= 1
        if self._rounds_left and under_way():
            self._check_at = now + SETTLE_S
            return False
        self._check_at = None
        return True
