"""An end where l2tpctl is run for each thing to be done: on another host over ssh, or on this one, in a process."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any, Final

from l2tpv3.config import dump
from l2tpv3.connect.end import EndFacts
from l2tpv3.documents.error import error_from_problem
from l2tpv3.documents.plan import step_from_json
from l2tpv3.errors import L2tpError, NotFoundError, RefusedError, UnreachableError
from l2tpv3.linux.sent_files import SentFile
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.progress import StepText
from l2tpv3.remote.sent_command import SentCommand
from l2tpv3.remote.ssh import SshCommand
from l2tpv3.remote.ssh_target import Target

FILE: Final = "connect.toml"
"""What messages of an end call the text that states it."""


class CommandEnd:
    """An end at `target`. title: what messages call it. wanted: the tunnel that it is to get, once that is known."""

    def __init__(self, target: Target, title: str) -> None:
        self.target, self._title = target, title
        self.wanted: DesiredTunnel | None = None

    @property
    def title(self) -> str:
        """What messages call it."""
        return self._title

    def facts(self) -> EndFacts:
        """See End."""
        found = self._json("end-facts")
        with _understood(self._title):
            ssh = found["ssh_addresses"]
            return EndFacts(
                version=str(found["version"]),
                tunnels=frozenset(map(str, found["tunnels"])),
                tunnel_ids=frozenset(map(int, found["tunnel_ids"])),
                session_ids=frozenset(map(int, found["session_ids"])),
                ports=frozenset(map(int, found["ports"])),
                listen_ports=frozenset(map(int, found["listen_ports"])),
                unconfirmed=bool(found["unconfirmed"]),
                ssh_addresses=None if ssh is None else (str(ssh[0]), str(ssh[1])),
            )

    def plan(self) -> list[StepText]:
        """See End."""
        found = self._json("plan", "--file", FILE, "--json")
        with _understood(self._title):
            return [step_from_json(step) for step in found["steps"]]

    def apply(self, confirm_s: float) -> None:
        """See End."""
        self._json("apply", "--file", FILE, "--confirm", f"{confirm_s:g}", "--json")

    def confirm(self) -> None:
        """See End."""
        if not self._has_it():
            raise NotFoundError(f"{self._title}: tunnel {self._tunnel.name}", "is there no more")
        self.run("confirm")

    def roll_back(self) -> None:
        """See End."""
        # What waits for a confirmation without our tunnel is somebody else's change.
        if self._has_it():
            with contextlib.suppress(NotFoundError):
                self.run("rollback")

    def delete(self, tunnel: str) -> None:
        """Remove a tunnel with its sessions. Raises NotFoundError where there is none."""
        self.run("tunnel", "del", tunnel)

    def shown(self, tunnel: str) -> dict[str, Any]:
        """What `tunnel show --json` says of a tunnel. Raises NotFoundError."""
        found = self._json("tunnel", "show", tunnel, "--json")
        with _understood(self._title):
            shown: dict[str, Any] = found["tunnels"][0]
            return shown

    @property
    def _tunnel(self) -> DesiredTunnel:
        assert self.wanted is not None
        return self.wanted

    def _has_it(self) -> bool:
        """Whether the tunnel that was applied is there: of that name, and of those ids."""
        try:
            shown = self.shown(self._tunnel.name)
        except NotFoundError:
            return False
        words = self._tunnel.words
        return (shown.get("id"), shown.get("peer_id")) == (words["id"], words["peer-id"])

    def _json(self, *words: str) -> Any:
        text = self.run(*words)
        with _understood(self._title):
            return json.loads(text)

    def command(self, *words: str) -> SentCommand:
        """A command for this end. The text that states the end comes along where there is one."""
        files = {} if self.wanted is None else {FILE: SentFile(content=dump([self.wanted]).encode())}
        return SentCommand(words=words, files=files)

    def run(self, *words: str) -> str:
        """Run a command, and give what it prints.

        Raises the error that it ended with; UnreachableError also where the end was cut off in the midst of it.
        """
        errors = io.BytesIO()
        with SshCommand(self.target, stdout=subprocess.PIPE) as running:
            running.send(self.command(*words))
            text = running.output(errors)
            status = running.exit_status()
        if status:
            raise self._error(errors.getvalue().decode("utf-8", "replace"), words, status)
        return text.decode("utf-8", "replace")

    def _error(self, said: str, words: tuple[str, ...], status: int) -> L2tpError:
        """The error that a command ended with: as JSON where it was asked for, else as a line."""
        lines = said.strip().splitlines() or [f"`l2tpctl {words[0]}` ended with status {status}"]
        try:
            told: Mapping[str, Any] = json.loads(lines[-1])["error"]
            error = error_from_problem(told)
        except (ValueError, KeyError, TypeError):
            kind = NotFoundError if status == NotFoundError.exit_code else RefusedError
            error = kind("l2tpctl", lines[-1].removeprefix("l2tpctl: "))
        error.subject = f"{self._title}: {error.subject}"
        return error


@contextlib.contextmanager
def _understood(title: str) -> Iterator[None]:
    """Raises UnreachableError for what is not as this version has it."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError) as error:
        problem = "l2tpctl answers what can't be read"
        raise UnreachableError(title, problem, "install the same version at both ends") from error
