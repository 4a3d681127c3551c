"""What a host does about what it hears of its fleet. It decides alone: no I/O here, and time is an argument.

A change of the fleet comes in two records. The first is the host's own: the state that the change is to make of it.
The host makes it, and has it wait for a confirmation. The second is one for all hosts: the decision. With a commit the
host keeps what it has made; with an abort, or with none in time, it goes back. A host that hears of a commit later then
makes that state for good. So a host has the state before or after, and in the end all have what was decided.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from l2tpv3.fleet.nats.decision import Decision
from l2tpv3.fleet.nats.desired import DesiredState, HostKey
from l2tpv3.fleet.nats.memory import Memory, Waiting
from l2tpv3.value_class import value_class

RETRY_FIRST_S: Final = 1.0
RETRY_MAX_S: Final = 8.0
"""How long to wait after a committed state could not be made."""


class Verb(enum.Enum):
    """What a host is to do."""

    TRY = "try"
    """Make the state, and have it wait for a confirmation."""
    KEEP = "keep"
    """Confirm the state that waits."""
    GO_BACK = "go back"
    """Undo the state that waits."""
    MAKE = "make"
    """Make the state for good: it is committed."""


@value_class(frozen=True, slots=True)
class Action:
    """state: of TRY and MAKE; None with MAKE: nothing at all, as nothing was ever committed."""

    verb: Verb
    state: DesiredState | None = None


class Following:
    """One host's way through the changes of its fleet. memory: to be kept durably after each call that alters it."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.error = ""
        """Why the state that was tried last could not be made."""
        self._base: DesiredState | None = None  # the newest that is committed
        self._next: DesiredState | None = None  # the newest of a change that may be undecided
        self._decisions: dict[tuple[int, str], Decision] = {}
        self._again_at, self._delay_s = 0.0, 0.0
        self._before = memory

    # -- hearing -------------------------------------------------------------------------------------------------

    def heard_key(self, key: HostKey) -> None:
        """The host's key in the bucket. What is older than what is known is passed over: a server was rolled back."""
        if key.base is not None and (self._base is None or key.base.serial > self._base.serial):
            self._base = key.base
            self._again_at = self._delay_s = 0.0
        if key.next is not None and (self._next is None or key.next.serial > self._next.serial):
            self._next = key.next
        self._forget_decisions()

    def heard_decision(self, decision: Decision) -> None:
        """A decision of the fleet; one that concerns nothing here is passed over."""
        if (decision.serial, decision.change) in self.undecided():
            self._decisions[decision.serial, decision.change] = decision
            self._again_at = self._delay_s = 0.0

    def undecided(self) -> set[tuple[int, str]]:
        """Serial number and id of the changes whose decision is to be asked for."""
        asked = {(one.serial, one.change) for one in (self.memory.waiting, self._next) if one is not None}
        return {one for one in asked - self._decisions.keys() if one[0] > self.memory.committed}

    @property
    def tested(self) -> DesiredState | None:
        """The state that is made and waits, whose pseudowires are to be tested; None where there is none, or where it
        was not heard of again since the agent began.
        """
        waiting, state = self.memory.waiting, self._next
        if waiting is None or state is None or (state.serial, state.change) != (waiting.serial, waiting.change):
            return None
        return state

    def _forget_decisions(self) -> None:
        of_interest = {(one.serial, one.change) for one in (self.memory.waiting, self._next) if one is not None}
        self._decisions = {key: one for key, one in self._decisions.items() if key in of_interest}

    # -- deciding ------------------------------------------------------------------------------------------------

    @property
    def target(self) -> DesiredState | None:
        """The state that the host is to have for good, as far as it knows; None where nothing was committed."""
        verdict = None if self._next is None else self._decisions.get((self._next.serial, self._next.change))
        if verdict is not None and verdict.commit and (self._base is None or self._base.serial < verdict.serial):
            return self._next
        return self._base

    def action(self, now: float) -> Action | None:
        """What to do now; None: nothing. now: seconds of a clock that never goes back."""
        memory, target = self.memory, self.target
        if memory.waiting is not None:
            return self._about_waiting(memory.waiting, target)
        if now >= self._again_at:
            if target is not None and target.serial >= memory.committed + (0 if memory.unsure else 1):
                return Action(Verb.MAKE, target)
            if memory.unsure and memory.committed == 0:
                return Action(Verb.MAKE)
        following = self._next
        if memory.unsure or following is None or following.serial <= max(memory.committed, memory.tried):
            return None
        return None if (following.serial, following.change) in self._decisions else Action(Verb.TRY, following)

    def _about_waiting(self, waiting: Waiting, target: DesiredState | None) -> Action | None:
        decision = self._decisions.get((waiting.serial, waiting.change))
        if decision is not None:
            return Action(Verb.KEEP if decision.commit else Verb.GO_BACK)
        if target is not None and target.serial == waiting.serial and target.change == waiting.change:
            return Action(Verb.KEEP)
        if target is not None and target.serial >= waiting.serial:
            return Action(Verb.GO_BACK)  # a later change was committed: what waits is not what will be
        return None

    # -- having done ---------------------------------------------------------------------------------------------

    def begins(self, action: Action, owned: frozenset[str]) -> None:
        """Before TRY and MAKE. owned: the names that the state has; each is the fleet's already, or free."""
        memory = self._before = self.memory
        serial = 0 if action.state is None else action.state.serial
        left = memory.owned_by_try if memory.unsure else frozenset()
        self.memory = dataclasses.replace(
            memory, tried=max(memory.tried, serial), owned_by_try=left | owned, unsure=True
        )  # fmt: skip

    def tried(self, state: DesiredState, mark: str | None) -> None:
        """The state was made, and waits. mark: see Waiting."""
        self.error = ""
        waiting = Waiting(serial=state.serial, change=state.change, mark=mark)
        self.memory = dataclasses.replace(self.memory, waiting=waiting, unsure=False)

    def refused(self, action: Action, error: str, now: float, *, begun: bool) -> None:
        """The action could not be done, and left everything as it was. begun: `begins` was called for it.

        What was to be tried is not tried again; what is committed is, after a while.
        """
        self.error = error
        if begun:
            self.memory = self._before
        if action.verb is Verb.TRY and action.state is not None:
            self.memory = dataclasses.replace(self.memory, tried=max(self.memory.tried, action.state.serial))
        else:
            self._delay_s = min(RETRY_MAX_S, max(RETRY_FIRST_S, 2 * self._delay_s))
            self._again_at = now + self._delay_s

    def made(self, serial: int, owned: frozenset[str]) -> None:
        """What is committed was made, or confirmed. serial: its number. owned: the names that it has."""
        self.error = ""
        self._again_at = self._delay_s = 0.0
        self.memory = Memory(committed=serial, tried=max(self.memory.tried, serial), owned=owned)
        self._forget_decisions()

    def went_back(self, *, unsure: bool) -> None:
        """What waited waits no more. unsure: somebody else ended it, so it is not known whether it was undone."""
        owned = self.memory.owned_by_try if unsure else frozenset()
        self.memory = dataclasses.replace(self.memory, waiting=None, unsure=unsure, owned_by_try=owned)
        self._forget_decisions()
