"""What is on the wire between two hosts: all packets of a netdev, from when it is opened on."""

from __future__ import annotations

import socket
import struct
from ipaddress import IPv6Network, ip_address
from typing import Self

from l2tpv3.linux.netns import inside

_ETH_P_ALL, _IPV4, _IPV6, _UDP, _L2TP = 3, 0x0800, 0x86DD, 17, 115
_UNIQUE_LOCAL, _UNDERLAY = IPv6Network("fd00::/8"), IPv6Network("fd99::/64")


class Wire:
    """Records a netdev's packets. Use in a `with` block."""

    def __init__(self, netns: str, ifname: str) -> None:
        with inside(netns):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self._socket.bind((ifname, _ETH_P_ALL))
        self._socket.settimeout(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def packets(self) -> list[tuple[int, bytes]]:
        """Ethertype and packet of all that has passed since the last call."""
        found: list[tuple[int, bytes]] = []
        while True:
            try:
                packet, address = self._socket.recvfrom(65536)
            except BlockingIOError:
                return found
            found.append((address[1], packet))


def is_wireguard(packet: bytes) -> bool:
    """Whether an IPv4 or IPv6 packet is UDP with a message of WireGuard in it (types 1 to 4)."""
    payload = _udp_payload(packet)
    return payload is not None and payload[:4] in (b"\1\0\0\0", b"\2\0\0\0", b"\3\0\0\0", b"\4\0\0\0")


def is_fragment(packet: bytes) -> bool:
    """Whether an IPv4 or IPv6 packet is a fragment of one (RFC 791: offset, MF; RFC 8200: header 44)."""
    if packet[0] >> 4 == 4:
        return bool(int.from_bytes(packet[6:8], "big") & 0x3FFF)
    return packet[6] == 44


def in_the_clear(kind: int, packet: bytes) -> str:
    """What of a tunnel shows in a packet, in words; "" for nothing: it is WireGuard's, ARP's, or the hosts' ICMP."""
    if kind not in (_IPV4, _IPV6):
        return ""
    ends = [ip_address(packet[at : at + 16]) for at in (8, 24)] if kind == _IPV6 else []
    if any(one in _UNIQUE_LOCAL and one not in _UNDERLAY for one in ends):
        return f"from {ends[0]} to {ends[1]}"
    protocol = packet[9] if kind == _IPV4 else packet[6]
    if protocol == _L2TP:
        return "L2TP over IP"
    if protocol == _UDP and not is_wireguard(packet):
        return f"UDP to port {struct.unpack_from('!H', packet, _header(packet) + 2)[0]}"
    return ""


def _header(packet: bytes) -> int:
    return (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40


def _udp_payload(packet: bytes) -> bytes | None:
    protocol = packet[9] if packet[0] >> 4 == 4 else packet[6]
    return packet[_header(packet) + 8 :] if protocol == _UDP else None
