"""Many packets with one call, sendmmsg(2), which Python's socket module lacks: where the kernel cuts none."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from struct import Struct
from typing import Final

from l2tpv3.datapath.user.privilege import libc

_DONTWAIT: Final = 0x40
_MMSGHDR: Final = Struct("=QI4xQQQQI4xI4x")  # on 64-bit machines: see inbox.py
_IOVEC: Final = Struct("=QQ")


class Outbox:
    """Packets that lie in one buffer, at `starts`. Only where available() says so.

    lengths: bytes of each, which the owner sets and may change.
    """

    def __init__(self, buffer: bytearray, starts: Sequence[int], length: int) -> None:
        """length: what all are long at first. The buffer can't be resized any more."""
        base = _address(buffer)
        vectors = bytearray().join(_IOVEC.pack(base + start, length) for start in starts)
        vector = _address(vectors)
        self._headers = bytearray().join(
            _MMSGHDR.pack(0, 0, vector + number * _IOVEC.size, 1, 0, 0, 0, 0) for number in range(len(starts))
        )
        first = _address(self._headers)
        self._places = [ctypes.c_void_p(first + number * _MMSGHDR.size) for number in range(len(starts))]
        self.lengths = memoryview(vectors).cast("Q")[1::2]

    def send(self, fd: int, first: int, count: int) -> int:
        """Send `count` packets from number `first` on, to where the socket is connected. Gives how many went; below 1
        when the first one was refused. Why an other one was, the kernel tells only when that is the first."""
        sent: int = libc.sendmmsg(fd, self._places[first], ctypes.c_uint(count), ctypes.c_int(_DONTWAIT))
        return sent


def _address(buffer: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def available() -> bool:
    """Whether this libc and this architecture are such as is assumed here."""
    return ctypes.sizeof(ctypes.c_void_p) == 8 and hasattr(libc, "sendmmsg")
