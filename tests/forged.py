"""ICMP as somebody off the path forges it: "your packet was too long", about a packet that may never have been sent."""

from __future__ import annotations

import socket
import struct
from ipaddress import ip_address

from l2tpv3.linux.netns import inside
from tests.hosts import Host

UDP, ECHO_4, ECHO_6 = 17, 1, 58


def _checksum(data: bytes) -> int:
    words: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    words = (words >> 16) + (words & 0xFFFF)
    return ~(words + (words >> 16)) & 0xFFFF


def too_long(sender: Host, about: Host, family: int, *, protocol: int, mtu: int, port: int = 1701) -> None:
    """From `sender` to `about`: its packet of that protocol to `sender` is longer than the path's MTU.

    port: of UDP at both ends. protocol: an echo's needs nothing that listens (of IPv4 an answer's, see icmp_err() in
    net/ipv4/icmp.c).
    """
    target, source = ip_address(about.address(family)), ip_address(sender.address(family))
    inner = struct.pack("!HHHH", port, port, 1400, 0) if protocol == UDP else struct.pack("!BBHHH", 0, 0, 0, 1, 1)
    if family == 4:
        quoted = struct.pack("!BBHHHBBH", 0x45, 0, 1428, 1, 0, 64, protocol, 0) + target.packed + source.packed
        body = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quoted + inner
        body = body[:2] + struct.pack("!H", _checksum(body)) + body[4:]
        kind, number = socket.AF_INET, socket.IPPROTO_ICMP
    else:
        inner = inner if protocol == UDP else struct.pack("!BBHHH", 128, 0, 0, 1, 1)
        quoted = struct.pack("!IHBB", 6 << 28, 1400, protocol, 64) + target.packed + source.packed
        body = struct.pack("!BBHI", 2, 0, 0, mtu) + quoted + inner  # the kernel fills in ICMPv6's checksum
        kind, number = socket.AF_INET6, socket.IPPROTO_ICMPV6
    with inside(sender.netns), socket.socket(kind, socket.SOCK_RAW, number) as raw:
        raw.sendto(body, (str(target), 0))


def learnt_mtu(host: Host, to: Host, family: int) -> int:
    """The MTU that a host believes its route to another one to have, as `ip route get` tells it; 0: the netdev's."""
    words = host.ip(f"-{family}", "route", "get", to.address(family)).split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else 0
