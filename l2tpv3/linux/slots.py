"""Room in memory for many packets, each at its own place, so that one call into the kernel reads or writes them."""

from __future__ import annotations

import ctypes
from typing import Final

BATCH: Final = 64
"""Frames that are moved at most before the others have their turn; also UDP_MAX_SEGMENTS of Linux before 6.10."""

LONGEST: Final = 65536 + 64
"""Bytes that a slot can take: more than any frame or packet, so that none is ever cut."""

HEADROOM: Final = 32
"""Bytes before a frame in a slot of its own: more than the longest header (20)."""


def address_of(buffer: bytearray | memoryview) -> int:
    """The address of a buffer in memory. The buffer can't be resized or moved from then on."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class Slots:
    """Room for BATCH frames or packets of any length, HEADROOM before each. Only what was used takes memory.

    slot_bytes: in each. starts: where each begins in the buffer.
    """

    stride: Final = HEADROOM + LONGEST
    slot_bytes: Final = LONGEST

    def __init__(self) -> None:
        self.buffer = bytearray(BATCH * self.stride)
        self.view = view = memoryview(self.buffer)
        self.address = address_of(self.view)
        self.starts = [HEADROOM + number * self.stride for number in range(BATCH)]
        self.slots = [[view[start : start + LONGEST]] for start in self.starts]

    def move(self, place: int, to: int, length: int) -> None:
        """Have what lies in one slot lie in an earlier one."""
        start, end = self.starts[place], self.starts[to]
        self.view[end : end + length] = self.view[start : start + length]

    def column(self, offset: int, count: int) -> bytes:
        """Give the byte at `offset` of each of the first `count` frames."""
        first = HEADROOM + offset
        return bytes(self.buffer[first : first + (count - 1) * self.stride + 1 : self.stride])

    def put_column(self, offset: int, values: bytes) -> None:
        """Write over the byte at `offset` (below 0: before the frame) of the first slots, one value each."""
        first = HEADROOM + offset
        self.buffer[first : first + (len(values) - 1) * self.stride + 1 : self.stride] = values
