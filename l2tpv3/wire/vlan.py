"""The tag of ethernet VLAN pseudowires (type 0x0004, RFC 4719): IEEE 802.1Q, the first after the two MAC addresses.

    destination (6) | source (6) | 0x8100 (2) | priority (3 bits), drop eligible (1 bit), VLAN (12 bits) | the rest

Every frame on the wire carries one. The end that takes a frame from its netdev (ingress) sees to that; the end that
gives it to a netdev (egress) removes it or writes its own number into it. Priority and drop eligibility, the 802.1p
bits, stay. Only 0x8100 is such a tag: one of 802.1ad (0x88a8) is content, as is any tag behind the first.
"""

from __future__ import annotations

from typing import Final

from l2tpv3.wire.data import Buffer

VLAN_MAX: Final = 4094
"""The highest number of a VLAN; 0 is a frame with a priority and no VLAN, 4095 is reserved (IEEE 802.1Q)."""
TAG_AT: Final = 12
"""The offset of the tag in a frame, in bytes."""
TAG_BYTES: Final = 4
TPID: Final = b"\x81\x00"
SHORTEST: Final = 18
"""Bytes of the shortest frame with a tag: MAC addresses, tag, ethertype."""
NUMBER_MASK: Final = 0x0FFF
"""Mask of the VLAN in the tag's second half (TCI); VLAN 0 is a frame with a priority alone."""


def number_of(frame: Buffer) -> int:
    """The VLAN of a frame, 0 when its tag has only a priority; -1 when it has no tag."""
    if len(frame) < SHORTEST or frame[TAG_AT] != TPID[0] or frame[TAG_AT + 1] != TPID[1]:
        return -1
    return (frame[TAG_AT + 2] << 8 | frame[TAG_AT + 3]) & NUMBER_MASK


def tag_of(vlan: int) -> bytes:
    """The four bytes of a tag of that VLAN, of priority 0."""
    return TPID + vlan.to_bytes(2, "big")


def imposed(frame: Buffer, vlan: int) -> bytes:
    """A frame as it goes onto the wire from a netdev that is in the VLAN untagged: with a tag of that number.

    A frame that has a priority alone gets the number into that tag, so that the priority stays. A tag of any other
    number is content, and stays behind the new one.
    """
    if number_of(frame) == 0:
        return _numbered(frame, vlan)
    return bytes(frame[:TAG_AT]) + tag_of(vlan) + bytes(frame[TAG_AT:])


def removed(frame: Buffer) -> bytes | None:
    """A frame from the wire as a netdev sees it that is in the VLAN untagged; None when it has no tag.

    One with 802.1p bits keeps them in a tag of number 0, which IEEE 802.1Q has for that: the frame still is of no VLAN.
    """
    if number_of(frame) < 0:
        return None
    if frame[TAG_AT + 2] & 0xF0:
        return _numbered(frame, 0)
    return bytes(frame[:TAG_AT]) + bytes(frame[TAG_AT + TAG_BYTES :])


def rewritten(frame: Buffer, vlan: int) -> bytes | None:
    """A frame from the wire with that number in its tag; None when it has no tag."""
    return None if number_of(frame) < 0 else _numbered(frame, vlan)


def _numbered(frame: Buffer, vlan: int) -> bytes:
    number = bytes((frame[TAG_AT + 2] & 0xF0 | vlan >> 8, vlan & 0xFF))
    return bytes(frame[: TAG_AT + 2]) + number + bytes(frame[TAG_AT + TAG_BYTES :])
