"""Give up every privilege, for good: user, groups, capabilities, new ones by exec, core dumps, new processes.

capabilities(7), credentials(7), prctl(2). ctypes on libc, for what Python's os module lacks.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
from typing import Final

from l2tpv3.linux.libc import libc

_PR_SET_DUMPABLE, _PR_SET_NAME, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 4, 15, 24, 38, 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAP_SETGID, _CAP_SETUID = 6, 7
_CAPABILITY_VERSION_3 = 0x20080522
_SYS_CAPGET: Final = {"x86_64": 125, "aarch64": 90}
_SYS_CAPSET: Final = {"x86_64": 126, "aarch64": 91}

USERS: Final = ("l2tpv3", "nobody")
"""Whom the worker becomes: the first that exists. Packagers create `l2tpv3`, so that nothing else runs as it."""

FILES_MAX: Final = 65536
"""Open files that a worker may have: one for each session, tunnel and control connection."""
LOG_MAX: Final = 64 * 1024
"""Bytes of a worker's log at most: it is in memory (/run), and a worker that was taken over can still write to it."""


def set_process_name(name: str) -> None:
    """Set the name that `ps -o comm` and top show (prctl PR_SET_NAME); 15 bytes at most."""
    libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def find_user() -> tuple[int, int]:
    """User and group ids of the first of USERS that exists; the usual ids of nobody when there is no such record."""
    import pwd

    for name in USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return entry.pw_uid, entry.pw_gid
    return 65534, 65534


def limit() -> int:
    """No core dump (it would hold cookies), no child processes, a short log; enough open files. Before `drop`.

    Gives how many open files it may have. Writing beyond the log's end fails with EFBIG, since Python ignores SIGXFSZ.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LOG_MAX, LOG_MAX))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for wanted in (FILES_MAX, hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            break
        except (OSError, ValueError):
            continue  # without CAP_SYS_RESOURCE the hard limit is what there is
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def be_patient() -> None:
    """Be run in longer stretches (SCHED_BATCH): a process that wakes another for each frame moves few of them."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def drop(uid: int, gid: int) -> bool:
    """Become `uid` and `gid` with no other group, no capability in any set, and no way to get one.

    Without the capabilities that this takes (CAP_SETUID and CAP_SETGID, which our systemd units leave out), or in a
    user namespace (a rootless container) that has no such user or does not permit setgroups(2), the user
    stays, all else is dropped just the same, and what is given is False: root without a capability is still the owner
    of root's files, so something else has to keep those away. Raises OSError (also when something is left): the
    caller must end then.
    """
    may_change = all(_effective_capabilities() >> bit & 1 for bit in (_CAP_SETUID, _CAP_SETGID)) and _is_mapped(
        uid, gid
    )
    _drop_bounding_set()
    if may_change:
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _clear_ambient()
    _set_no_capabilities()
    _prctl(_PR_SET_DUMPABLE, 0)
    changed = os.getresuid() == (uid, uid, uid) and os.getresgid() == (gid, gid, gid) and not os.getgroups()
    if may_change and not changed:
        raise OSError(errno.EPERM, "could not leave root")
    if _any_capability():
        raise OSError(errno.EPERM, "capabilities are left")
    return changed


def _is_mapped(uid: int, gid: int) -> bool:
    """Whether this user namespace has that user and group, and lets groups be dropped (user_namespaces(7))."""
    try:
        with open("/proc/self/setgroups", encoding="ascii") as file:  # noqa: PTH123 - a worker does without pathlib
            if file.read().strip() == "deny":
                return False
        return _is_in("/proc/self/uid_map", uid) and _is_in("/proc/self/gid_map", gid)
    except OSError:
        return True  # a kernel without user namespaces


def _is_in(name: str, number: int) -> bool:
    with open(name, encoding="ascii") as file:  # noqa: PTH123
        lines = [[int(word) for word in line.split()] for line in file]
    return any(first <= number < first + count for first, _, count in lines)


def _prctl(option: int, *arguments: int) -> None:
    filled = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *filled):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _drop_bounding_set() -> None:
    """Without CAP_SETPCAP (some containers) it stays; no_new_privs makes it moot."""
    for capability in range(64):
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.EPERM):
                return  # the last one is behind us; or not permitted
            raise


def _clear_ambient() -> None:
    try:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a kernel before 4.3 has no such set
            raise


def _capabilities(call: str, numbers: dict[str, int], data: ctypes.Array[ctypes.c_uint32]) -> None:
    """capget or capset on all three sets of this thread; by number where libc (musl) has no such function."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    function = getattr(libc, call, None)
    if function is not None:
        result = function(header, data)
    elif platform.machine() in numbers:
        result = libc.syscall(ctypes.c_long(numbers[platform.machine()]), header, data)
    else:
        raise OSError(errno.ENOSYS, f"{call} is not available here")
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _set_no_capabilities() -> None:
    _capabilities("capset", _SYS_CAPSET, (ctypes.c_uint32 * 6)())


def _any_capability() -> bool:
    return any(_capability_sets())


def _effective_capabilities() -> int:
    held = _capability_sets()
    return held[0] | held[3] << 32


def _capability_sets() -> list[int]:
    """struct __user_cap_data_struct twice: effective, permitted, inheritable, of capabilities 0 to 31 and 32 to 63."""
    data = (ctypes.c_uint32 * 6)()
    _capabilities("capget", _SYS_CAPGET, data)
    return list(data)
