"""Many reads or writes with one call: io_uring(7), for what has to be read and written frame by frame.

Python's part of a call, and entering the kernel, is a third of what it costs to read a frame from a TAP. Here a batch
of them is told to the kernel in memory that both see, and done before the one call returns, in order: RWF_NOWAIT has
each done at once or refused, so that nothing is left behind that would be done later.

The ring can read and write and nothing else, and can't be made able to (IORING_REGISTER_RESTRICTIONS), so it opens no
way around seccomp.py, which forbids to make another. It takes Linux 5.11, which has TAPs know RWF_NOWAIT.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from array import array
from collections.abc import Sequence
from struct import Struct
from typing import Final

from l2tpv3.linux.libc import libc

COUNT: Final = 128
"""Reads or writes that one call can have."""

READ, WRITE = 22, 23  # linux/io_uring.h, as all below
_SETUP, _ENTER, _REGISTER = 425, 426, 427  # the same number on every architecture
_SETUP_R_DISABLED: Final = 1 << 6
_ENTER_GETEVENTS: Final = 1
_REGISTER_RESTRICTIONS, _REGISTER_ENABLE_RINGS = 11, 12
_RESTRICTION_SQE_OP: Final = 1
_OFF_SQES: Final = 0x10000000
_RWF_NOWAIT: Final = 8
_PARAMS_BYTES: Final = 120
_SQE: Final = Struct("=BBHiQQII32x")  # struct io_uring_sqe: opcode, flags, ioprio, fd, off, addr, len, rw_flags
_CQE_BYTES: Final = 16
_RESTRICTION: Final = Struct("=HBx12x")
_NO_OFFSET: Final = (1 << 64) - 1
_UNSIGNED: Final = (1 << 32) - 1

_NOT_HERE: Final = (-errno.EOPNOTSUPP, -errno.EINVAL)


def are_refused(results: Sequence[int]) -> bool:
    """Whether these say that this kernel, or this file, does not do it this way: it then refuses every one, while what
    ICMP told of a socket fails one alone."""
    return bool(results) and results[0] in _NOT_HERE and results.count(results[0]) == len(results)


def requests(operation: int, addresses: Sequence[int], lengths: Sequence[int]) -> bytes:
    """Encode requests for `perform`, which adds the file: reads into, or writes from, these places in memory."""
    return b"".join(
        _SQE.pack(operation, 0, 0, -1, _NO_OFFSET, address, length, _RWF_NOWAIT)
        for address, length in zip(addresses, lengths, strict=True)
    )


def files(fd: int) -> array[int]:
    """Encode the files for `perform`: the same one for every request."""
    return array("i", (fd,)) * COUNT


class Ring:
    """One io_uring. Not thread-safe."""

    def __init__(self) -> None:
        """Raises OSError: there is none to be had."""
        self.fd = -1
        parameters = bytearray(_PARAMS_BYTES)
        fields = memoryview(parameters).cast("I")
        fields[2] = _SETUP_R_DISABLED
        self.fd = _call(_SETUP, COUNT, _in_memory(parameters))
        try:
            self._map(fields)
            self._restrict()
        except BaseException:
            os.close(self.fd)
            raise

    def _map(self, fields: memoryview) -> None:
        """fields: struct io_uring_params, filled, by u32."""
        sq_entries, cq_entries = fields[0], fields[1]
        sq, cq = fields[10:20], fields[20:30]  # struct io_sqring_offsets and io_cqring_offsets
        size = max(sq[6] + sq_entries * 4, cq[5] + cq_entries * _CQE_BYTES)
        self._rings = mmap.mmap(self.fd, size)
        self._requests = mmap.mmap(self.fd, sq_entries * _SQE.size, offset=_OFF_SQES)
        whole = memoryview(self._rings)
        self._words = whole[: size // 4 * 4].cast("I")
        self._sq_head, self._sq_tail, self._cq_head, self._cq_tail = sq[0] // 4, sq[1] // 4, cq[0] // 4, cq[1] // 4
        self._places = memoryview(self._requests)
        self._fds = self._places.cast("i")[1 :: _SQE.size // 4]
        self._order = self._words[sq[6] // 4 :][:sq_entries]
        # The kernel goes on in its ring where it was; the first request of a batch always lies first in memory.
        numbers = array("I", range(sq_entries))
        self._orders = [numbers[-turn:] + numbers[:-turn] if turn else numbers for turn in range(sq_entries)]
        self._results = whole[cq[5] :][: cq_entries * _CQE_BYTES].cast("i")[2 :: _CQE_BYTES // 4]
        self._enter = ctypes.c_long(_ENTER), ctypes.c_int(self.fd)

    def _restrict(self) -> None:
        allowed = bytearray(b"".join(_RESTRICTION.pack(_RESTRICTION_SQE_OP, one) for one in (READ, WRITE)))
        _call(_REGISTER, self.fd, _REGISTER_RESTRICTIONS, _in_memory(allowed), 2)
        _call(_REGISTER, self.fd, _REGISTER_ENABLE_RINGS, None, 0)

    def perform(self, requests: bytes, files: array[int], count: int) -> list[int]:
        """Do the first `count` of these requests with these files, one after the other.

        Gives what each read or write would give, or its errno below 0. Fewer results: the others were not begun.
        """
        words = self._words
        tail = words[self._sq_tail]
        self._places[: count * _SQE.size] = memoryview(requests)[: count * _SQE.size]
        self._fds[:count] = files[:count]
        self._order[:] = self._orders[tail % COUNT]
        words[self._sq_tail] = tail + count & _UNSIGNED
        begun = libc.syscall(*self._enter, count, count, _ENTER_GETEVENTS, None, 0)
        if begun != count:
            words[self._sq_tail] = words[self._sq_head]
        head, tail = words[self._cq_head], words[self._cq_tail]
        words[self._cq_head] = tail
        first, found, size = head % len(self._results), tail - head & _UNSIGNED, len(self._results)
        if first + found <= size:
            return self._results[first : first + found].tolist()
        return self._results[first:].tolist() + self._results[: first + found - size].tolist()

    def close(self) -> None:
        """Close the ring."""
        os.close(self.fd)


def _in_memory(buffer: bytearray) -> ctypes.c_void_p:
    return ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(buffer)))


def _call(number: int, *arguments: object) -> int:
    result: int = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def open_ring() -> Ring | None:
    """A ring; None where the kernel has no io_uring, or does not permit it."""
    try:
        return Ring() if ctypes.sizeof(ctypes.c_void_p) == 8 else None
    except (OSError, ValueError):
        return None
