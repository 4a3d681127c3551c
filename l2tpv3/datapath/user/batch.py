"""Where frames lie in memory, so that one call into the kernel moves many, and no bytecode runs for each of them.

What is the same for every batch is made once and kept: the buffers, views of each slot, headers that stand in front of
the slots already, and one struct.Struct that reads the headers of all packets of a batch in one call.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from struct import Struct
from typing import Final

from l2tpv3.datapath.user.outbox import Outbox
from l2tpv3.wire.data import S_BIT, SEQUENCE_MASK, SUBLAYER, Buffer
from l2tpv3.wire.vlan import TAG_AT

BATCH: Final = 64
"""Frames that are moved at most before the others have their turn; also UDP_MAX_SEGMENTS of Linux before 6.10."""

LONGEST: Final = 65536 + 64
"""Bytes that a slot can take: more than any frame or packet, so that none is ever cut."""

RUN_MAX: Final = 128
"""Packets that the kernel hands over together at most: a run that another program's UDP_SEGMENT made, uncut."""

HEADROOM: Final = 32
"""Bytes before a frame in a slot of its own: more than the longest header (20)."""

PAYLOAD_MAX: Final = 65400
"""Bytes of a batch that is sent in one call: what one UDP datagram over IPv4 may hold (65507), and some to spare."""

_LOW = bytes(range(256)) * 2  # a slice of it is a run of low bytes of sequence numbers


class SendLayout:
    """Frames of one length behind each other, each with its header in front: what UDP_SEGMENT takes as it is.

    slots: for each, what readv takes. packets: a view of each, with its header. stride: bytes of a packet. frame: bytes
    of each as it is read; tag: what stands in it then, besides, behind the MAC addresses.
    """

    def __init__(self, prefix: bytes, frame: int, tag: bytes = b"") -> None:
        self.frame = frame
        self.stride = stride = len(prefix) + frame + len(tag)
        self.count = max(1, min(BATCH, PAYLOAD_MAX // stride))
        self.buffer = bytearray(self.count * stride + LONGEST)
        self.view = view = memoryview(self.buffer)
        starts = [number * stride for number in range(self.count)]
        first, rest, room = len(prefix), len(prefix) + TAG_AT + len(tag), LONGEST
        self.slots = [[view[start + first : start + room]] for start in starts]
        if tag:
            self.slots = [[view[start + first :][:TAG_AT], view[start + rest : start + room]] for start in starts]
        self.packets = [view[start : start + stride] for start in starts]
        self._prefix = prefix
        self._tag = tag
        self._starts = starts
        self.restore(0, len(self.buffer))

    @cached_property
    def outbox(self) -> Outbox:
        """All packets, for one call to send them where nobody cuts them up."""
        return Outbox(self.buffer, self._starts, self.stride)

    def restore(self, first: int, end: int) -> None:
        """Write headers again, from slot `first` up to `end` in the buffer: a frame longer than its slot lay there."""
        for start in self._starts[first:]:
            if start >= end:
                break
            self.buffer[start : start + len(self._prefix)] = self._prefix
            if self._tag:
                at = start + len(self._prefix) + TAG_AT
                self.buffer[at : at + len(self._tag)] = self._tag

    def column(self, offset: int, count: int) -> bytes:
        """Of the first `count` frames as they go out, the byte at `offset` of each."""
        first = len(self._prefix) + offset
        return bytes(self.buffer[first : first + (count - 1) * self.stride + 1 : self.stride])

    def frames(self, count: int, length: int) -> list[bytes]:
        """Copies of the first `count` frames as they were read; the last has `length` bytes."""
        lengths = [self.frame] * (count - 1) + [length]
        if not self._tag:
            return [bytes(slot[0][:size]) for slot, size in zip(self.slots, lengths, strict=False)]
        return [
            bytes(first) + bytes(rest[: size - TAG_AT])
            for (first, rest), size in zip(self.slots, lengths, strict=False)
        ]

    def number(self, ns: int, count: int) -> None:
        """Number the first `count` packets from `ns` on, in the last 4 bytes of their headers."""
        offset = len(self._prefix) - SUBLAYER.size
        if (ns & 0xFF) + count > 0x100:  # the upper bytes change within the batch
            for start in self._starts[:count]:
                SUBLAYER.pack_into(self.buffer, start + offset, S_BIT | ns)
                ns = ns + 1 & SEQUENCE_MASK
            return
        first = SUBLAYER.pack(S_BIT | ns)
        end = (count - 1) * self.stride + offset + SUBLAYER.size
        for column in range(3):
            self.buffer[offset + column : end : self.stride] = first[column : column + 1] * count
        self.buffer[offset + 3 : end : self.stride] = _LOW[ns & 0xFF : (ns & 0xFF) + count]


@lru_cache(maxsize=12)
def send_layout(prefix: bytes, frame: int, tag: bytes) -> SendLayout:
    """The layout for frames of that length: the same one as before, as long as not too many others came since."""
    return SendLayout(prefix, frame, tag)


class Slots:
    """Room for BATCH frames or packets of any length, HEADROOM before each. Only what was used takes memory.

    room: bytes in each. headers: what stands in front of all of them.
    """

    stride: Final = HEADROOM + LONGEST
    room: Final = LONGEST

    def __init__(self) -> None:
        self.buffer = bytearray(BATCH * self.stride)
        self.view = view = memoryview(self.buffer)
        self.starts = [HEADROOM + number * self.stride for number in range(BATCH)]
        self.slots = [[view[start : start + LONGEST]] for start in self.starts]
        self._headers = b""

    def put_headers(self, prefix: bytes) -> None:
        """Have every slot's frame preceded by `prefix`; they stay as long as nobody wants others."""
        if self._headers != prefix:
            for start in self.starts:
                self.buffer[start - len(prefix) : start] = prefix
            self._headers = prefix


FRAMES: Final = Slots()
"""For all sessions of a worker: frames are sent before the next are read."""


class ReceiveLayout:
    """Packets at a constant distance: reads the headers of many in one call, and has views of their frames.

    stride: the distance. skip: bytes before each header (an IPv4 header). head: bytes of it that are compared.
    """

    def __init__(self, view: memoryview, stride: int, skip: int, head: int, frame: slice) -> None:
        count = min(len(view) // stride, RUN_MAX)
        self.frames = [view[n * stride + frame.start : n * stride + frame.stop] for n in range(count)]
        self._frame = frame
        self._parts = (f"{skip}x" if skip else "") + f"{head}s", stride - skip - head
        self._view, self._stride = view, stride
        self._around: dict[tuple[int, int], list[list[Buffer]]] = {}
        self._structs: dict[int, Struct] = {}

    def heads(self, count: int) -> tuple[bytes, ...]:
        """The first bytes of the headers of the first `count` packets."""
        struct = self._structs.get(count)
        if struct is None:
            part, rest = self._parts
            struct = self._structs[count] = Struct(f"{rest}x".join([part] * count))
        return struct.unpack_from(self._view)

    def column(self, offset: int, count: int) -> bytes:
        """Of the first `count` packets, the byte at `offset` of each."""
        return bytes(self._view[offset : offset + (count - 1) * self._stride + 1 : self._stride])

    def put_column(self, offset: int, values: bytes) -> None:
        """Write over the byte at `offset` of the first packets, one value each."""
        self._view[offset : offset + (len(values) - 1) * self._stride + 1 : self._stride] = values

    def around(self, begin: int, end: int) -> list[list[Buffer]]:
        """Each frame in two parts: before byte `begin` of its packet, and from `end` on."""
        if (begin, end) not in self._around:
            skipped = self._frame.start
            self._around[begin, end] = [[frame[: begin - skipped], frame[end - skipped :]] for frame in self.frames]
        return self._around[begin, end]
