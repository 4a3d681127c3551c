"""Decides, step by step, what is done at which end so that a change comes true at all ends or at none. It does no I/O.

The order, and why:

1. Apply at each end, the last one first, with a confirmation pending. The last end is the one that is farthest away:
   when it refuses, nothing was touched here. An end that applied goes back by itself when nobody confirms in time. So
   whoever coordinates may be killed at any moment, or cut off: no end stays with what nobody confirmed.
2. Test what has been made. When the test fails, each end is put back.
3. Confirm at each end, again the last one first: a far end can be cut off just then, and this host can't. Until the
   first end has confirmed, every end can still go back, and does so when that confirmation fails. An end that was cut
   off while it confirmed is the only one whose state is not known; all others go back. Once an end has confirmed, the
   others are confirmed as well: there is no way back.

Where there are many ends, all of them apply at the same time, and confirm so. A commit record then comes before the
first confirmation: once it is written there is no way back, and what the record says is brought to each end that could
not be confirmed, by whoever reads it next.

So an end is always wholly new or wholly old once the confirmation time is over. The ends differ only when whoever
coordinates is killed, or an end is cut off, between two confirmations; disconnecting takes away what is left then.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from l2tpv3.value_class import value_class


class Verb(StrEnum):
    """What is to be done: at one end; a test is at all of them, and a commit record is written at none."""

    APPLY = "apply"
    TEST = "test"
    COMMIT = "commit"
    CONFIRM = "confirm"
    ROLL_BACK = "roll back"


class Outcome(StrEnum):
    """How it ended. MIXED: some ends have confirmed, and others could not be."""

    NEW = "new"
    OLD = "old"
    MIXED = "mixed"


@value_class(frozen=True, slots=True)
class Action:
    """Something to be done. end: the place of the end among all; None for a test and a commit record."""

    verb: Verb
    end: int | None = None


class Coordinator:
    """A change at `ends` ends. deadline_s: when the first end would go back by itself, on the clock of `next`.

    Whoever drives it asks for the next action, does it, and tells what became of it. outcome: None while there is more
    to do. confirmed: the ends that keep the change. uncertain: ends whose state is not known, as they were cut off.
    records: a commit record is written before the first confirmation. committed: it has been written.
    """

    def __init__(self, ends: int, *, deadline_s: float, records: bool = False) -> None:
        self._ends, self._deadline_s, self._records = ends, deadline_s, records
        self._to_do = self._way_there()
        self._goes_back = False
        self.committed = False
        self._applied: set[int] = set()
        self.confirmed: set[int] = set()
        self.uncertain: set[int] = set()
        self.outcome: Outcome | None = None

    def _way_there(self) -> Iterator[Action]:
        for end in reversed(range(self._ends)):
            yield Action(Verb.APPLY, end)
        yield Action(Verb.TEST)
        if self._records:
            yield Action(Verb.COMMIT)
        for end in reversed(range(self._ends)):
            yield Action(Verb.CONFIRM, end)

    def next(self, now_s: float) -> Action | None:
        """What is to be done now; None when it is over. now_s: the time, by a clock that nobody sets."""
        if self.outcome is not None:
            return None
        action = next(self._to_do, None)
        if action is None:
            self.outcome = self._how_it_ended()
        elif action.verb in (Verb.COMMIT, Verb.CONFIRM) and self._may_go_back and now_s >= self._deadline_s:
            self._go_back()  # an end may have gone back by itself already
            return self.next(now_s)
        return action

    def next_together(self, now_s: float) -> list[Action]:
        """All that is to be done now, at the same time: the same at each end. [] when it is over.

        What became of each has to be told before more is asked for.
        """
        first = self.next(now_s)
        if first is None:
            return []
        together = [first]
        if first.end is not None:
            many = self._ends if first.verb is not Verb.ROLL_BACK else len(self._applied)
            together += [action for action in (self.next(now_s) for _ in range(many - 1)) if action is not None]
        return together

    @property
    def _may_go_back(self) -> bool:
        return not self.confirmed and not self.committed

    def _how_it_ended(self) -> Outcome:
        if self._goes_back:
            return Outcome.OLD
        return Outcome.NEW if len(self.confirmed) == self._ends else Outcome.MIXED

    def succeeded(self, action: Action) -> None:
        """To be told after an action that did what it should."""
        if action.end is None:
            self.committed = self.committed or action.verb is Verb.COMMIT
            return
        if action.verb is Verb.APPLY:
            self._applied.add(action.end)
        elif action.verb is Verb.CONFIRM:
            self.confirmed.add(action.end)
        else:
            self.uncertain.discard(action.end)

    def failed(self, action: Action, *, cut_off: bool) -> None:
        """To be told after an action that failed. cut_off: it may have been done all the same."""
        if action.end is not None:
            self._note_failure(action.verb, action.end, cut_off=cut_off)
        if action.verb is not Verb.ROLL_BACK and self._may_go_back:
            self._go_back()

    def _note_failure(self, verb: Verb, end: int, *, cut_off: bool) -> None:
        if cut_off or verb is Verb.ROLL_BACK:
            self.uncertain.add(end)
        if verb is Verb.APPLY and cut_off:
            self._applied.add(end)
        if verb is Verb.CONFIRM and cut_off:
            self._applied.discard(end)  # what it may have confirmed can't be rolled back

    def _go_back(self) -> None:
        self._goes_back = True
        self._to_do = self._way_back()

    def _way_back(self) -> Iterator[Action]:
        for end in sorted(self._applied):  # which is known once it has been told of all that went on at the same time
            yield Action(Verb.ROLL_BACK, end)
