"""An end where l2tpctl is run for each thing to be done: on another host over ssh, or on this one, in a process."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final

from l2tpv3.config import dump
from l2tpv3.connect.end import EndFacts
from l2tpv3.connect.mark import mark_of
from l2tpv3.doctor.ends import HostEnd, end_from_json
from l2tpv3.documents.error import error_from_problem
from l2tpv3.documents.plan import step_from_json
from l2tpv3.errors import ConflictError, InvalidValueError, L2tpError, NotFoundError, RefusedError, UnreachableError
from l2tpv3.linux.sent_files import SentFile
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.progress import StepText
from l2tpv3.remote.sent_command import SentCommand
from l2tpv3.remote.ssh import LastBytes, SshCommand
from l2tpv3.remote.ssh_failure import SAID_MAX
from l2tpv3.remote.ssh_target import Target

FILE: Final = "connect.toml"
"""What messages of an end call the text that states it."""
SECRET: Final = "secret"
"""What a command calls the file of a secret that comes along with it."""
OUTPUT_MAX: Final = 16 << 20
"""Bytes that an end prints for one command at most."""
_ERRORS_MAX: Final = 1 << 16


class CommandEnd:
    """An end at `target`. title: what messages call it. wanted: the tunnel that it is to get, once that is known."""

    def __init__(self, target: Target, title: str) -> None:
        self.target, self._title = target, title
        self.wanted: DesiredTunnel | None = None
        self._answers_within_s: float | None = None

    @property
    def title(self) -> str:
        """The name of this end in messages: `here`, or `at HOST`."""
        return self._title

    def facts(self) -> EndFacts:
        """See End."""
        found = self._json("end-facts")
        with understood(self._title):
            ssh = found["ssh_addresses"]
            return EndFacts(
                tunnels=frozenset(map(str, found["tunnels"])),
                tunnel_ids=frozenset(map(int, found["tunnel_ids"])),
                session_ids=frozenset(map(int, found["session_ids"])),
                ports=frozenset(map(int, found["ports"])),
                unconfirmed=bool(found["unconfirmed"]),
                ssh_addresses=None if ssh is None else (_address(ssh[0]), _address(ssh[1])),
            )

    def plan(self) -> list[StepText]:
        """See End."""
        found = self._json("plan", "--file", FILE, "--json")
        with understood(self._title):
            return [step_from_json(step) for step in found["steps"]]

    def apply(self, confirm_s: float) -> None:
        """See End."""
        self._answers_within_s = confirm_s  # what takes longer is undone by then
        self._json("apply", "--file", FILE, "--confirm", f"{confirm_s:g}", "--json")

    def confirm(self) -> None:
        """See End."""
        if not self._has_it():
            raise NotFoundError(f"{self._title}: tunnel {self._tunnel.name}", "is there no more")
        self.run("confirm")

    def roll_back(self) -> None:
        """See End. Raises RefusedError where somebody else has confirmed the change."""
        self.facts()  # which waits for a change that is under way: `apply` may have been cut off from us
        # What waits for a confirmation without our tunnel is somebody else's change.
        if not self._has_it():
            return
        with contextlib.suppress(NotFoundError):
            self.run("rollback")
        if self._has_it():
            subject, remedy = f"{self._title}: tunnel {self._tunnel.name}", "`l2tpctl tunnel del` there removes it"
            raise RefusedError(subject, "stays, as it was confirmed there meanwhile", remedy)

    def remove(self, tunnel: str, mark: str) -> None:
        """Remove a tunnel with its session, if it is the one that has that mark.

        Raises NotFoundError where there is none of that name, ConflictError where it is another one.
        """
        if mark != self.mark_at(tunnel):
            problem = "it is not as it was connected: its sessions or their cookies are others; so it stays"
            raise ConflictError(f"{self._title}: tunnel {tunnel}", problem, "`l2tpctl tunnel del` there removes it")
        self.run("tunnel", "del", tunnel)

    def compared(self, nonce: bytes) -> HostEnd:
        """What this end has of tunnels, to be compared with the other end. nonce: see l2tpv3.doctor.ends.end_of."""
        found = self._json("doctor-facts", nonce.hex())
        with understood(self._title):
            return end_from_json(found)

    def shown(self, tunnel: str, *options: str) -> dict[str, Any]:
        """What `tunnel show --json` says of a tunnel. Raises NotFoundError."""
        found = self._json("tunnel", "show", tunnel, "--json", *options)
        with understood(self._title):
            shown: dict[str, Any] = dict(found["tunnels"][0])
            return shown

    @property
    def mark(self) -> str:
        """The mark of the tunnel that this end is to get: no other tunnel has it, at this end or at any other."""
        return mark_of((one.name, one.words["tx-cookie"], one.words["rx-cookie"]) for one in self._tunnel.sessions)

    def mark_at(self, tunnel: str) -> str:
        """The mark of a tunnel that is there, by its cookies as they are now. Raises NotFoundError."""
        shown = self.shown(tunnel, "--show-secrets")
        with understood(self._title):
            hexes = [(str(one["name"]), one["tx_cookie"]["hex"], one["rx_cookie"]["hex"]) for one in shown["sessions"]]
            return mark_of((name, bytes.fromhex(tx), bytes.fromhex(rx)) for name, tx, rx in hexes)

    @property
    def _tunnel(self) -> DesiredTunnel:
        assert self.wanted is not None
        return self.wanted

    def _has_it(self) -> bool:
        """Whether the tunnel that was applied is there."""
        try:
            return self.mark_at(self._tunnel.name) == self.mark
        except NotFoundError:
            return False

    def _json(self, *words: str) -> Any:
        text = self.run(*words)
        with understood(self._title):
            return json.loads(text)

    @contextlib.contextmanager
    def running(self, *words: str, secret: bytes | None = None) -> Iterator[SshCommand]:
        """A command that runs at this end, for the length of the block. Its output is a pipe.

        The text that states the end comes along where there is one, and a secret as the file SECRET. Raises L2tpError
        when l2tpctl does not answer.
        """
        files = {} if self.wanted is None else {FILE: SentFile(content=dump([self.wanted]).encode())}
        if secret is not None:
            files[SECRET] = SentFile(content=secret)
        with SshCommand(self.target, stdout=subprocess.PIPE) as running:
            if self._answers_within_s is not None and not self.target.here:
                running.give_up_after(self._answers_within_s)
            running.send(SentCommand(words=words, files=files))
            yield running

    def run(self, *words: str, secret: bytes | None = None) -> str:
        """Run a command, and give what it prints. secret: see `running`.

        Raises the error that it ended with; UnreachableError also where the end was cut off in the midst of it.
        """
        errors = LastBytes(_ERRORS_MAX)
        with self.running(*words, secret=secret) as running:
            text = running.output(errors, OUTPUT_MAX)
            status = running.exit_status()
        if status:
            raise self._error(errors.kept.decode("utf-8", "replace"), words, status)
        return text.decode("utf-8", "replace")

    def _error(self, said: str, words: tuple[str, ...], status: int) -> L2tpError:
        """The error that a command ended with: as JSON where it was asked for, else as a line."""
        lines = said.strip().splitlines() or [f"`l2tpctl {words[0]}` ended with status {status}"]
        try:
            told: Mapping[str, Any] = json.loads(lines[-1])["error"]
            error = error_from_problem(told)
        except (ValueError, KeyError, TypeError, RecursionError):
            kind = NotFoundError if status == NotFoundError.exit_code else RefusedError
            error = kind("l2tpctl", lines[-1].removeprefix("l2tpctl: "))
        error.subject = f"{self._title}: {error.subject[:SAID_MAX]}"
        error.problem, error.remedy = error.problem[:SAID_MAX], error.remedy[:SAID_MAX]
        return error


def _address(text: object) -> str:
    """An address, without the netdev behind %. Raises ValueError for what is none."""
    return str(ip_address(str(text).partition("%")[0]))


@contextlib.contextmanager
def understood(title: str) -> Iterator[None]:
    """Raises UnreachableError for an answer, read in the block, that is not as this version has it."""
    try:
        yield
    except (
        InvalidValueError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError,
    ) as error:  # fmt: skip
        problem = "l2tpctl answers what can't be read"
        raise UnreachableError(title, problem, "install the same version at both ends") from error
