"""Leave the worker only the system calls that moving frames needs: a seccomp filter (seccomp(2)).

Everything else answers ENOSYS, execve, open, socket, connect, ptrace and kill among it; so a hole in what parses the
network reaches nothing but the files that the worker was handed. Where the architecture is not known here or the
kernel has no seccomp, the worker does without: the dropped privileges do not depend on it.
"""

from __future__ import annotations

import ctypes
import errno
import platform
from typing import Final

from l2tpv3.linux.bpf.classic import Program, SockFprog
from l2tpv3.linux.libc import libc
from l2tpv3.linux.tap import TUNGETIFF, TUNSETCARRIER, TUNSETPERSIST

_FIONBIO = 0x5421

# name: (x86_64, aarch64); None: the architecture has no such call
_ALLOWED: Final[dict[str, tuple[int | None, int]]] = {
    "read": (0, 63),
    "readv": (19, 65),
    "write": (1, 64),
    "writev": (20, 66),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "recvmmsg": (299, 243),
    "sendmmsg": (307, 269),
    "epoll_wait": (232, None),  # type: ignore[dict-item]
    "epoll_pwait": (281, 22),
    "epoll_ctl": (233, 21),
    "poll": (7, None),  # type: ignore[dict-item]
    "ppoll": (271, 73),
    "accept4": (288, 242),
    "accept": (43, 202),
    "listen": (50, 201),
    "shutdown": (48, 210),
    "getsockopt": (55, 209),
    "setsockopt": (54, 208),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "close": (3, 57),
    "fcntl": (72, 25),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "dup": (32, 23),
    "mmap": (9, 222),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    "brk": (12, 214),
    "futex": (202, 98),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "getpid": (39, 172),
    "gettid": (186, 178),
    "getrandom": (318, 278),
    "sched_yield": (24, 124),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
_IOCTL: Final = (16, 29)
_IOCTLS_ALLOWED: Final = (TUNGETIFF, TUNSETPERSIST, TUNSETCARRIER, _FIONBIO)
_MACHINES: Final = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}  # column, AUDIT_ARCH_*, seccomp(2)

_SECCOMP_SET_MODE_FILTER, _FLAG_SPEC_ALLOW = 1, 4
_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCH, _COMMAND = 0, 4, 24
"""Places in struct seccomp_data: nr, arch, and the low half of the second argument, which is an ioctl's command."""


def program(machine: str) -> bytes | None:
    """The filter for an architecture as `platform.machine()` names it: struct sock_filter by struct sock_filter.

    None when this file does not know that architecture's numbers.
    """
    if machine not in _MACHINES:
        return None
    column, audit_arch, _ = _MACHINES[machine]
    numbers = [number for both in _ALLOWED.values() if (number := both[column]) is not None]
    filter_ = Program()
    filter_.load(4, _ARCH)  # numbers mean other things to a 32-bit caller
    filter_.jump("==", audit_arch, then="native")
    filter_.give(_KILL_PROCESS)
    filter_.label("native")
    filter_.load(4, _NUMBER)
    for number in numbers:
        filter_.jump("==", number, then="allow")
    filter_.jump("==", _IOCTL[column], then="ioctl")
    filter_.give(_ERRNO | errno.ENOSYS)
    filter_.label("ioctl")
    filter_.load(4, _COMMAND)
    for command in _IOCTLS_ALLOWED:
        filter_.jump("==", command, then="allow")
    filter_.give(_ERRNO | errno.EPERM)
    filter_.label("allow")
    filter_.give(_ALLOW)
    return filter_.assemble()


def confine() -> bool:
    """Install the filter for this process (one thread, no_new_privs set). False: it can't be had here."""
    machine = platform.machine()
    code = program(machine)
    if code is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    filled = SockFprog(code)
    number = ctypes.c_long(_MACHINES[machine][2])
    # SPEC_ALLOW: else kernels before 5.16 switch speculative store bypass off for this process, which slows it down.
    flags = ctypes.c_ulong(_FLAG_SPEC_ALLOW)
    if libc.syscall(number, ctypes.c_ulong(_SECCOMP_SET_MODE_FILTER), flags, ctypes.byref(filled)) == 0:
        return True
    mode = ctypes.c_ulong(_MODE_FILTER)
    return bool(libc.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(filled), ctypes.c_ulong(0), ctypes.c_ulong(0)) == 0)
