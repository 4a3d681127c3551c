"""Takes packets apart as a packet socket of type SOCK_DGRAM gives them, from their IP header on. No I/O.

Whatever is not understood gives None: what comes by the network is never a reason to fail.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from l2tpv3.value_class import value_class
from l2tpv3.wire.data import L2TP_IP_PROTOCOL

UDP: Final = 17
_ICMP, _ICMP6 = 1, 58
_UNREACHABLE, _EXPIRED, _UNREACHABLE6, _TOO_BIG6, _EXPIRED6 = 3, 11, 1, 2, 3  # RFC 792, RFC 4443
_IPV6_HEADER, _UDP_HEADER, _ICMP_HEADER = 40, 8, 8

IPAddress = IPv4Address | IPv6Address


@value_class(frozen=True, slots=True, kw_only=True)
class Packet:
    """One that carries L2TP, perhaps. Ports are 0 over IP. payload: what follows the UDP or IP header.

    checksum: whether UDP has one; True over IP, which needs none.
    """

    source: IPAddress
    destination: IPAddress
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    checksum: bool = True
    payload: bytes = b""


@value_class(frozen=True, slots=True, kw_only=True)
class IcmpError:
    """An ICMP error from `sender` about a packet that this host sent. kind: its type and code."""

    sender: IPAddress
    kind: tuple[int, int]
    about: Packet


def parse(raw: bytes) -> Packet | IcmpError | None:
    """Take a packet apart. None: neither UDP, nor protocol 115, nor an ICMP error about such a one; or a later part."""
    found = _outer(raw)
    if found is None:
        return None
    source, destination, protocol, rest = found
    if protocol in (_ICMP, _ICMP6):
        return _error(source, protocol, rest)
    return _carried(source, destination, protocol, rest)


def _outer(raw: bytes) -> tuple[IPAddress, IPAddress, int, bytes] | None:
    """The addresses and the protocol of an IP packet, and what follows its header."""
    version = raw[0] >> 4 if raw else 0
    if version == 4 and len(raw) >= 20:
        if int.from_bytes(raw[6:8], "big") & 0x1FFF:
            return None
        return IPv4Address(raw[12:16]), IPv4Address(raw[16:20]), raw[9], raw[(raw[0] & 0x0F) * 4 :]
    if version == 6 and len(raw) >= _IPV6_HEADER:
        return IPv6Address(raw[8:24]), IPv6Address(raw[24:40]), raw[6], raw[_IPV6_HEADER:]
    return None


def _carried(source: IPAddress, destination: IPAddress, protocol: int, rest: bytes) -> Packet | None:
    if protocol == L2TP_IP_PROTOCOL:
        return Packet(source=source, destination=destination, protocol=protocol, payload=rest)
    if protocol != UDP or len(rest) < _UDP_HEADER:
        return None
    return Packet(
        source=source,
        destination=destination,
        protocol=protocol,
        source_port=int.from_bytes(rest[0:2], "big"),
        destination_port=int.from_bytes(rest[2:4], "big"),
        checksum=rest[6:8] != b"\0\0",
        payload=rest[_UDP_HEADER:],
    )


def _error(sender: IPAddress, protocol: int, rest: bytes) -> IcmpError | None:
    kinds = (_UNREACHABLE, _EXPIRED) if protocol == _ICMP else (_UNREACHABLE6, _TOO_BIG6, _EXPIRED6)
    if len(rest) < _ICMP_HEADER or rest[0] not in kinds:
        return None
    inner = _outer(rest[_ICMP_HEADER:])
    about = _carried(*inner) if inner is not None else None
    return IcmpError(sender=sender, kind=(rest[0], rest[1]), about=about) if about is not None else None
