"""Netlink messages and attributes: bytes ↔ values, no I/O.

Integers are in host order (include/uapi/linux/netlink.h).
"""

from __future__ import annotations

import errno
import os
from struct import Struct
from typing import Final

NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
NLM_F_REQUEST: Final = 0x1
NLM_F_MULTI: Final = 0x2
NLM_F_ACK: Final = 0x4
NLM_F_DUMP_INTR: Final = 0x10
NLM_F_REPLACE: Final = 0x100
NLM_F_EXCL: Final = 0x200
NLM_F_DUMP: Final = 0x300
NLM_F_CREATE: Final = 0x400
NLM_F_CAPPED: Final = 0x100
NLM_F_ACK_TLVS: Final = 0x200
NLA_F_NESTED: Final = 0x8000
NLA_TYPE_MASK: Final = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER."""

_NLMSGERR_ATTR_MSG: Final = 1

HEADER = Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, port id."""
_ATTRIBUTE = Struct("=HH")
_U8, _U16, _U32, _U64, _S32 = Struct("=B"), Struct("=H"), Struct("=I"), Struct("=Q"), Struct("=i")

Span = tuple[int, int]
"""The offsets at which something begins and ends in a datagram."""


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A request of type `kind`; `flags` beside NLM_F_REQUEST. body: the family's header and the attributes."""
    return HEADER.pack(HEADER.size + len(body), kind, flags | NLM_F_REQUEST, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four bytes. kind: NLA_F_NESTED in it when `value` is attributes again."""
    size = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(size, kind) + value + bytes(-size % 4)


def u8(value: int) -> bytes:
    """An unsigned number of 8 bits, as an attribute's value."""
    return _U8.pack(value)


def u16(value: int) -> bytes:
    """An unsigned number of 16 bits, as an attribute's value."""
    return _U16.pack(value)


def u32(value: int) -> bytes:
    """An unsigned number of 32 bits, as an attribute's value."""
    return _U32.pack(value)


def zero_terminated(value: str) -> bytes:
    """Text as an attribute's value. Names of netdevs and files may be any bytes: see os.fsencode."""
    return os.fsencode(value) + b"\0"


class Answer:
    """The answer to one request, gathered datagram by datagram: feed until it says that it is complete.

    sequence: the request's. datagrams: those that hold payload; spans: per datagram, where each
    message's attributes begin and end.
    `family_header`: the bytes before them that the family has (4 in generic netlink). interrupted: things came and went
    while the kernel listed them, so some may be missing.
    """

    def __init__(self, sequence: int, family_header: int = 4) -> None:
        self.sequence = sequence
        self._skip = HEADER.size + family_header
        self.datagrams: list[tuple[bytes, list[Span]]] = []
        self.interrupted = False

    def feed(self, datagram: bytes) -> bool:
        """Take one datagram; True when the kernel has said everything.

        Raises OSError where the kernel refused, with its own words, or with EBADMSG for a message of a wrong length.
        """
        spans: list[Span] = []
        complete = False
        offset, size, skip, mine = 0, len(datagram), self._skip, self.sequence
        unpack, header = HEADER.unpack_from, HEADER.size
        while offset + header <= size:
            length, kind, flags, sequence, _ = unpack(datagram, offset)
            end = offset + length
            if length < header or end > size:
                raise OSError(errno.EBADMSG, "netlink message with a wrong length")
            if sequence == mine:
                if flags & NLM_F_DUMP_INTR and kind != NLMSG_ERROR:
                    self.interrupted = True
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    complete = True
                    _raise_refusal(datagram, offset + header, end, kind, flags)
                else:
                    spans.append((offset + skip, end))
            offset = (end + 3) & ~3
        if spans:
            self.datagrams.append((datagram, spans))
        return complete


def _raise_refusal(datagram: bytes, offset: int, end: int, kind: int, flags: int) -> None:
    """OSError if an acknowledgement or the end of a dump carries an error number, with the extended text if any."""
    if end - offset < _S32.size or (number := -_S32.unpack_from(datagram, offset)[0]) <= 0:
        return
    text = ""
    if flags & NLM_F_ACK_TLVS and kind == NLMSG_ERROR:
        # nlmsgerr: the number, then the request: its header alone when capped.
        length = HEADER.size if flags & NLM_F_CAPPED else _U32.unpack_from(datagram, offset + 4)[0]
        found = attributes(datagram, offset + 4 + ((length + 3) & ~3), end).get(_NLMSGERR_ATTR_MSG)
        text = text_of(datagram, found) if found else ""
    raise OSError(number, text or os.strerror(number))


def attributes(datagram: bytes, offset: int, end: int) -> dict[int, Span]:
    """Attribute number → where its value begins and ends. A malformed rest is left out."""
    found: dict[int, Span] = {}
    header, unpack = _ATTRIBUTE.size, _ATTRIBUTE.unpack_from
    while offset + header <= end:
        length, kind = unpack(datagram, offset)
        if length < header or offset + length > end:
            break
        found[kind & NLA_TYPE_MASK] = (offset + header, offset + length)
        offset += (length + 3) & ~3
    return found


def unsigned(datagram: bytes, span: Span | None) -> int:
    """An unsigned integer of the width that the attribute has; 0 when it is absent."""
    if span is None:
        return 0
    width = span[1] - span[0]
    if width == 1:
        return datagram[span[0]]
    layout = {2: _U16, 4: _U32, 8: _U64}.get(width)
    return int(layout.unpack_from(datagram, span[0])[0]) if layout else 0


def text_of(datagram: bytes, span: Span) -> str:
    """Text up to its zero; what is no UTF-8 in it is shown as escapes."""
    return datagram[span[0] : span[1]].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
