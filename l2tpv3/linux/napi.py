"""Have a netdev's NAPI run in a kernel thread of its own, which merges what was written in the meantime (Linux 5.12).

Only sysfs offers that for a TAP, and the /sys at hand often is another network namespace's: then one of the right
namespace is mounted, nowhere, for a moment. Where neither is permitted (a container, a unit with a read-only /sys and
no CAP_SYS_ADMIN) nothing is changed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from l2tpv3.linux.libc import checked, libc

_FSOPEN, _FSCONFIG, _FSMOUNT = 430, 431, 432  # the same number on every architecture, from Linux 5.2 on
_SIOCGIFHWADDR = 0x8927  # which a TAP's file answers, too (drivers/net/tun.c)
_RECENT: Final = 64
"""How many processes may have been made since, while it is looked for."""
_NICE: Final = 3
_CLOEXEC, _FSCONFIG_CMD_CREATE = 1, 6  # linux/mount.h


def make_threaded(tun: int, ifname: str) -> bool:
    """Whether the NAPI of a TAP in the calling thread's network namespace runs in a thread from now on.

    tun: a file that is attached to it.
    """
    try:
        with _sysfs(tun, ifname) as folder:
            file = os.open(f"class/net/{ifname}/threaded", os.O_RDWR | os.O_CLOEXEC, dir_fd=folder)
            try:
                os.write(file, b"1")
                if os.pread(file, 8, 0).strip() != b"1":
                    return False
            finally:
                os.close(file)
    except OSError:
        return False
    _let_gather(ifname)
    return True


def _let_gather(ifname: str) -> None:
    """Have that thread run a little later than it could: what is written until then is merged, and wakes it once.

    At its usual priority it takes the CPU from the worker at every few frames (a sixth of a TCP stream's rate); at a
    higher one, half of it. Where its process can't be seen or touched, so it stays.
    """
    with contextlib.suppress(OSError, ValueError):
        last = int(Path("/proc/loadavg").read_text("ascii").split()[-1])
        for pid in range(last, max(0, last - _RECENT), -1):  # it has just been made
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text("utf-8").startswith(f"napi/{ifname}-"):
                    os.sched_setscheduler(pid, os.SCHED_BATCH, os.sched_param(0))
                    os.setpriority(os.PRIO_PROCESS, pid, _NICE)
                    return


@contextlib.contextmanager
def _sysfs(tun: int, ifname: str) -> Iterator[int]:
    """A /sys of the calling thread's network namespace. Raises OSError."""
    folder = os.open("/sys", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _is_ours(folder, tun, ifname):
            os.close(folder)
            folder = -1
            folder = _mount()
        yield folder
    finally:
        if folder >= 0:
            os.close(folder)


def _is_ours(folder: int, tun: int, ifname: str) -> bool:
    """Whether this /sys shows that netdev, not one of the same name in another namespace: MAC addresses tell them
    apart.
    """
    try:
        file = os.open(f"class/net/{ifname}/address", os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        seen = os.read(file, 64).strip()
    finally:
        os.close(file)
    return seen == fcntl.ioctl(tun, _SIOCGIFHWADDR, bytes(40))[18:24].hex(":").encode()


def _mount() -> int:
    """A sysfs that is mounted nowhere: the file of its root. Raises OSError."""

    def call(number: int, *arguments: object) -> int:
        return checked(libc.syscall(ctypes.c_long(number), *arguments))

    context = call(_FSOPEN, b"sysfs", ctypes.c_ulong(_CLOEXEC))
    try:
        call(_FSCONFIG, ctypes.c_int(context), ctypes.c_ulong(_FSCONFIG_CMD_CREATE), None, None, ctypes.c_int(0))
        return call(_FSMOUNT, ctypes.c_int(context), ctypes.c_ulong(_CLOEXEC), ctypes.c_ulong(0))
    finally:
        os.close(context)
