"""Many datagrams with one call, recvmmsg(2), which Python's socket module lacks: for packets of mixed lengths."""

from __future__ import annotations

import ctypes
import errno
from struct import Struct
from typing import Final

from l2tpv3.linux.libc import libc
from l2tpv3.linux.slots import Slots

COUNT: Final = 32
"""Datagrams that one call takes at most."""

_DONTWAIT: Final = 0x40
_CONTROL: Final = 24  # room for one struct cmsghdr with an int
_MMSGHDR = Struct(
    "=QI4xQQQQI4xI4x"
)  # on 64-bit machines: name, its length, iov, iovlen, control, its length, flags; len
_IOVEC = Struct("=QQ")
_LENGTH_AT, _CONTROLLEN_AT = 56 // 4, 40 // 8


class BatchReceiver:
    """Reads into slots. Only where available() says so. failed: the errno of the last call that failed."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.failed = 0
        base = ctypes.addressof(ctypes.c_char.from_buffer(slots.buffer))
        self._control = bytearray(COUNT * _CONTROL)
        control = ctypes.addressof(ctypes.c_char.from_buffer(self._control))
        vectors = bytearray().join(_IOVEC.pack(base + start, slots.slot_bytes) for start in slots.starts[:COUNT])
        self._vectors = vectors
        vector = ctypes.addressof(ctypes.c_char.from_buffer(vectors))
        self._blank = b"".join(
            _MMSGHDR.pack(0, 0, vector + number * _IOVEC.size, 1, control + number * _CONTROL, _CONTROL, 0, 0)
            for number in range(COUNT)
        )
        self._headers = bytearray(self._blank)
        self._address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(self._headers)))
        self._count, self._flags = ctypes.c_uint(COUNT), ctypes.c_int(_DONTWAIT)
        self._lengths = memoryview(self._headers).cast("I")[_LENGTH_AT :: _MMSGHDR.size // 4]
        self._control_lengths = memoryview(self._headers).cast("Q")[_CONTROLLEN_AT :: _MMSGHDR.size // 8]
        self._strides = memoryview(self._control).cast("i")[4 :: _CONTROL // 4]

    def receive(self, fd: int) -> list[tuple[int, int]] | None:
        """Take what waits: for each datagram, in the slot of its place, its length and, where the kernel merged
        several packets (UDP_GRO), their length, else its own. None: an error was told instead, once; try again."""
        self._headers[:] = self._blank
        count = libc.recvmmsg(fd, self._address, self._count, self._flags, None)
        if count < 0:
            self.failed = ctypes.get_errno()
            return [] if self.failed in (errno.EAGAIN, errno.EINTR) else None
        lengths = self._lengths[:count].tolist()
        strides = [
            stride if has and 0 < stride < length else length
            for length, has, stride in zip(
                lengths, self._control_lengths[:count].tolist(), self._strides[:count].tolist(), strict=True
            )
        ]
        return list(zip(lengths, strides, strict=True))


def available() -> bool:
    """Whether this libc and this architecture are such as is assumed here."""
    return ctypes.sizeof(ctypes.c_void_p) == 8 and hasattr(libc, "recvmmsg")
