"""Where the parts of frames lie that do not fit in one packet, each behind a header of its own."""

from __future__ import annotations

from typing import Final

from l2tpv3.linux.slots import LONGEST
from l2tpv3.wire.data import S_BIT, SEQUENCE_MASK, SUBLAYER
from l2tpv3.wire.fragments import part_bits, part_length

ROOM_MIN: Final = 128
"""Bytes of a frame that a packet has at least, however small the route's MTU is: it bounds the number of parts."""
_SIZE: Final = 4 * LONGEST


class Parts:
    """Packets one behind the other, ready to be sent."""

    def __init__(self) -> None:
        self._buffer = bytearray(_SIZE)  # of which only what is used takes memory
        self._view = memoryview(self._buffer)
        self._end = 0
        self.packets: list[memoryview] = []

    def has_room(self, frame: memoryview, header: int, room: int) -> bool:
        """Whether `put` has memory for the frame; there is some for any frame after `clear`."""
        return self._end + len(frame) + (len(frame) // room + 2) * header <= _SIZE

    def put(self, frame: memoryview, prefix: bytes, ns: int, room: int) -> int:
        """Add the packets of a frame, numbered from `ns` on; give how many. room: bytes of a frame that one has, at
        least ROOM_MIN. prefix: the header, whose last 4 bytes are the sublayer, see SendHeader."""
        length, header, buffer, start = len(frame), len(prefix), self._buffer, self._end
        size = part_length(length, room)
        before = len(self.packets)
        for offset in range(0, length, size):
            end = min(offset + size, length)
            begin, stop = start + header, start + header + end - offset
            buffer[start:begin] = prefix
            SUBLAYER.pack_into(buffer, begin - SUBLAYER.size, S_BIT | part_bits(offset, end, length) | ns)
            buffer[begin:stop] = frame[offset:end]
            self.packets.append(self._view[start:stop])
            ns, start = ns + 1 & SEQUENCE_MASK, stop
        self._end = start
        return len(self.packets) - before

    def clear(self) -> None:
        """Forget all packets: they are sent."""
        self.packets, self._end = [], 0


PARTS: Final = Parts()
"""For all sessions of a worker: packets are sent before the next are put there."""
