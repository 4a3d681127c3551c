"""Memory for the packets of frames that do not fit in one packet: each has a header and a part of a frame.

Source: RFC 4623.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from l2tpv3.datapath.user.forwarding.buffers import LOW_BYTES
from l2tpv3.linux.slots import BATCH, LONGEST
from l2tpv3.wire.data import S_BIT, SEQUENCE_MASK, SUBLAYER
from l2tpv3.wire.fragments import part_bits, part_length

ROOM_MIN: Final = 128
"""The least size of a part in bytes (the last one may be shorter), however small the route's MTU is: so the number of
parts has a bound."""
_SIZE: Final = 16 * LONGEST


class Parts:
    """Packets that lie one behind the other in one buffer, ready to be sent."""

    def __init__(self) -> None:
        self._buffer = bytearray(_SIZE)  # of which only what is used takes memory
        self._view = memoryview(self._buffer)
        self._end = 0
        self.packets: list[memoryview] = []
        self._alike: tuple[bytes, int, int] | None = None  # what put_alike has headers for

    def has_room(self, frame: memoryview, header: int, room: int) -> bool:
        """Whether `put` has memory for this frame. After `clear` it has memory for any frame."""
        return self._end + len(frame) + (len(frame) // room + 2) * header <= _SIZE

    def put(self, frame: memoryview, prefix: bytes, ns: int, room: int) -> int:
        """Add the packets of a frame, and give their number.

        prefix: the header, whose last 4 bytes are the sublayer; see SendHeader. ns: the first packet's sequence number.
        room: the most bytes of the frame in one packet, at least ROOM_MIN.
        """
        self._alike = None
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

    def takes_alike(self, length: int, header: int, size: int) -> bool:
        """Whether `put_alike` takes frames of `length` bytes in parts of `size`, with headers of `header` bytes."""
        return length % size == 0 and length // size <= BATCH and BATCH * (header + size) <= _SIZE

    def put_alike(self, frames: Sequence[memoryview], prefix: bytes, ns: int, size: int) -> memoryview:
        """Give the packets of frames of one length, one behind the other in one piece of memory.

        size: bytes of each part, a divisor of that length. prefix, ns: as for `put`. The packets are at most BATCH, and
        overwrite all that was put here before.
        """
        buffer, header, length = self._buffer, len(prefix), len(frames[0])
        stride, parts = header + size, length // size
        packets = parts * len(frames)
        words = [S_BIT | part_bits(offset, offset + size, length) for offset in range(0, length, size)]
        if self._alike != (prefix, size, parts):
            for number in range(BATCH):
                start = number * stride
                buffer[start : start + header] = prefix[: -SUBLAYER.size] + SUBLAYER.pack(words[number % parts])
            self._alike = (prefix, size, parts)
        end = packets * stride
        if (ns & 0xFF) + packets <= 0x100:
            first = SUBLAYER.pack(ns)
            buffer[header - 3 : end : stride] = first[1:2] * packets
            buffer[header - 2 : end : stride] = first[2:3] * packets
            buffer[header - 1 : end : stride] = LOW_BYTES[first[3] : first[3] + packets]
        else:  # the upper bytes of the number change on the way
            for number in range(packets):
                word = words[number % parts] | ns + number & SEQUENCE_MASK
                SUBLAYER.pack_into(buffer, number * stride + header - SUBLAYER.size, word)
        begin = header
        for frame in frames:
            for offset in range(0, length, size):
                buffer[begin : begin + size] = frame[offset : offset + size]
                begin += stride
        return self._view[:end]

    def clear(self) -> None:
        """Forget all packets: they are sent."""
        self.packets, self._end = [], 0


PARTS: Final = Parts()
"""The one buffer for all sessions of a worker: its packets are sent before others are put there."""
