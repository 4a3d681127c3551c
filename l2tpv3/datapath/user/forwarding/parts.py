"""Where the parts of frames lie that do not fit in one packet, each behind a header of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from l2tpv3.datapath.user.forwarding.buffers import LOW_BYTES
from l2tpv3.linux.slots import BATCH, LONGEST
from l2tpv3.wire.data import S_BIT, SEQUENCE_MASK, SUBLAYER
from l2tpv3.wire.fragments import part_bits, part_length

ROOM_MIN: Final = 128
"""Bytes of a frame that a packet has at least, however small the route's MTU is: it bounds the number of parts."""
_SIZE: Final = 16 * LONGEST


class Parts:
    """Packets one behind the other, ready to be sent."""

    def __init__(self) -> None:
        self._buffer = bytearray(_SIZE)  # of which only what is used takes memory
        self._view = memoryview(self._buffer)
        self._end = 0
        self.packets: list[memoryview] = []
        self._alike: tuple[bytes, int, int] | None = None  # what put_alike has headers for

    def has_room(self, frame: memoryview, header: int, room: int) -> bool:
        """Whether `put` has memory for the frame; there is some for any frame after `clear`."""
        return self._end + len(frame) + (len(frame) // room + 2) * header <= _SIZE

    def put(self, frame: memoryview, prefix: bytes, ns: int, room: int) -> int:
        """Add the packets of a frame, numbered from `ns` on; give how many. room: bytes of a frame that one has, at
        least ROOM_MIN. prefix: the header, whose last 4 bytes are the sublayer, see SendHeader."""
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
        """Give the packets of frames of one length, of which `size` is a divisor, numbered from `ns` on, in one piece.

        They are BATCH at most, and take the place of whatever was put here before. prefix: as for `put`.
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
"""For all sessions of a worker: packets are sent before the next are put there."""
