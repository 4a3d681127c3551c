"""A host of a fleet, asked over one ssh connection for the length of a command (or a process, for this host)."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from l2tpv3.connect.end import EndFacts
from l2tpv3.documents.error import error_from_problem
from l2tpv3.documents.plan import step_from_json
from l2tpv3.errors import L2tpError, RefusedError, UnavailableError
from l2tpv3.fleet.model import HERE, NATS
from l2tpv3.fleet.noted import digest_of
from l2tpv3.fleet.protocol import FLEET_END, FLEET_PROTOCOL, LINE_MAX
from l2tpv3.model.progress import StepText
from l2tpv3.printable import printable
from l2tpv3.remote.ssh import LastBytes, SshCommand
from l2tpv3.remote.ssh_failure import SAID_MAX, broken_off
from l2tpv3.remote.ssh_target import SshTarget, Target, ThisHost
from l2tpv3.value_class import value_class
from l2tpv3.version import VERSION

ANSWERS_WITHIN_S: Final = 120.0
"""How long a host may take for what changes nothing."""
_ERRORS_MAX: Final = 1 << 16
_SSH_OPTIONS: Final = tuple(
    word
    for option in ("BatchMode=yes", "ConnectTimeout=15", "ServerAliveInterval=15", "ServerAliveCountMax=4")
    for word in ("-o", option)
)
"""Nobody can be asked for a password by fifty hosts at once, and a host that has died is to be noticed."""


@value_class(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What a host says of itself. identity: a text that no other host has. facts: what is taken there by others."""

    version: str
    identity: str
    facts: EndFacts


@value_class(frozen=True, slots=True, kw_only=True)
class Documents:
    """The documents of one host. before: what it may have now, as texts. new: what it is to have."""

    before: tuple[str, ...]
    new: str

    def request(self) -> dict[str, Any]:
        """Its members of a request."""
        return {"before": list(self.before), "new": self.new}


@value_class(frozen=True, slots=True, kw_only=True)
class Listening:
    """mtus: of the sessions in which a host answers test frames, in bytes; None where there is no netdev.

    unwell: what is wrong with other tunnels of the host, by their names.
    """

    mtus: tuple[int | None, ...]
    unwell: Mapping[str, str]


def target_of(name: str, reach: str) -> Target:
    """Where a host is commanded. Raises RefusedError for one that fetches its state by itself."""
    if reach == NATS:
        raise RefusedError(f"host {name}", "is reached by NATS, and not by ssh", "give it reach = ssh://...")
    return ThisHost(argument=FLEET_END) if reach == HERE else replace(SshTarget.parse(reach), argument=FLEET_END)


class FleetEnd:
    """One host. Every method raises L2tpError; UnreachableError means that it may have been done all the same.

    Use it as a context manager: entering it connects.
    """

    def __init__(self, name: str, target: Target) -> None:
        self.name, self._target = name, target
        self._ssh = SshCommand(target, stdout=subprocess.PIPE, options=_SSH_OPTIONS)
        self._errors = LastBytes(_ERRORS_MAX)
        self._stack = contextlib.ExitStack()

    @property
    def title(self) -> str:
        """The host in messages."""
        return f"host {self.name}"

    def __enter__(self) -> FleetEnd:
        with self._named(), contextlib.ExitStack() as stack:
            stack.enter_context(self._ssh)
            timer = self._ssh.give_up_after(ANSWERS_WITHIN_S)
            try:
                self._ssh.await_answer()
            finally:
                timer.cancel()
            self._ssh.copy_errors(self._errors)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # -- what can be asked ---------------------------------------------------------------------------------------

    def noted(self, document: str) -> str | None:
        """What tells the host from all others, if it is as it was when it last had this document in full; else None."""
        found = self._ask("noted", {"digest": digest_of(document)})
        with self._understood():
            self._check_version(found)
            return str(found["identity"]) if found["noted"] is True else None

    def _check_version(self, found: Mapping[str, Any]) -> None:
        if found["protocol"] != FLEET_PROTOCOL:
            version = str(found["version"])[:40]
            problem = f"l2tpctl there is of version {version}, and can't be in one fleet with {VERSION}"
            raise UnavailableError(self.title, problem, "install the same version at all hosts")

    def facts(self, documents: Documents) -> HostFacts:
        """What is taken there by others than the fleet, once no change is under way there."""
        found = self._ask("facts", documents.request())
        with self._understood():
            facts = EndFacts(
                tunnels=frozenset(map(str, found["tunnels"])),
                tunnel_ids=frozenset(map(int, found["tunnel_ids"])),
                session_ids=frozenset(map(int, found["session_ids"])),
                ports=frozenset(map(int, found["ports"])),
                unconfirmed=bool(found["unconfirmed"]),
            )
            self._check_version(found)
            return HostFacts(version=str(found["version"]), identity=str(found["identity"]), facts=facts)

    def plan(self, documents: Documents) -> tuple[bool, list[StepText]]:
        """Whether `apply` would change anything, and its steps."""
        found = self._ask("plan", documents.request())
        with self._understood():
            return bool(found["changes"]), [step_from_json(step) for step in found["steps"]]

    def show(self, documents: Documents) -> dict[str, Any]:
        """What the fleet's tunnels are like there, by their names."""
        found = self._ask("show", documents.request())
        with self._understood():
            return {str(one["name"]): dict(one) for one in found["tunnels"]}

    def apply(self, documents: Documents, confirm_s: float) -> None:
        """Make its part of the change, to be confirmed."""
        self._ask("apply", {**documents.request(), "confirm_s": confirm_s}, within_s=confirm_s)

    def confirm(self, documents: Documents) -> None:
        """Keep what `apply` did."""
        self._ask("confirm", documents.request())

    def roll_back(self, documents: Documents) -> bool:
        """Undo what `apply` did, if it waits there. Gives whether it did."""
        return bool(self._ask("roll-back", documents.request()).get("undone"))

    def conclude(self, documents: Documents) -> None:
        """Have it be what was committed."""
        self._ask("conclude", documents.request(), within_s=2 * ANSWERS_WITHIN_S)

    def listen(self, sessions: Sequence[tuple[str, str]], nonce: str) -> Listening:
        """Have it answer test frames in these sessions."""
        found = self._ask("listen", {"sessions": list(sessions), "nonce": nonce})
        with self._understood():
            mtus = tuple(None if mtu is None else int(mtu) for mtu in found["mtus"])
            if len(mtus) != len(sessions):
                raise ValueError("not as many as were asked for")
            unwell = {str(name): printable(str(says)[:SAID_MAX]) for name, says in found["unwell"].items()}
            return Listening(mtus=mtus, unwell=unwell)

    def send(self, frames: Sequence[tuple[str, str, list[int]]], nonce: str, seconds: float) -> list[set[int]]:
        """Have it send test frames of these lengths in sessions. Gives the lengths that were answered, for each."""
        request = {"frames": list(frames), "nonce": nonce, "seconds": seconds}
        found = self._ask("send", request, within_s=seconds + ANSWERS_WITHIN_S)
        with self._understood():
            answered = [{int(length) for length in one} for one in found["answered"]]
            if len(answered) != len(frames):
                raise ValueError("not as many as were asked for")
            return answered

    # -- the connection ------------------------------------------------------------------------------------------

    def _ask(self, verb: str, request: Mapping[str, Any], within_s: float = ANSWERS_WITHIN_S) -> dict[str, Any]:
        with self._named():
            timer = self._ssh.give_up_after(within_s)
            try:
                self._ssh.write(json.dumps({"verb": verb, **request}).encode() + b"\n")
                line = self._ssh.stdout.readline(LINE_MAX)
            finally:
                timer.cancel()
            if not line.endswith(b"\n"):
                raise broken_off(self._target)
        with self._understood():
            document = json.loads(line)
            if "answer" in document:
                return dict(document["answer"])
            error = error_from_problem(document["error"])
        error.subject = printable(f"{self.title}: {error.subject[:SAID_MAX]}")
        error.problem, error.remedy = printable(error.problem[:SAID_MAX]), printable(error.remedy[:SAID_MAX])
        raise error

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """What is raised says which host it is about."""
        try:
            yield
        except L2tpError as error:
            error.subject = f"{self.title}: {error.subject}"
            raise

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except L2tpError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            problem = "it answers what can't be read"
            raise UnavailableError(self.title, problem, "install the same version at all hosts") from error
