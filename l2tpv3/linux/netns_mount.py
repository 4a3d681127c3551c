"""Give a new network namespace a name, and take it away again, as `ip netns add` and `ip netns del` do (ip-netns(8)).

The name is a mount under /run/netns, and has to be made where all see it. Where mounts are seen inside alone (`ip netns
exec`, the sandbox of a unit), it is made in the mount namespace that ours gets its mounts from.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from l2tpv3.errors import UnavailableError, from_errno
from l2tpv3.linux.capabilities import remedy
from l2tpv3.linux.libc import checked, libc
from l2tpv3.linux.netns import NETNS_DIR, aside, is_named

_MS_BIND, _MS_REC, _MS_SHARED, _MNT_DETACH = 0x1000, 0x4000, 0x100000, 2  # linux/mount.h
_CLONE_FS, _CLONE_NEWNS = 0x200, 0x20000  # linux/sched.h


def make_netns(netns: str, furnish: Callable[[], None]) -> None:
    """Make a namespace of that name. furnish: called inside, before it has the name.

    Raises UnavailableError where nobody else would see it, NotPermittedError, RefusedError; what `furnish` raises.
    """

    def make() -> None:
        with aside():
            furnish()
            space = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _share_directory()
            os.close(os.open(_path(netns), os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o000))  # one killed here leaves it
            _mount(f"/proc/self/fd/{space}", _path(netns), _MS_BIND)
        finally:
            os.close(space)

    _where_all_see_it(netns, make)
    if not is_named(netns):
        raise _unseen(netns)


def unname_netns(netns: str) -> None:
    """Take the name away: it is gone once nobody is in it. Nothing happens when there is none.

    Raises UnavailableError, NotPermittedError, RefusedError.
    """

    def unname() -> None:
        with contextlib.suppress(OSError):
            _call("umount2", _path(netns).encode(), _MNT_DETACH)
        Path(_path(netns)).unlink(missing_ok=True)

    _where_all_see_it(netns, unname)


def _path(netns: str) -> str:
    return f"{NETNS_DIR}/{netns}"


def _unseen(netns: str) -> UnavailableError:
    problem = "it can't be made or removed from in here: nobody else would see that"
    return UnavailableError(f"network namespace {netns}", problem, f"outside: `ip netns add {netns}`, or `del`")


def _where_all_see_it(netns: str, do: Callable[[], None]) -> None:
    """Do it in a thread of its own, which may never come back from another mount namespace."""
    from concurrent.futures import ThreadPoolExecutor

    def work() -> None:
        with _outer_mounts(netns):
            do()

    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()
    except OSError as error:
        raise from_errno(
            f"network namespace {netns}", "make or remove it", error.errno or 0, remedy("CAP_SYS_ADMIN")
        ) from error


@contextlib.contextmanager
def _outer_mounts(netns: str) -> Iterator[None]:
    group = _propagation("self").get("master")
    if group is not None:
        place = next((pid for pid in _processes() if _propagation(pid).get("shared") == group), None)
        if place is None:
            raise _unseen(netns)
        try:
            mounts = os.open(f"/proc/{place}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            try:
                _call("unshare", _CLONE_FS)
                _call("setns", mounts, _CLONE_NEWNS)
            finally:
                os.close(mounts)
        except PermissionError as error:
            raise _unseen(netns) from error
    yield


def _processes() -> Iterator[str]:
    """The process ids, in order of number, but first those of our ancestors."""
    pid = os.getppid()
    while pid > 1:
        yield str(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    yield from (path.name for path in Path("/proc").iterdir() if path.name.isdigit())


def _propagation(process: str) -> dict[str, str]:
    """What mount groups a process's /run/netns is in, or what that lies on (proc(5), mountinfo): `shared` with those
    that see what is mounted there, `master` whose mounts are seen there. {}: none, or the process is gone."""
    found: dict[str, str] = {}
    longest = -1
    try:
        lines = Path(f"/proc/{process}/mountinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return {}
    for line in lines:
        words, _, _ = line.partition(" - ")
        fields = words.split()
        point = fields[4].rstrip("/")
        if len(point) >= longest and f"{NETNS_DIR}/".startswith(f"{point}/"):  # of two at one place the later one
            longest = len(point)
            found = dict(one.split(":", 1) for one in fields[6:] if ":" in one)
    return found


def _share_directory() -> None:
    """Make /run/netns what `ip netns` makes it: a mount whose mounts are seen in every mount namespace."""
    Path(NETNS_DIR).mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        _mount("", NETNS_DIR, _MS_SHARED | _MS_REC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _mount(NETNS_DIR, NETNS_DIR, _MS_BIND | _MS_REC)
        _mount("", NETNS_DIR, _MS_SHARED | _MS_REC)


def _mount(source: str, target: str, flags: int) -> None:
    _call("mount", source.encode(), target.encode(), b"none", ctypes.c_ulong(flags), None)


def _call(name: str, *arguments: object) -> None:
    checked(getattr(libc, name)(*arguments))
