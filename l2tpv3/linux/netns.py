"""Network namespaces: enter one for the length of a `with` block; names are those of `ip netns`."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from l2tpv3.errors import MissingError, from_errno
from l2tpv3.linux.capabilities import remedy

NETNS_DIR = "/run/netns"
"""The folder in which `ip netns` gives namespaces names (iproute2 ip-netns(8))."""

_CLONE_NEWNET = 0x4000_0000


def netns_path(netns: str) -> str:
    """The file of a namespace: a name under /run/netns, or a path as it is; of what stands in for it, see StandIns."""
    if netns.startswith("/"):
        return netns
    stand_ins = _stand_ins.get()
    if stand_ins is not None and (place := stand_ins.place(netns)) is not None:
        return place
    return f"{NETNS_DIR}/{netns}"


def is_named(netns: str) -> bool:
    """Whether `ip netns` has a namespace of that name; a file on which one was going to be mounted is none."""
    try:
        return Path(f"{NETNS_DIR}/{netns}").stat().st_dev == Path("/proc/thread-self/ns/net").stat().st_dev
    except OSError:
        return False


def require_netns(netns: str | None) -> None:
    """Raise MissingError when it is not there, whatever stands in for it."""
    if netns is not None and not netns.startswith("/") and not is_named(netns):
        raise _no_netns(netns, errno.ENOENT)


class StandIns:
    """Empty namespaces in place of those that are not there yet: nobody else sees them, and they are gone at the end.

    So what is going to be made in a namespace that is going to be made, too, can be looked into beforehand.
    """

    def __init__(self, for_which: Callable[[str], bool]) -> None:
        self._for_which = for_which
        self._files: dict[str, int] = {}

    def place(self, netns: str) -> str | None:
        """A path to what stands in for a name; None where the real one is there, or has to be.

        Raises NotPermittedError where none can be made.
        """
        if netns not in self._files:
            if is_named(netns) or not self._for_which(netns):
                return None
            with aside():
                self._files[netns] = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._files[netns]}"

    def close(self) -> None:
        """Close the namespaces."""
        while self._files:
            os.close(self._files.popitem()[1])


_stand_ins: ContextVar[StandIns | None] = ContextVar("stand_ins", default=None)


@contextlib.contextmanager
def standing_in(for_which: Callable[[str], bool]) -> Iterator[None]:
    """Have StandIns, in this thread and until the end of the `with` block, for the names that `for_which` accepts."""
    stand_ins = StandIns(for_which)
    token = _stand_ins.set(stand_ins)
    try:
        yield
    finally:
        _stand_ins.reset(token)
        stand_ins.close()


def open_netns(netns: str) -> int:
    """An open file descriptor of the namespace; the caller closes it. Raises MissingError, NotPermittedError."""
    subject = f"network namespace {netns}"
    try:
        # Looked at before it is opened for real: a path may name a pipe, which would block, or a device (watchdog).
        place = os.open(netns_path(netns), os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(place).st_mode):
                raise OSError(errno.EINVAL, "no namespace")
            return os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(place)
    except FileNotFoundError as error:
        raise _no_netns(netns, error.errno) from error
    except OSError as error:
        raise from_errno(subject, "open it", error.errno or 0) from error


def _no_netns(netns: str, number: int | None) -> MissingError:
    problem = "can't open it: No such file or directory (ENOENT)"
    return MissingError(f"network namespace {netns}", problem, f"`ip netns add {netns}` makes it", errno=number)


def same_netns(one: str | None, other: str | None) -> bool:
    """Whether two names mean one namespace; None is the caller's own. One that does not exist is only itself."""
    if one == other:
        return True
    identity = netns_identity(one)
    return identity is not None and identity == netns_identity(other)


def netns_identity(netns: str | None) -> tuple[int, int] | None:
    """The device and inode of a namespace, by which two names of one are known; None when there is no such."""
    try:
        status = Path("/proc/thread-self/ns/net" if netns is None else netns_path(netns)).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def netns_names() -> list[str]:
    """The names that `ip netns` has, sorted; none where its directory can't be read."""
    try:
        return sorted(path.name for path in Path(NETNS_DIR).iterdir())
    except OSError:
        return []


def own_netns() -> str | None:
    """The name under which `ip netns` has this process's namespace; None where it has none, or it is the machine's."""
    names = netns_names()
    own = netns_identity(None)
    if own is None or own == netns_identity("/proc/1/ns/net"):
        return None
    return next((name for name in names if netns_identity(name) == own), None)


@contextlib.contextmanager
def inside(netns: str | None) -> Iterator[None]:
    """The calling thread is in `netns` for the block, then back; None: nothing happens.

    Sockets and /dev/net/tun files opened in the block stay in that namespace. Raises NotFoundError,
    NotPermittedError.
    """
    if netns is None:
        yield
        return
    home = _own()
    try:
        target = open_netns(netns)
        try:
            _setns(target, netns)
        finally:
            os.close(target)
        try:
            yield
        finally:
            _setns(home, "the one before")
    finally:
        os.close(home)


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """The calling thread is in a new namespace for the block, which is gone afterwards. Raises NotPermittedError."""
    subject = "network namespace"
    home = _own()
    try:
        try:
            _libc("unshare", _CLONE_NEWNET)
        except OSError as error:
            raise from_errno(subject, "make one", error.errno or 0, remedy("CAP_SYS_ADMIN")) from error
        try:
            yield
        finally:
            _setns(home, "the one before")
    finally:
        os.close(home)


def _own() -> int:
    """An open file descriptor of the calling thread's namespace; the caller closes it. Raises RefusedError."""
    try:
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise from_errno("network namespace", "open this thread's own", error.errno or 0) from error


def _setns(target: int, netns: str) -> None:
    try:
        _libc("setns", target, _CLONE_NEWNET)
    except OSError as error:
        if error.errno == errno.EINVAL:
            # `ip netns add` makes the file, and then mounts the namespace on it; `ip netns del` the other way round.
            problem = "it is only a file (EINVAL): being made, or not quite gone"
            raise MissingError(f"network namespace {netns}", problem, errno=error.errno) from error
        advice = remedy("CAP_SYS_ADMIN") if error.errno == errno.EPERM else ""
        raise from_errno(f"network namespace {netns}", "enter it", error.errno or 0, advice) from error


def _libc(name: str, *arguments: int) -> None:
    if hasattr(os, name):  # Python 3.12
        getattr(os, name)(*arguments)
        return
    from l2tpv3.linux.libc import checked, libc

    checked(getattr(libc, name)(*arguments))
