"""pcapng (draft-ietf-opsawg-pcapng): blocks to bytes, and the packets of what we write back again. No I/O.

Little-endian, timestamps in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

_SECTION, _INTERFACE, _STATISTICS, _PACKET = 0x0A0D0D0A, 1, 5, 6
_BYTE_ORDER: Final = 0x1A2B3C4D
_BLOCK = Struct("<II")
_LENGTH = Struct("<I")
_OPTION = Struct("<HH")
_PACKET_HEAD = Struct("<IIIII")
_INTERFACE_HEAD = Struct("<HHI")
_U64 = Struct("<Q")
_END, _COMMENT = 0, 1
_BLOCK_MAX: Final = 1 << 20


class LinkType(IntEnum):
    """RAW: an IPv4 or IPv6 packet without link header. ETHERNET: a frame without its checksum."""

    ETHERNET = 1
    RAW = 101


class Direction(IntEnum):
    """epb_flags bits 0 and 1."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


class Statistics(NamedTuple):
    """Counts of one interface. received: packets that passed the kernel's filter. dropped: packets lost for want of
    space.

    accepted: those that the user's filter let through, too. delivered: those that are in the file.
    """

    received: int
    dropped: int
    accepted: int
    delivered: int


class Captured(NamedTuple):
    """A packet that was read back. time_ns: since the epoch. length: before it was cut."""

    time_ns: int
    interface: str
    direction: Direction
    data: bytes
    length: int


def section(application: str, comment: str = "") -> bytes:
    """The section header that a file begins with."""
    options = _option(_COMMENT, comment.encode()) + _option(4, application.encode())
    return _block(_SECTION, Struct("<IHHq").pack(_BYTE_ORDER, 1, 0, -1) + options + _option(_END))


def interface(name: str, linktype: LinkType, snaplen: int, *, description: str = "", expression: str = "") -> bytes:
    """An interface; they are numbered from 0 in the order of their blocks."""
    options = _option(2, name.encode()) + _option(3, description.encode()) + _option(9, b"\x09")
    if expression:
        options += _option(11, b"\0" + expression.encode())  # 0: as the text that libpcap takes
    return _block(_INTERFACE, _INTERFACE_HEAD.pack(linktype, 0, snaplen) + options + _option(_END))


def packet(number: int, time_ns: int, data: bytes, length: int, direction: Direction) -> bytes:
    """A packet that interface `number` saw. length: of the whole packet, of which `data` may be the beginning."""
    head = _PACKET_HEAD.pack(number, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), length)
    return _block(_PACKET, head + _padded(data) + _option(2, _LENGTH.pack(direction)) + _option(_END))


def statistics(number: int, time_ns: int, begin_ns: int, seen: Statistics) -> bytes:
    """Encode an Interface Statistics Block: what interface `number` has counted between two times (ns since 1970)."""
    options = b"".join(_option(kind, _timestamp(at)) for kind, at in ((2, begin_ns), (3, time_ns)))
    for kind, value in ((4, seen.received), (6, seen.accepted), (7, seen.dropped), (8, seen.delivered)):
        options += _option(kind, _U64.pack(value))
    return _block(_STATISTICS, _LENGTH.pack(number) + _timestamp(time_ns) + options + _option(_END))


def _timestamp(time_ns: int) -> bytes:
    return _BLOCK.pack(time_ns >> 32, time_ns & 0xFFFFFFFF)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _option(kind: int, value: bytes = b"") -> bytes:
    return b"" if kind != _END and not value else _OPTION.pack(kind, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    size = _BLOCK.size + len(body) + _LENGTH.size
    return _BLOCK.pack(kind, size) + body + _LENGTH.pack(size)


def packets(pieces: Iterable[bytes]) -> Iterator[Captured]:
    """The packets of a stream that the functions above wrote, as soon as each is whole. Raises ValueError."""
    names: list[str] = []
    for kind, body in _blocks(pieces):
        if kind == _INTERFACE:
            found = dict(_options(body[_INTERFACE_HEAD.size :]))
            names.append(found.get(2, b"?").decode(errors="replace"))
        elif kind == _PACKET:
            number, high, low, size, length = _PACKET_HEAD.unpack_from(body)
            start = _PACKET_HEAD.size
            options = dict(_options(body[start + (size + 3 & ~3) :]))
            flags = _LENGTH.unpack(options[2])[0] if 2 in options else 0
            data = body[start : start + size]
            yield Captured(high << 32 | low, names[number], Direction(flags & 3 if flags & 3 < 3 else 0), data, length)


def whole_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a stream into its blocks, and give each of them. An incomplete block at the end is left out.

    Raises ValueError.
    """
    rest = b""
    for piece in pieces:
        rest += piece
        at = 0
        while len(rest) - at >= _BLOCK.size:
            _, size = _BLOCK.unpack_from(rest, at)
            if size % 4 or not 12 <= size <= _BLOCK_MAX:
                raise ValueError("this is not the pcapng that was expected")
            if len(rest) - at < size:
                break
            yield rest[at : at + size]
            at += size
        rest = rest[at:]


def is_packet(block: bytes) -> bool:
    """Whether a block holds a packet."""
    return bool(_BLOCK.unpack_from(block)[0] == _PACKET)


def statistics_in(block: bytes) -> dict[int, Statistics]:
    """Decode an Interface Statistics Block: counts by the interface's number. Empty for a block of another kind."""
    if _BLOCK.unpack_from(block)[0] != _STATISTICS:
        return {}
    body = block[_BLOCK.size : -_LENGTH.size]
    (number,) = _LENGTH.unpack_from(body)
    told = dict(_options(body[_LENGTH.size + _BLOCK.size :]))
    received, accepted, dropped, delivered = (_U64.unpack(told.get(kind, bytes(8)))[0] for kind in (4, 6, 7, 8))
    return {number: Statistics(received, dropped, accepted, delivered)}


def _blocks(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    for block in whole_blocks(pieces):
        yield _BLOCK.unpack_from(block)[0], block[_BLOCK.size : -_LENGTH.size]


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _OPTION.size <= len(data):
        kind, size = _OPTION.unpack_from(data, offset)
        offset += _OPTION.size
        if kind == _END:
            return
        yield kind, data[offset : offset + size]
        offset += (size + 3) & ~3
