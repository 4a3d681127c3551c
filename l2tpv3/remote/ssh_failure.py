"""What ssh, the far end's shell or sudo said before l2tpctl answered there, as one error with its remedy."""

from __future__ import annotations

from collections.abc import Sequence

from l2tpv3.errors import L2tpError, NotPermittedError, UnavailableError, UnreachableError
from l2tpv3.remote.ssh_target import Target
from l2tpv3.version import VERSION

SAID_MAX = 500
"""Characters of what a host said that go into one message of ours at most."""

_HERE = "l2tpctl on this host"
_SSH_FAILED, _NOT_FOUND, _NOT_EXECUTABLE = 255, 127, 126

_REFUSED = "see that sshd runs there and listens on that port"
_OF_SSH: tuple[tuple[str, type[L2tpError], str, str], ...] = (
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", UnreachableError, "the host key is not the one that is known here",
     "find out why; if it may have changed, `ssh-keygen -R {known_as}` forgets the old one"),
    ("Host key verification failed", UnreachableError, "the host key is not known here",
     "`ssh {destination}` shows it, and keeps it when you say yes"),
    ("No ED25519 host key is known", UnreachableError, "the host key is not known here",
     "`ssh {destination}` shows it, and keeps it when you say yes"),
    ("Permission denied (", NotPermittedError, "it does not let us in: {line}",
     "give the user (ssh://USER@HOST), load your key (`ssh-add`), or take it there by `ssh-copy-id {destination}`"),
    ("Too many authentication failures", NotPermittedError, "it does not let us in: {line}",
     "name the key for this host in ssh's configuration (IdentityFile, IdentitiesOnly yes)"),
    ("Connection refused", UnreachableError, "{line}", _REFUSED),
    ("timed out", UnreachableError, "{line}", "see that it runs, and that no firewall is in between"),
    ("No route to host", UnreachableError, "{line}", "see that it runs, and that there is a route to it"),
    ("Network is unreachable", UnreachableError, "{line}", "see that there is a route to it"),
    ("Could not resolve hostname", UnreachableError, "{line}", "see that the name is right"),
)  # fmt: skip
"""What ssh says, the error that it becomes, its words and its remedy. The first that fits is taken."""


def not_startable(program: str, why: str) -> L2tpError:
    """The error when ssh itself can't be run here."""
    remedy = "install openssh-client, or name another ssh in L2TPV3_SSH"
    return UnavailableError("--host", f"can't run {program!r}: {why}", remedy)


def unanswered(target: Target, status: int, said: Sequence[str]) -> L2tpError:
    """The error when l2tpctl never answered at the far end. status: ssh's exit status. said: lines of its stderr."""
    lines = [line.strip() for line in said if line.strip()]
    last = lines[-1][:SAID_MAX] if lines else f"ssh ended with status {status}, and said nothing"
    if target.here:
        return UnavailableError(_HERE, f"can't be started: {last}", "`l2tpctl --version` should print a version")
    if status == _SSH_FAILED:
        return _ssh_failed(target, lines, last)
    return _not_run(target, status, "\n".join(lines), last)


def _ssh_failed(target: Target, lines: Sequence[str], last: str) -> L2tpError:
    """The error when ssh itself says that it failed."""
    about = f"--host {target.url}"
    for sign, kind, problem, remedy in _OF_SSH:
        line = next((one for one in lines if sign in one), None)
        if line is not None:
            names = {"destination": target.destination, "known_as": target.known_as}
            return kind(about, problem.format(line=line[:SAID_MAX]), remedy.format(**names))
    return UnreachableError(about, f"ssh failed: {last}", f"`ssh -v {target.destination}` says more")


def _not_run(target: Target, status: int, text: str, last: str) -> L2tpError:
    """The error when the far end's shell or sudo runs no l2tpctl that answers. text: all that it said."""
    about, program = f"--host {target.url}", target.program
    if "sudo: a password is required" in text or "sudo: a terminal is required" in text or "sudo: sorry" in text:
        return NotPermittedError(about, f"sudo there refuses: {last}", f"allow {program} in sudoers with NOPASSWD:")
    if "no such command" in text:
        return UnavailableError(about, f"{program} there is too old for it", f"install version {VERSION} there")
    if status in (_NOT_FOUND, _NOT_EXECUTABLE) or "command not found" in text:
        remedy = f"install l2tpv3 there, or say where it is: {target.url.partition('?')[0]}?program=/PATH/l2tpctl"
        return UnavailableError(about, f"{program} can't be run there: {last}", remedy)
    remedy = f"try `ssh {target.destination} {program}`"
    return UnavailableError(about, f"there is no l2tpctl that answers: {last}", remedy)


def other_protocol(target: Target, said: str) -> L2tpError:
    """The error when l2tpctl at the far end is of a version that this one can't talk to. said: its first line."""
    problem = f"l2tpctl there is of another version ({said[:SAID_MAX]})"
    return UnavailableError(f"--host {target.url}", problem, f"install the same one at both ends; this is {VERSION}")


def broken_off(target: Target) -> L2tpError:
    """The error when ssh, or l2tpctl on this host, ended in the midst of a command."""
    if target.here:
        return UnreachableError(_HERE, "was ended from outside before it was done", "`l2tpctl log` tells what it did")
    remedy = "if a change was asked for, look at what became of it: `l2tpctl log` there"
    return UnreachableError(f"--host {target.url}", "the connection broke off", remedy)
