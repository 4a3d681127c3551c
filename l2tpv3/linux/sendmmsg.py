"""Many packets with one call, which Python's socket module can't do without a look at each: sendmmsg(2) where they go
as they are, sendmsg(2) with UDP_SEGMENT where the kernel takes them as one and cuts them up again (udp(7))."""

from __future__ import annotations

import ctypes
from array import array
from struct import Struct
from typing import Final

from l2tpv3.linux.libc import libc
from l2tpv3.linux.slots import BATCH, Slots, address_of

SOL_UDP, UDP_SEGMENT = 17, 103  # linux/udp.h, Linux 4.18
_DONTWAIT: Final = 0x40
_MSGHDR: Final = Struct("=QI4xQQQQI4x")  # on 64-bit machines: see recvmmsg.py
_MMSGHDR: Final = Struct("=QI4xQQQQI4xI4x")
_IOVEC: Final = Struct("=QQ")
_CONTROL: Final = Struct("=QiiH6x")  # struct cmsghdr, and the length of a packet
_CONTROL_LENGTH: Final = 18  # without what follows for alignment
_IOV_AT, _IOVLEN_AT = 16 // 8, 24 // 8
_STRIDE_AT: Final = 16 // 2


class BatchSender:
    """Packets that lie in the first of some slots. Only where available() says so."""

    def __init__(self, slots: Slots) -> None:
        self._starts = array("Q", [slots.address + start for start in slots.starts])
        self._vectors = bytearray(BATCH * _IOVEC.size)
        vector = address_of(self._vectors)
        words = memoryview(self._vectors).cast("Q")
        self._base, self._length = words[::2], words[1::2]
        self._begin = -1
        self._alike = 0
        self._headers = bytearray().join(
            _MMSGHDR.pack(0, 0, vector + number * _IOVEC.size, 1, 0, 0, 0, 0) for number in range(BATCH)
        )
        first = address_of(self._headers)
        self._places = [ctypes.c_void_p(first + number * _MMSGHDR.size) for number in range(BATCH)]
        self._control = bytearray(_CONTROL.pack(_CONTROL_LENGTH, SOL_UDP, UDP_SEGMENT, 0))
        self._stride = memoryview(self._control).cast("H")[_STRIDE_AT:]
        cut = bytearray(_MSGHDR.pack(0, 0, vector, 0, address_of(self._control), _CONTROL.size, 0))
        self._vector = vector
        self._cut, self._cut_place = memoryview(cut).cast("Q"), ctypes.c_void_p(address_of(cut))
        self._flags = ctypes.c_int(_DONTWAIT)

    def aim_alike(self, begin: int, length: int) -> None:
        """Do what `aim` does, for packets that are all of one length."""
        if length != self._alike or begin != self._begin:
            self.aim(begin, array("Q", (length,)) * BATCH)
            self._alike = length

    def aim(self, begin: int, lengths: array[int]) -> None:
        """Have the packets begin `begin` bytes before their slots, and have these lengths. They stay until the next."""
        if begin != self._begin:
            self._base[:] = array("Q", [start - begin for start in self._starts])
            self._begin = begin
        self._length[: len(lengths)] = lengths
        self._alike = 0

    def send(self, fd: int, first: int, count: int) -> int:
        """Send `count` packets from number `first` on, to where the socket is connected. Gives how many went; below 1
        when the first one was refused. Why an other one was, the kernel tells only when that is the first."""
        sent: int = libc.sendmmsg(fd, self._places[first], ctypes.c_uint(count), self._flags)
        return sent

    def send_cut(self, fd: int, first: int, count: int, stride: int) -> int:
        """Send packets of `stride` bytes each, the last of which may have fewer, by UDP_SEGMENT: all of them, for 0, or
        none, for the errno."""
        self._stride[0] = stride
        self._cut[_IOV_AT] = self._vector + first * _IOVEC.size
        self._cut[_IOVLEN_AT] = count
        return ctypes.get_errno() if libc.sendmsg(fd, self._cut_place, self._flags) < 0 else 0


def available() -> bool:
    """Whether this libc and this architecture are such as is assumed here."""
    return ctypes.sizeof(ctypes.c_void_p) == 8 and hasattr(libc, "sendmmsg")
