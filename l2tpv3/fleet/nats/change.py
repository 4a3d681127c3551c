"""Changes many hosts as one: writes each host's state, waits until all have made it, and decides.

The decision is the commit record: it is created once in the bucket and is the truth. What is noted in the coordinator's
folder before the first record lets the next run end what a killed one began: by the decision where one was signed, and
else by deciding to abort.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Final

from l2tpv3.errors import InvalidValueError, L2tpError, NotFoundError, UnreachableError
from l2tpv3.fleet.nats.bucket import Bucket, decision_key, desired_key
from l2tpv3.fleet.nats.decision import Decision
from l2tpv3.fleet.nats.desired import DesiredState, HostKey
from l2tpv3.fleet.nats.directory import Committed, Directory, UnderWay
from l2tpv3.fleet.nats.signed import parse
from l2tpv3.fleet.nats.status import HostReport
from l2tpv3.value_class import value_class

SERVER: Final = "the server"
"""In the place of a host's name, where the server is the reason."""
LISTEN_S: Final = 1.0
"""How long to listen for statuses at a time."""

Say = Callable[[str], None]


@value_class(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a change. reasons: by host, why it could not be committed; empty where it was.

    hosts: those that it is about. silent: hosts that said nothing of the change while the others were waited for.
    """

    serial: int
    committed: bool
    reasons: Mapping[str, str]
    hosts: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()


class Coordinator:
    """Changes the hosts of one fleet. Hold Directory.locked meanwhile. Every method raises L2tpError.

    clock: seconds that never go back. say: told of what goes on.
    """

    def __init__(
        self, directory: Directory, bucket: Bucket, *, clock: Callable[[], float] = time.monotonic,
        say: Say = lambda _: None,
    ) -> None:  # fmt: skip
        self._directory, self._bucket, self._clock, self._say = directory, bucket, clock, say
        self._key = directory.key

    async def recover(self) -> Outcome | None:
        """End what a killed run began; None where there is nothing to end."""
        change = self._directory.under_way()
        if change is None:
            return None
        commit = await self._decide(change, commit=False)
        self._say(f"change {change.serial}, which was under way, is {'committed' if commit else 'aborted'}")
        return Outcome(serial=change.serial, committed=commit, reasons={}, hosts=frozenset(change.states))

    async def refresh(self, leave: Collection[str] = ()) -> None:
        """Write again what the bucket lost: the key of a host that is older than what was committed for it.

        leave: not of these hosts.
        """
        await asyncio.gather(*(self._refresh(name) for name in self._directory.hosts() if name not in leave))

    async def _refresh(self, name: str) -> None:
        committed = self._directory.committed(name)
        if committed is None:
            return
        value = await self._bucket.get(desired_key(name))
        with contextlib.suppress(InvalidValueError):  # what can't be read is written anew
            found = HostKey.checked(value or b"", self._key.public, self._key.fleet, name)
            if found.base is not None and found.base.serial >= committed.state.serial:
                return
            if found.next is not None and found.next.serial > committed.state.serial:
                return
        key = HostKey(base=committed.state, decision=committed.decision, next=None)
        await self._bucket.put(desired_key(name), key.value(self._key))

    async def change(
        self,
        texts: Mapping[str, str],
        *,
        confirm_s: float,
        wait_s: float,
        wires: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> Outcome:
        """Make hosts what these files say: all of them, or none.

        texts: the file of each host, by name. wires: the pseudowires that have to pass frames before it is committed,
        for each of these hosts, as TUNNEL/SESSION (see wires_to_test). confirm_s: how long a host keeps what it made
        without a decision. wait_s: how long to wait until all have made and tested it; less than confirm_s.
        """
        identities = {name: self._directory.host(name) for name in texts}  # raises before anything is written
        if not texts:
            raise NotFoundError("hosts", "none are given", "give HOST=FILE")
        if not 0 < wait_s < confirm_s:
            raise InvalidValueError("--wait", f"{wait_s:g} s is not less than --confirm", "give less")
        await self.recover()
        serial, change = self._directory.serial() + 1, secrets.token_hex(8)
        states = {
            name: DesiredState.make(
                texts[name],
                identities[name],
                self._key,
                serial=serial,
                change=change,
                confirm_s=confirm_s,
                wires=wires.get(name, ()),
            )
            for name in texts
        }
        values = {name: self._host_key(name, state).value(self._key) for name, state in states.items()}
        under_way = UnderWay(serial=serial, change=change, states=states, texts=dict(texts))
        self._directory.note(under_way)
        try:
            await self._bucket.statuses(texts, 0.0)  # what is heard from now on counts
            await asyncio.gather(*(self._bucket.put(desired_key(name), value) for name, value in values.items()))
            reasons, silent = await self._wait(under_way, wait_s)
        except UnreachableError as error:
            reasons, silent = {SERVER: str(error)}, frozenset()
        commit = await self._decide(under_way, commit=not reasons)
        why = {} if commit else reasons
        return Outcome(serial=serial, committed=commit, reasons=why, hosts=frozenset(texts), silent=silent)

    def _host_key(self, name: str, state: DesiredState) -> HostKey:
        committed = self._directory.committed(name)
        if committed is None:
            return HostKey(base=None, decision=None, next=state)
        return HostKey(base=committed.state, decision=committed.decision, next=state)

    async def _wait(self, change: UnderWay, wait_s: float) -> tuple[dict[str, str], frozenset[str]]:
        """Wait until all hosts have made and tested the change. Gives why some have not, and those that are silent."""
        waited_for = dict.fromkeys(change.states, _SILENT)
        identities = {name: self._directory.host(name) for name in change.states}
        until = self._clock() + wait_s
        while waited_for and (left := until - self._clock()) > 0:
            heard = await self._bucket.statuses(list(waited_for), min(left, LISTEN_S))
            for name, value in heard.items():
                try:
                    report = HostReport.checked(value, identities[name], self._key.fleet)
                except L2tpError as error:
                    waited_for[name] = str(error)
                    continue
                if report.waiting == (change.serial, change.change):
                    waited_for[name] = _what_fails(report)
                    if report.ready:
                        del waited_for[name]
                elif report.tried == change.serial and (report.error or report.gone_back):
                    return {name: report.error or "was ended in the midst of it, and has gone back"}, frozenset()
        return waited_for, frozenset(name for name, reason in waited_for.items() if reason == _SILENT)

    async def _decide(self, change: UnderWay, *, commit: bool) -> bool:
        """Create the decision; where there is one, that counts. Gives whether it is to commit, and ends the change.

        It is noted before: what was signed once may have been heard, whatever the server answers, so the other one is
        never signed.
        """
        wanted = change.decision or Decision(serial=change.serial, change=change.change, commit=commit)
        if change.decision is None:
            self._directory.note(dataclasses.replace(change, decision=wanted))
        decided = await self._create(wanted)
        with contextlib.suppress(UnreachableError):  # hosts ask for it, too
            await self._bucket.announce(decided.serial, json.dumps(decided.signed(self._key)).encode())
        if decided.commit and decided.change == change.change:
            # Each is a file that is waited for until it is on the disk: many at once take hardly longer than one.
            await asyncio.gather(
                *(
                    asyncio.to_thread(
                        self._directory.note_committed,
                        name,
                        Committed(state=state, decision=decided, text=change.texts.get(name)),
                    )
                    for name, state in change.states.items()
                )
            )
        self._directory.end()
        return decided.commit and decided.change == change.change

    async def _create(self, decision: Decision) -> Decision:
        subject, key = f"change {decision.serial}", decision_key(decision.serial)
        try:
            if await self._bucket.create(key, json.dumps(decision.signed(self._key)).encode()):
                return decision
            value = await self._bucket.get(key)
        except UnreachableError as error:
            problem = f"it is not known whether the server took the decision: {error}"
            raise UnreachableError(subject, problem, _END) from error
        if value is None:
            raise UnreachableError(subject, "the server lost the decision while it was read", _END)
        return Decision.checked(parse(value, "a decision of the fleet"), self._key.public, self._key.fleet)


def _what_fails(report: HostReport) -> str:
    """Why a host that has made the change is not ready."""
    for name, problem in report.wrong.items():
        return f"pseudowire {name}: {problem}" + (" (and others)" if len(report.wrong) > 1 else "")
    return "has not tested its pseudowires yet"


_SILENT: Final = "has not answered"
_END: Final = "once the server answers, `l2tpctl fleet push` without hosts ends the change"
