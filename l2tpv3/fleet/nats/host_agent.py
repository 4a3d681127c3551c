"""A host's agent without its connection: what comes in is bytes from the bucket, what goes out is the host's status."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.fleet.nats.decision import Decision
from l2tpv3.fleet.nats.desired import DesiredState, HostKey
from l2tpv3.fleet.nats.engine import Engine
from l2tpv3.fleet.nats.following import Action, Following, Verb
from l2tpv3.fleet.nats.keys import HostKeys, fleet_id
from l2tpv3.fleet.nats.memory import Memory
from l2tpv3.fleet.nats.signed import parse
from l2tpv3.fleet.nats.status import HostReport
from l2tpv3.fleet.nats.wire_test import WireTest, nonce_of

MEMORY: Final = "memory.json"
"""Name of the file that keeps the agent's memory."""


class HostAgent:
    """One host of a fleet. Call `start` first, then tell it what is heard, and call `step` now and then.

    host: the host's name in the fleet. public: the fleet's public key. keys: the host's. folder: for its memory.
    say: told of what is done, and of what is refused, once each.
    """

    def __init__(
        self, engine: Engine, host: str, public: bytes, keys: HostKeys, folder: Path, say: Callable[[str], None]
    ) -> None:
        self._engine, self._host, self._public, self._keys = engine, host, public, keys
        self._fleet = fleet_id(public)
        self._path = folder / MEMORY
        self._say_aloud = say
        self._said = ""
        self._refusal = ""
        self._following = Following(Memory.read(self._path))
        self._kept = self._following.memory
        self._unfinished = self._kept.unsure
        self._tested: DesiredState | None = None
        self._test: WireTest | None = None
        self._wrong: dict[str, str] = {}
        self.news: Callable[[], None] = lambda: None
        """Called in another thread when `step` has something to do."""

    def start(self) -> None:
        """Finish or undo what a killed agent left in the middle; where that fails, `step` tries it again."""
        try:
            if self._unfinished:
                self._engine.finish()
            self._unfinished = False
        except L2tpError as error:
            self._say(str(error))

    def close(self) -> None:
        """End what goes on by itself. What was made and waits goes on waiting."""
        if self._test is not None:
            self._test.close()
        self._test = self._tested = None

    # -- hearing -------------------------------------------------------------------------------------------------

    def heard_key(self, value: bytes) -> None:
        """The value of the host's key in the bucket."""
        try:
            self._following.heard_key(HostKey.checked(value, self._public, self._fleet, self._host))
            self._refusal = ""
        except L2tpError as error:
            self._refuse(error)

    def heard_decision(self, value: bytes) -> None:
        """The value of a decision in the bucket."""
        try:
            signed = parse(value, "a decision of the fleet")
            self._following.heard_decision(Decision.checked(signed, self._public, self._fleet))
        except L2tpError as error:
            self._refuse(error)

    def undecided(self) -> set[int]:
        """The serial numbers whose decisions are to be listened for, and asked for."""
        return {serial for serial, _ in self._following.undecided()}

    def _refuse(self, error: L2tpError) -> None:
        self._refusal = str(error)
        self._say(f"refused: {error}")

    # -- doing ---------------------------------------------------------------------------------------------------

    def step(self, now: float) -> bool:
        """Do what is to be done now, one thing at most. Gives whether there is news for the status.

        now: seconds of a clock that never goes back. Raises L2tpError where the memory can't be written.
        """
        if self._unfinished:
            self.start()
            if self._unfinished:
                return False
        following = self._following
        waiting = following.memory.waiting
        try:
            self._engine.expire()
            if waiting is not None and waiting.mark is not None and not self._engine.waits(waiting.mark):
                following.went_back(unsure=True)
                self._say(f"change {waiting.serial} was not decided in time: gone back")
        except L2tpError as error:
            self._say(str(error))
            return False
        action = following.action(now)
        if action is not None:
            self._do(action, now)
        found = self._look_at_test()
        return self._remember() or found

    def _do(self, action: Action, now: float) -> None:
        before = self._following.memory
        try:
            if action.verb in (Verb.TRY, Verb.MAKE):
                self._make(action)
            else:
                self._end_waiting(action.verb)
        except L2tpError as error:
            self._following.refused(action, str(error), now, begun=self._following.memory != before)
            self._say(str(error))

    def _make(self, action: Action) -> None:
        following, state = self._following, action.state
        text = "" if state is None else state.text(self._keys, self._fleet)
        names = self._engine.names(text)
        memory = following.memory
        owned = memory.owned | memory.owned_by_try
        self._engine.refuse_taken(names, owned)
        following.begins(action, names)
        self._remember()
        if state is not None and action.verb is Verb.TRY:
            following.tried(state, self._engine.make(text, owned, state.confirm_s))
            self._say(f"change {state.serial} is made, and waits for the fleet's decision")
        else:
            self._engine.make(text, owned, None)
            following.made(0 if state is None else state.serial, names)
            self._say(f"has what is committed: change {following.memory.committed}")

    def _end_waiting(self, verb: Verb) -> None:
        following = self._following
        waiting = following.memory.waiting
        assert waiting is not None  # or there would be nothing to end
        act = self._engine.keep if verb is Verb.KEEP else self._engine.go_back
        done = waiting.mark is None or act(waiting.mark)
        if not done:
            following.went_back(unsure=True)
        elif verb is Verb.KEEP:
            following.made(waiting.serial, following.memory.owned_by_try)
            self._say(f"change {waiting.serial} is committed")
        else:
            following.went_back(unsure=False)
            self._say(f"change {waiting.serial} was not committed: gone back")

    def _look_at_test(self) -> bool:
        """Test the pseudowires of what waits. Gives whether it is known of more of them, or fewer, that they pass."""
        tested = self._following.tested
        if tested != self._tested:
            self.close()
            self._tested = tested
            if tested is not None:
                self._begin_test(tested)
        before = self._wrong
        if self._test is not None:
            self._wrong = self._test.wrong()
        elif tested is None:
            self._wrong = {}
        return self._wrong != before

    def _begin_test(self, tested: DesiredState) -> None:
        try:
            if tested.wires:
                self._test = self._engine.test(tested.wires, nonce_of(tested.change), self.news)
        except L2tpError as error:
            self._wrong = dict.fromkeys(tested.wires, str(error))
            self._say(f"can't test pseudowires: {error}")

    def _remember(self) -> bool:
        """Write the memory down where it differs. Gives whether it did."""
        differs = self._following.memory != self._kept
        if differs:
            self._following.memory.write(self._path)
            self._kept = self._following.memory
        return differs

    # -- telling -------------------------------------------------------------------------------------------------

    def status(self) -> bytes:
        """What the fleet is to know of this host, signed by the host's key."""
        memory = self._following.memory
        waiting = memory.waiting
        error = self._following.error or self._refusal
        try:
            tunnels = self._engine.conditions(memory.owned | memory.owned_by_try)
        except L2tpError as trouble:
            tunnels, error = {}, error or str(trouble)
        report = HostReport(
            host=self._host,
            committed=memory.committed,
            tried=memory.tried,
            waiting=None if waiting is None else (waiting.serial, waiting.change),
            error=error,
            ready=self._tested is not None and not self._wrong,
            gone_back=waiting is None and memory.tried > memory.committed and not memory.unsure,
            wrong=self._wrong,
            tunnels=tunnels,
        )
        return report.signed(self._keys, self._fleet)

    def _say(self, text: str) -> None:
        if text != self._said:
            self._say_aloud(text)
        self._said = text
