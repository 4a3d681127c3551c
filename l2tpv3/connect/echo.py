"""Frames that any host with IPv6 answers: ICMPv6 echo requests (RFC 4443, section 4) to its link-local address.

They go from packet socket to netdev, whatever addresses this host has. The far end answers to the link-local address
that belongs to this netdev's MAC address (RFC 4291, appendix A), which a neighbour solicitation (RFC 4861, section 4.3)
has told it first.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Collection
from ipaddress import IPv6Address
from typing import Final

from l2tpv3.connect.frames import AGAIN_S, HEADER, opened, received, send

SMALLEST: Final = HEADER + 40 + 8
"""Bytes of the shortest frame with an echo request, its check sequence left out."""

_TYPE: Final = bytes.fromhex("86dd")
_ICMP6: Final = socket.IPPROTO_ICMPV6
_SOLICITATION, _ECHO_REQUEST, _ECHO_REPLY = 135, 128, 129
_SOURCE_ADDRESS: Final = b"\1\1"  # an option of 8 bytes: the link-layer address of who asks


def ask(ifname: str, mac: bytes, address: IPv6Address, lengths: Collection[int], seconds: float) -> set[int]:
    """Send echo requests in frames of these lengths until each is answered, or the time is over.

    mac, address: of the far end. Gives the lengths of the answers. Raises what `opened` does.
    """
    mark = secrets.token_bytes(4)
    answered: set[int] = set()
    give_up = time.monotonic() + seconds
    with opened(ifname) as packets:
        own = packets.getsockname()[4]
        ends = own, link_local(own), mac, address
        while (missing := set(lengths) - answered) and time.monotonic() < give_up:
            send(packets, _frame(*ends, _SOLICITATION, bytes(4) + address.packed + _SOURCE_ADDRESS + own))
            for length in sorted(missing):
                send(packets, _frame(*ends, _ECHO_REQUEST, mark + bytes(length - SMALLEST)))
            for frame in received(packets, time.monotonic() + AGAIN_S):
                if _answers(frame, address, mark):
                    answered.add(len(frame))
                if answered >= set(lengths):
                    break
    return answered & set(lengths)


def link_local(mac: bytes) -> IPv6Address:
    """The link-local address that belongs to a MAC address of 6 bytes."""
    return IPv6Address(b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:])


def _frame(own: bytes, source: IPv6Address, mac: bytes, target: IPv6Address, kind: int, rest: bytes) -> bytes:
    """A frame with an ICMPv6 message. rest: what comes behind its checksum."""
    message = bytes([kind, 0, 0, 0]) + rest
    pseudo_header = source.packed + target.packed + struct.pack("!II", len(message), _ICMP6)  # RFC 8200, section 8.1
    message = message[:2] + _checksum(pseudo_header + message) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), _ICMP6, 255) + source.packed + target.packed
    return mac + own + _TYPE + header + message


def _checksum(data: bytes) -> bytes:
    """The checksum of RFC 1071, of 2 bytes."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


def _answers(frame: bytes, address: IPv6Address, mark: bytes) -> bool:
    """Whether it is the answer to an echo request of ours, from that address."""
    packet = frame[HEADER:]
    is_reply = frame[12:14] == _TYPE and packet[6:7] == bytes([_ICMP6]) and packet[40:41] == bytes([_ECHO_REPLY])
    return is_reply and packet[8:24] == address.packed and packet[44:48] == mark
