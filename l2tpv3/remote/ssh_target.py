"""`ssh://[USER@]HOST[:PORT][?sudo][&program=PATH]`: a host that is commanded over the system's own ssh."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import SplitResult, parse_qsl, urlsplit

from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.own_program import own_program

SCHEME = "ssh://"
FORM = "give ssh://[USER@]HOST[:PORT], and behind it ?sudo or ?program=PATH where they are needed"
RUN_SENT = "run-sent"
"""The command of l2tpctl that is run at the far end."""

# What ssh and a shell take as nothing but a word. A host or user that begins with a dash would be an option of ssh.
_WORD = re.compile(r"[A-Za-z0-9_.:%][A-Za-z0-9_.:%+\\-]*")
_PATH = re.compile(r"[A-Za-z0-9_.+/@-]+")


class Target(Protocol):
    """A host where a command can be sent to.

    url, host, program: what messages call it, and l2tpctl there. here: it is this host. destination: the words behind
    `ssh` in a remedy. known_as: its name in known_hosts.
    """

    @property
    def url(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def program(self) -> str: ...
    @property
    def here(self) -> bool: ...
    @property
    def destination(self) -> str: ...
    @property
    def known_as(self) -> str: ...

    def argv(self, *options: str) -> list[str]:
        """The program that runs what comes over its standard input; see l2tpv3.remote.sent_command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThisHost:
    """This host, by a process of its own for each command, as for any other."""

    url: str = "this host"
    host: str = "localhost"
    program: str = "l2tpctl"
    here: bool = True
    destination: str = "localhost"
    known_as: str = "localhost"
    argument: str = RUN_SENT

    def argv(self, *_: str) -> list[str]:
        """The words that run l2tpctl by this Python."""
        return [*own_program(), self.argument]


@dataclass(frozen=True, slots=True, kw_only=True)
class SshTarget:
    """A host, by its name in ssh's configuration or in the DNS, or by its address.

    url: as it was said. user, port: None is what ssh's own configuration says. sudo: its user is not root, and may run
    l2tpctl by sudo without a password. program: l2tpctl at the far end, a path or a name to be found there.
    argument: the word behind it.
    """

    url: str
    host: str
    user: str | None = None
    port: int | None = None
    sudo: bool = False
    program: str = "l2tpctl"
    argument: str = RUN_SENT
    here: bool = False

    def for_shell(self) -> SshTarget:
        """The same host, where a shell reads a script from its standard input. $1 is $SSH_CONNECTION."""
        return replace(self, program="sh", argument="-s")

    @property
    def destination(self) -> str:
        """The words behind `ssh`, as somebody would type them: `-p 2222 root@siteb`."""
        words = [] if self.port is None else ["-p", str(self.port)]
        return shlex.join([*words, self.host if self.user is None else f"{self.user}@{self.host}"])

    @property
    def known_as(self) -> str:
        """The name of the host in known_hosts, for a shell (sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT")."""
        return shlex.quote(self.host if self.port in (None, 22) else f"[{self.host}]:{self.port}")

    @classmethod
    def parse(cls, url: str) -> SshTarget:
        """Raises InvalidValueError for what is no such URL."""
        parts, port = _split(url)
        host, user = parts.hostname or "", parts.username
        if parts.scheme != "ssh" or parts.password is not None or parts.fragment or parts.path not in ("", "/"):
            raise InvalidValueError("--host", f"{url!r} can't be the URL of a host", FORM)
        for word in (host, *([] if user is None else [user])):
            if not _WORD.fullmatch(word):
                raise InvalidValueError("--host", f"{word!r} in {url!r} can't be a host or user", FORM)
        settings = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = [key for key in settings if key not in ("sudo", "program")]
        program = settings.get("program", "l2tpctl")
        if unknown or settings.get("sudo", "") or not _PATH.fullmatch(program) or program.startswith("-"):
            raise InvalidValueError("--host", f"{parts.query!r} is not known behind an ssh:// URL", FORM)
        return cls(url=url, host=_spelled(parts), user=user, port=port, sudo="sudo" in settings, program=program)

    def ssh(self, environ: Mapping[str, str] | None = None, *options: str) -> list[str]:
        """The words that run ssh to this host, up to the command there.

        environ: None is this process's. $L2TPV3_SSH in it is another ssh, which may have options behind it. options:
        further ones. A command and a terminal that ssh's configuration has for this host are not wanted here.
        Raises InvalidValueError for a $L2TPV3_SSH that is no command.
        """
        environ = os.environ if environ is None else environ
        words = _program(environ.get("L2TPV3_SSH") or "ssh")
        words += ["-T", "-o", "RemoteCommand=none", "-o", "RequestTTY=no", *options]
        words += [] if self.port is None else ["-p", str(self.port)]
        words += [] if self.user is None else ["-l", self.user]
        return [*words, "--", self.host]

    def argv(self, *options: str) -> list[str]:
        """The program that runs a command there, see Target. options: further ones for ssh. Raises what `ssh` does."""
        words = ["sudo", "-n", "--"] if self.sudo else []
        # sudo would not pass the addresses of the connection on in the environment.
        far_command = f'{shlex.join([*words, self.program, self.argument])} "$SSH_CONNECTION"'
        return [*self.ssh(None, *options), far_command]


def _program(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InvalidValueError("L2TPV3_SSH", f"{text!r} is no command: {error}", "close its quotes") from error


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        if not url.isprintable():  # urlsplit leaves line feeds and tabs out, and the host would be another one
            raise ValueError("control characters in it")
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError as error:
        raise InvalidValueError("--host", f"{url!r} is not a URL: {error}", FORM) from error


def _spelled(parts: SplitResult) -> str:
    """The host as it was typed: urlsplit has it in small letters, and names in ssh's configuration have both."""
    host = parts.hostname or ""
    at = parts.netloc.lower().rfind(host)
    return parts.netloc[at : at + len(host)]
