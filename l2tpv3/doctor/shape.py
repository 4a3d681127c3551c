"""How a packet's header is laid out, told from its bytes alone: where an ethernet frame begins in it. No I/O.

Nothing on the wire says how long a cookie is, or whether the sublayer is there (RFC 3931 section 4.1). But a frame's
type and the first bytes behind it are easily told from a header or a cookie.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from l2tpv3.wire.data import MIN_FRAME_BYTES, S_BIT, SEQUENCE_MASK

_VLAN_TAGS: Final = (0x8100, 0x88A8)
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_OTHERS: Final = frozenset({0x8847, 0x8848, 0x8863, 0x8864, 0x888E, 0x88B5, 0x88B6, 0x88CC, 0x88E5, 0x88F7, 0x9000})
"""MPLS, PPPoE, 802.1X, experiments, LLDP, MACsec, PTP, loopback: types that are common, and tell enough themselves."""
_LLC: Final = (b"\x42\x42\x03", b"\xaa\xaa\x03", b"\xfe\xfe\x03")
"""Spanning tree, SNAP, IS-IS: what follows a length in the place of a type (IEEE 802.2)."""
_LENGTH_MAX: Final = 1500
_ARP_ETHERNET: Final = b"\x00\x01\x08\x00\x06\x04"
_SOLICITATION, _ADVERTISEMENT = 135, 136  # of neighbours, ICMPv6
_RESERVED: Final = 0x8F000000
"""Bits of the default sublayer that are sent as 0 (RFC 3931 section 4.6, RFC 4623 section 4.1)."""


class Shape(NamedTuple):
    """cookie_length: bytes. sublayer: whether the default L2-specific sublayer is there."""

    cookie_length: int
    sublayer: bool


def shape_of(body: bytes) -> Shape | None:
    """The shape of a data packet, given what follows its session id. None where it can't be told."""
    at = frame_at(body, (0, 4, 8, 12))
    if at is None:
        return None
    sublayer = at >= 4 and is_sublayer(body[at - 4 : at])
    cookie = at - 4 * sublayer
    return Shape(cookie, sublayer) if cookie in (0, 4, 8) else None


def fits(rest: bytes, *, sublayer: bool) -> bool:
    """Whether what follows a cookie is as expected, with the default sublayer or without.

    Some MAC addresses have in them what is an EtherType elsewhere, so a packet may read both ways. Then it is right,
    unless it begins with four zeros and no sublayer is expected: no host has such a MAC address.
    """
    if sublayer:
        return is_sublayer(rest[:4]) and is_frame(rest[4:])
    return is_frame(rest) and not (rest[:4] == bytes(4) and is_frame(rest[4:]))


def frame_at(body: bytes, places: Iterable[int]) -> int | None:
    """The first of these places where a frame begins: behind its VLAN tag, a frame looks as if it began there, too."""
    return next((at for at in places if is_frame(body[at:])), None)


def is_sublayer(word: bytes) -> bool:
    """Whether four bytes may be a default sublayer: numbers only with the S bit, and no reserved bit."""
    value = int.from_bytes(word, "big")
    return not value & _RESERVED and bool(value & S_BIT or not value & SEQUENCE_MASK)


def is_frame(data: bytes) -> bool:
    """Whether bytes look like the beginning of an ethernet frame."""
    if len(data) < MIN_FRAME_BYTES or data[6] & 1 or not any(data[6:12]):  # a group, or nobody, sends nothing
        return False
    return _is_payload(int.from_bytes(data[12:14], "big"), data[14:])


def _is_payload(kind: int, payload: bytes) -> bool:
    if kind in _VLAN_TAGS:
        return len(payload) >= 4 and _is_payload(int.from_bytes(payload[2:4], "big"), payload[4:])
    if kind == _IPV4:
        return payload[:1] >= b"\x45" and payload[:1] <= b"\x4f"
    if kind == _IPV6:
        return payload[:1] >= b"\x60" and payload[:1] <= b"\x6f"
    if kind == _ARP:
        return payload[:4] == b"\x00\x01\x08\x00"
    return kind in _OTHERS or (kind <= _LENGTH_MAX and payload[:3] in _LLC)


def speaker_of(frame: bytes) -> bytes | None:
    """The IP address that a frame says its sender has, by ARP or neighbour discovery (RFC 826, RFC 4861).

    None where it says none, as in a question of duplicate address detection by ARP, whose address is zero.
    """
    kind, at = int.from_bytes(frame[12:14], "big"), 14
    if kind in _VLAN_TAGS:
        kind, at = int.from_bytes(frame[16:18], "big"), 18
    rest = frame[at:]
    if kind == _ARP and rest[:6] == _ARP_ETHERNET and len(rest) >= 28 and any(rest[14:18]):
        return rest[14:18]
    if kind == _IPV6 and rest[6:7] == b"\x3a" and len(rest) >= 64:
        if rest[40] == _ADVERTISEMENT:
            return rest[48:64]
        if rest[40] == _SOLICITATION:
            return rest[8:24] if any(rest[8:24]) else rest[48:64]  # from nobody: it is about to take that address
    return None
