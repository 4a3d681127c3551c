"""Lays frames out in memory so that one system call moves many of them, and no bytecode runs for each frame.

What is the same for every batch is made once and kept: the buffers, views of each slot, headers that stand in front of
the slots already, and one struct.Struct that reads the headers of all packets of a batch in one call.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from l2tpv3.linux.slots import Slots
from l2tpv3.wire.data import S_BIT, SEQUENCE_MASK, SUBLAYER, Buffer

RUN_MAX: Final = 128
"""Packets that the kernel hands over together at most: a run that another program's UDP_SEGMENT made, uncut."""

PAYLOAD_MAX: Final = 65400
"""Bytes of a batch that is sent in one call: what one UDP datagram over IPv4 may hold (65507), and some to spare."""

LOW_BYTES: Final = bytes(range(256)) * 2
"""A slice of it is a run of low bytes of sequence numbers."""


class FrameSlots(Slots):
    """Slots whose frames get an L2TPv3 header in front of them."""

    def __init__(self) -> None:
        super().__init__()
        self._headers = b"", 0, False
        self._headed = 0  # in front of how many frames they are

    def put_headers(self, prefix: bytes, count: int, end: int, *, numbered: bool) -> None:
        """Have the first `count` frames preceded by `prefix`, `end` bytes before where they were read; they stay as
        long as nobody wants others. numbered: their last 4 bytes are going to be written over."""
        if self._headers != (prefix, end, numbered):
            self._headers, self._headed = (prefix, end, numbered), 0
        if self._headed < count:
            for start in self.starts[self._headed : count]:
                self.buffer[start - end - len(prefix) : start - end] = prefix
            self._headed = count

    def forget_headers(self) -> None:
        """Note that the headers in the slots are overwritten, so that put_headers writes them again."""
        self._headed = 0

    def number(self, ns: int, count: int, end: int) -> None:
        """Number the first `count` packets from `ns` on, in the last 4 bytes of their headers, see put_headers."""
        if (ns & 0xFF) + count > 0x100:  # the upper bytes change within the batch
            for start in self.starts[:count]:
                SUBLAYER.pack_into(self.buffer, start - end - SUBLAYER.size, S_BIT | ns)
                ns = ns + 1 & SEQUENCE_MASK
            return
        first, offset = SUBLAYER.pack(S_BIT | ns), -end - SUBLAYER.size
        for column in range(3):
            self.put_column(offset + column, first[column : column + 1] * count)
        self.put_column(offset + 3, LOW_BYTES[ns & 0xFF : (ns & 0xFF) + count])


FRAMES: Final = FrameSlots()
"""The one buffer for all sessions of a worker: frames are sent before the next are read."""


class ReceiveLayout:
    """Packets at a constant distance: reads the headers of many in one call, and has views of their frames.

    stride: the distance. skip: bytes before each header (an IPv4 header). head: bytes of it that are compared. frame:
    where it is, skipped bytes and header included.
    """

    def __init__(self, view: memoryview, stride: int, skip: int, head: int, frame: slice) -> None:
        count = min(len(view) // stride, RUN_MAX)
        self.frames = [view[n * stride + frame.start : n * stride + frame.stop] for n in range(count)]
        self._frame, self._skip = frame, skip
        self._parts = (f"{skip}x" if skip else "") + f"{head}s", stride - skip - head
        self._view, self._stride = view, stride
        self._split_frames: dict[tuple[int, int], list[list[Buffer]]] = {}
        self._structs: dict[int, Struct] = {}
        self._pairs: dict[int, list[list[memoryview]]] = {}

    @property
    def frame_length(self) -> int:
        """Bytes of each frame."""
        length: int = self._frame.stop - self._frame.start
        return length

    def heads(self, count: int) -> tuple[bytes, ...]:
        """The first bytes of the headers of the first `count` packets."""
        struct = self._structs.get(count)
        if struct is None:
            part, rest = self._parts
            struct = self._structs[count] = Struct(f"{rest}x".join([part] * count))
        return struct.unpack_from(self._view)

    def pairs(self, first: int) -> list[list[memoryview]]:
        """Give the frames two by two, from number `first` (0 or 1) on: the parts of frames that take two packets."""
        if first not in self._pairs:
            self._pairs[first] = [
                list(pair) for pair in zip(self.frames[first::2], self.frames[first + 1 :: 2], strict=False)
            ]
        return self._pairs[first]

    def behind(self, number: int, offset: int) -> memoryview:
        """Give what packet `number` has from `offset` on."""
        start = number * self._stride
        return self._view[start + self._skip + offset : start + self._frame.stop]

    def column(self, offset: int, count: int) -> bytes:
        """Give the byte at `offset` of each of the first `count` packets."""
        offset += self._skip
        return bytes(self._view[offset : offset + (count - 1) * self._stride + 1 : self._stride])

    def put_column(self, offset: int, values: bytes) -> None:
        """Write over the byte at `offset` of the first packets, one value each."""
        offset += self._skip
        self._view[offset : offset + (len(values) - 1) * self._stride + 1 : self._stride] = values

    def split_frames(self, begin: int, end: int) -> list[list[Buffer]]:
        """Each frame in two parts: before byte `begin` of its packet, and from `end` on."""
        if (begin, end) not in self._split_frames:
            skipped = self._frame.start - self._skip
            self._split_frames[begin, end] = [
                [frame[: begin - skipped], frame[end - skipped :]] for frame in self.frames
            ]
        return self._split_frames[begin, end]
