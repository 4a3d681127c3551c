"""The one error tree. Every error says which object, what is wrong with which value, and what to do, in one line.

    L2tpError                   slug               exit  HTTP  retryable
    ├── InvalidValueError       invalid-value      1     422   no     a value that can't be meant
    ├── RefusedError            refused            2     502   no     the kernel or a worker said no
    │   ├── NoRouteError        no-route           2     503   yes    no route to the peer
    │   ├── NoAddressError      no-address         2     503   yes    the local address is not on this host
    │   ├── UnavailableError    unavailable        2     501   no     a datapath or feature does not work here
    │   ├── WorkerError         worker-failed      2     502   yes    a user-datapath worker died or did not answer
    │   ├── BusyError           busy               2     503   yes    it did not come true in time
    │   │   └── LockedError     busy               2     503   yes    another change holds the lock
    │   └── UnreachableError    unreachable        2     503   yes    another host's service does not answer
    ├── NotFoundError           not-found          3     404   no
    │   └── MissingError        not-found          3     404   yes    something of this host that may come yet
    ├── ConflictError           conflict           4     409   no     exists already, or taken by something else
    │   ├── ExistsError         exists             4     409   no
    │   ├── ForeignError        foreign            4     409   no     something else made it; it is never changed
    │   └── PreconditionError   precondition-failed 4    412   no     it is not any more what the caller had seen
    └── NotPermittedError       not-permitted      5     403   no
        └── UnauthenticatedError  unauthenticated  5     401   no     the service does not know who asks

Exit codes are `l2tpctl`'s. `errno` holds the kernel's error number where one was the cause, and `__cause__` the
exception that carried it.
"""

from __future__ import annotations

import contextlib
import errno as _errno
import os
from collections.abc import Iterator
from typing import ClassVar

from l2tpv3.printable import printable


class L2tpError(Exception):
    """Base of all: `subject: problem; remedy` on one line; what does not print in these is escaped.

    subject: the object, as the user names it ("tunnel siteb", "--mtu").
    problem: what is wrong, with the value. remedy: what to do; empty when there is nothing to advise.
    has_place: whether each line of the text begins with FILE:LINE, as editors expect.
    session: the tunnel and session that it is about, as far as that is known; see about_session.
    """

    slug: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 2
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    has_place: bool = False

    def __init__(self, subject: str, problem: str, remedy: str = "", *, errno: int | None = None) -> None:
        self.subject, self.problem, self.remedy = (_one_line(text) for text in (subject, problem, remedy))
        self.errno = errno
        self.session: tuple[str, str] | None = None
        super().__init__(subject, problem, remedy)

    def __str__(self) -> str:
        return f"{self.subject}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")


def _one_line(text: str) -> str:
    """Names of netdevs, and what workers and other hosts say, come in here: none of it may move the cursor."""
    return printable(" ".join(text.split()))


class InvalidValueError(L2tpError):
    """A value that can't be meant: out of range, malformed, contradicting another.

    field: the word (of l2tpv3/model/fields.py) whose value was wrong; "" where it is no word's, or not known.
    """

    slug, exit_code, http_status = "invalid-value", 1, 422

    def __init__(
        self, subject: str, problem: str, remedy: str = "", *, errno: int | None = None, field: str = ""
    ) -> None:
        super().__init__(subject, problem, remedy, errno=errno)
        self.field = field


class RefusedError(L2tpError):
    """The kernel or a worker refused a request that looked valid."""

    slug, exit_code, http_status = "refused", 2, 502


class NoRouteError(RefusedError):
    """There is no route to the peer (ENETUNREACH, EHOSTUNREACH)."""

    slug, http_status, retryable = "no-route", 503, True


class NoAddressError(RefusedError):
    """The local address is not configured on this host (EADDRNOTAVAIL)."""

    slug, http_status, retryable = "no-address", 503, True


class UnavailableError(RefusedError):
    """A datapath, kernel module or feature is missing on this host."""

    slug, http_status = "unavailable", 501


class WorkerError(RefusedError):
    """A worker of the user datapath died, or did not answer in time, or not as agreed. pid: its own; 0: unknown."""

    slug, retryable = "worker-failed", True

    def __init__(self, subject: str, problem: str, remedy: str = "", *, errno: int | None = None, pid: int = 0) -> None:
        super().__init__(subject, problem, remedy, errno=errno)
        self.pid = pid


class BusyError(RefusedError):
    """The kernel accepted the request but it did not come true in time (tunnel delete is asynchronous)."""

    slug, http_status, retryable = "busy", 503, True


class LockedError(BusyError):
    """Another process holds a lock that a change needs. Nothing was touched, and trying another tunnel is no help."""

    slug = "locked"


class UnreachableError(RefusedError):
    """Another host's service can't be reached, is not trusted, or went away before it answered."""

    slug, http_status, retryable = "unreachable", 503, True


class NotFoundError(L2tpError):
    """No such tunnel, session, netdev or network namespace."""

    slug, exit_code, http_status = "not-found", 3, 404


class MissingError(NotFoundError):
    """A network namespace, a bridge or a netdev of this host, which a tunnel needs, is not there (yet)."""

    retryable = True


class ConflictError(L2tpError):
    """Something that exists is in the way: an id, a port, a netdev name."""

    slug, exit_code, http_status = "conflict", 4, 409


class ExistsError(ConflictError):
    """The object to be added is there already."""

    slug = "exists"


class ForeignError(ConflictError):
    """The object was made by something else, and is therefore never changed."""

    slug = "foreign"


class PreconditionError(ConflictError):
    """The state is not the one that the caller named as its condition: someone else has changed it since."""

    slug, http_status = "precondition-failed", 412


class NotPermittedError(L2tpError):
    """The caller lacks the privilege (EPERM, EACCES)."""

    slug, exit_code, http_status = "not-permitted", 5, 403


class UnauthenticatedError(NotPermittedError):
    """The service does not know who asks: no token, one that is wrong, revoked or expired."""

    slug, http_status = "unauthenticated", 401


@contextlib.contextmanager
def about_session(tunnel: str, name: str) -> Iterator[None]:
    """Have errors about a session, which lower rooms know by its own name alone, name its tunnel as well.

    `session NAME` and `session NAME: --option` become `session TUNNEL/NAME`; other subjects stay.
    """
    try:
        yield
    except L2tpError as error:
        error.session = tunnel, name
        bare = f"session {name}"
        if error.subject == bare or error.subject.startswith(f"{bare}:"):
            error.subject = f"session {tunnel}/{name}{error.subject[len(bare) :]}"
        raise


_BY_ERRNO: dict[int, tuple[type[L2tpError], str]] = {
    _errno.EPERM: (NotPermittedError, "run as root, or with CAP_NET_ADMIN"),
    _errno.EACCES: (NotPermittedError, "run as root, or with CAP_NET_ADMIN"),
    _errno.ENETUNREACH: (NoRouteError, "add a route to the peer first (`ip route get PEER` shows what is missing)"),
    _errno.EHOSTUNREACH: (NoRouteError, "add a route to the peer first (`ip route get PEER` shows what is missing)"),
    _errno.EADDRNOTAVAIL: (NoAddressError, "give an address that `ip addr` shows on this host, or leave --local out"),
    _errno.EADDRINUSE: (ConflictError, "another program or tunnel has this port: give another --local-port"),
    _errno.EEXIST: (ExistsError, "give another one, or delete what is there first"),
    _errno.ENODEV: (NotFoundError, ""),
    _errno.ESRCH: (NotFoundError, ""),
    _errno.ENXIO: (NotFoundError, ""),
    _errno.ENOENT: (NotFoundError, ""),
}


def from_errno(subject: str, doing: str, number: int, remedy: str = "") -> L2tpError:
    """The error for a system call or netlink request about `subject` that failed with errno `number`.

    doing: what was tried ("bind 192.0.2.1 port 1701"). remedy: replaces the general advice for that errno.
    Use as `raise from_errno(...) from exc`.
    """
    kind, advice = _BY_ERRNO.get(number, (RefusedError, ""))
    name = _errno.errorcode.get(number, str(number))
    return kind(subject, f"can't {doing}: {os.strerror(number)} ({name})", remedy or advice, errno=number)


_FULL = "free space and try again"
_FILE_ERRORS: dict[int, tuple[str, str]] = {
    _errno.ENOSPC: ("the disk is full", _FULL),
    _errno.EDQUOT: ("the disk quota is used up", _FULL),
    _errno.EROFS: ("its file system is read-only", "mount it read-write"),
    _errno.EIO: ("the disk fails to read or write", "`dmesg` says more"),
    _errno.EMFILE: ("this process has too many files open", "raise its limit (`ulimit -n`)"),
    _errno.ENFILE: ("this machine has too many files open", "close some, or raise fs.file-max"),
}


def file_error(
    path: os.PathLike[str], doing: str, error: OSError, so_far: str = "", *, elsewhere: str = ""
) -> L2tpError:
    """The error for a file or directory of this host that can't be used, with a remedy for that errno.

    doing: what was tried ("write the record"). so_far: what is true of the change as a whole ("nothing was changed").
    elsewhere: how to use another place instead ("set L2TPV3_STATE_DIR"). Use as `raise file_error(...) from exc`.
    """
    number = error.errno or 0
    general = from_errno("", "", number)
    words, remedy = _FILE_ERRORS.get(number, ("", ""))
    if number in (_errno.EACCES, _errno.EPERM):
        remedy = "run as root" if os.geteuid() else "look at its owner, mode and attributes (`ls -ld`, `lsattr -d`)"
    name = _errno.errorcode.get(number, str(number))
    problem = f"can't {doing}: {words or os.strerror(number)} ({name})" + (f", {so_far}" if so_far else "")
    remedy = ", or ".join(part for part in (remedy, elsewhere) if part)
    return type(general)(os.fspath(path), problem, remedy, errno=number)
