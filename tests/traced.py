"""Runs a function in a forked child and stops it at each system call, by ptrace(2): to kill it, or to fail the call.

No program has to start for that, so a test can afford to try hundreds of points. What the child starts (a worker) is
not traced. x86-64 Linux.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import struct
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

_NAMES: Final = {
    0: "read", 1: "write", 2: "open", 3: "close", 16: "ioctl", 18: "pwrite64", 20: "writev", 41: "socket",
    42: "connect", 44: "sendto", 45: "recvfrom", 46: "sendmsg", 47: "recvmsg", 49: "bind", 50: "listen",
    54: "setsockopt", 56: "clone", 57: "fork", 58: "vfork", 72: "fcntl", 73: "flock", 74: "fsync", 75: "fdatasync",
    76: "truncate", 77: "ftruncate", 82: "rename", 83: "mkdir", 87: "unlink", 90: "chmod", 91: "fchmod", 257: "openat",
    258: "mkdirat", 263: "unlinkat", 264: "renameat", 288: "accept4", 308: "setns", 316: "renameat2", 321: "bpf",
    435: "clone3",
}  # fmt: skip
"""asm/unistd_64.h"""

_TRACEME, _POKEUSER, _SYSCALL, _SETOPTIONS, _GET_SYSCALL_INFO = 0, 6, 24, 0x4200, 0x420E
_TRACESYSGOOD, _EXITKILL = 1, 0x100000
_ENTRY, _EXIT = 1, 2
_RAX, _ORIG_RAX = 10 * 8, 15 * 8  # struct user_regs_struct
_info = struct.Struct("=B3xIQQ")
_entry = struct.Struct("=7Q")
_exit = struct.Struct("=q")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Call(NamedTuple):
    """A system call that is about to be made: its name ("" for the many that are of no interest), its arguments."""

    name: str
    arguments: tuple[int, ...]


@dataclass(frozen=True)
class Kill:
    """SIGKILL, before the call is made."""


@dataclass(frozen=True)
class Fail:
    """The call is not made, and fails with that errno."""

    errno: int


@dataclass(frozen=True)
class Spoil:
    """What the call (recvfrom) receives is what `edit` makes of it: as many bytes, or less."""

    edit: Callable[[bytes], bytes]


Verdict = Kill | Fail | Spoil
OnCall = Callable[[Call], Verdict | None]
"""Told of each call before it is made; what it gives happens, None: the call is made."""


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    killed: by Kill. error: what its function raised. result: what it gave. trace: where the error was raised.
    """

    killed: bool
    error: BaseException | None = None
    result: Any = None
    trace: str = ""


def traced(work: Callable[[], Any], on_call: OnCall) -> Ended:
    """Run `work` in a fork of this process, traced."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        _be_traced(work, writer)
    os.close(writer)

    def on_its_call(call: Call) -> Verdict | None:
        # How it went is said through the pipe: that is no part of the work, and a fault there would hide it.
        return None if call.name == "write" and call.arguments[0] == writer else on_call(call)

    try:
        status = _start_and_follow(pid, on_its_call)
        return Ended(killed=True) if status is None else _outcome(reader, status)
    finally:
        os.close(reader)


def _start_and_follow(pid: int, on_call: OnCall) -> int | None:
    """As _follow; whatever is raised, the child has ended then."""
    try:
        os.waitpid(pid, 0)  # it has stopped
        _ptrace(_SETOPTIONS, pid, 0, _TRACESYSGOOD | _EXITKILL)
        return _follow(pid, on_call)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _be_traced(work: Callable[[], Any], writer: int) -> None:
    """In the child; never returns."""
    try:
        _ptrace(_TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        try:
            said = pickle.dumps((None, work(), ""))
        except BaseException as error:
            said = pickle.dumps((_portable(error), None, traceback.format_exc()))
        os.write(writer, said)
        os._exit(0)
    finally:
        os._exit(1)


def _portable(error: BaseException) -> BaseException:
    """An error without what can't be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _outcome(reader: int, status: int) -> Ended:
    """What a child said that has ended by itself. status: its wait status."""
    said = b""
    while piece := os.read(reader, 1 << 16):
        said += piece
    if not said:
        code = os.waitstatus_to_exitcode(status)
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        raise RuntimeError(f"the traced child ended {how} and said nothing")
    error, result, trace = pickle.loads(said)
    return Ended(killed=False, error=error, result=result, trace=trace)


def _follow(pid: int, on_call: OnCall) -> int | None:
    """Until the child's end: its wait status, None when it was killed here."""
    buffer = ctypes.create_string_buffer(_info.size + _entry.size)
    waiting: Fail | Spoil | None = None
    address = deliver = 0
    while True:
        _ptrace(_SYSCALL, pid, 0, deliver)
        status = os.waitpid(pid, 0)[1]
        if not os.WIFSTOPPED(status):
            return status
        deliver = 0
        if os.WSTOPSIG(status) != signal.SIGTRAP | 0x80:
            deliver = os.WSTOPSIG(status)
            continue
        _ptrace(_GET_SYSCALL_INFO, pid, len(buffer), ctypes.addressof(buffer))
        if _info.unpack_from(buffer)[0] == _EXIT:
            if isinstance(waiting, Fail):
                _ptrace(_POKEUSER, pid, _RAX, -waiting.errno)
            elif waiting:
                _spoil(pid, waiting, address, _exit.unpack_from(buffer, _info.size)[0])
            waiting = None
            continue
        number, *arguments = _entry.unpack_from(buffer, _info.size)
        verdict = on_call(Call(_NAMES.get(number, ""), tuple(arguments)))
        if isinstance(verdict, Kill):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
        if isinstance(verdict, Fail):
            _ptrace(_POKEUSER, pid, _ORIG_RAX, -1)
        waiting, address = verdict, arguments[1]


def _spoil(pid: int, how: Spoil, address: int, size: int) -> None:
    if size <= 0:
        return
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(address)
        spoilt = how.edit(memory.read(size))
        memory.seek(address)
        memory.write(spoilt)
    _ptrace(_POKEUSER, pid, _RAX, len(spoilt))


def _ptrace(request: int, pid: int, address: int, data: int) -> None:
    if _libc.ptrace(request, pid, ctypes.c_void_p(address), ctypes.c_void_p(data)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request}: {os.strerror(number)}")
