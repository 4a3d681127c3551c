"""Frames of the many kinds that are on an ethernet, of 34 bytes and more; of IPv6 no less than its header."""

from __future__ import annotations

import random
from struct import pack

_TO, _FROM = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
_ALL = b"\xff" * 6


def kinds(mtu: int) -> dict[str, bytes]:
    """A frame of each kind, by what it is; the longest are those of a netdev with that MTU, one with a tag on top."""
    return _named(mtu) | {f"random {number}": frame for number, frame in enumerate(_random(mtu))}


def _named(mtu: int) -> dict[str, bytes]:
    arp = bytes.fromhex("0001080006040001") + _FROM + bytes.fromhex("0a0900010000000000000a090002")
    spanning_tree = bytes.fromhex("424203") + bytes(35)
    long = bytes(number * 7 & 0xFF for number in range(mtu))
    tagged = {
        "802.1Q with IPv4": frame(0x8100, pack("!HH", 10, 0x0800) + ipv4(b"tagged")),
        "802.1Q with IPv6": frame(0x8100, pack("!HH", 0x2FFF, 0x86DD) + ipv6(b"tagged")),
        "802.1Q with ARP": frame(0x8100, pack("!HH", 10, 0x0806) + arp, to=_ALL),
        "802.1Q with LLC": frame(0x8100, pack("!HH", 10, 38) + spanning_tree),
        "802.1Q for priority": frame(0x8100, pack("!HH", 0xE000, 0x0800) + ipv4(b"urgent")),
        "802.1Q, all zero": frame(0x8100, pack("!HH", 0, 0x0806) + arp),
        "802.1Q, all ones": frame(0x8100, pack("!HH", 0xFFFF, 0x0800) + ipv4(b"last")),
        "802.1ad with IPv4": frame(0x88A8, pack("!HH", 20, 0x0800) + ipv4(b"service")),
        "802.1ad with ARP": frame(0x88A8, pack("!HH", 20, 0x0806) + arp),
        "QinQ with IPv4": frame(0x88A8, pack("!HHHH", 20, 0x8100, 30, 0x0800) + ipv4(b"both")),
        "QinQ with IPv6": frame(0x88A8, pack("!HHHH", 20, 0x8100, 30, 0x86DD) + ipv6(b"both")),
        "802.1Q twice": frame(0x8100, pack("!HHHH", 20, 0x8100, 30, 0x0800) + ipv4(b"both")),
        "802.1Q thrice": frame(0x8100, pack("!HHHHHH", 20, 0x8100, 30, 0x8100, 40, 0x86DD) + ipv6(b"all")),
        "802.1Q and nothing in it": frame(0x8100, pack("!HH", 10, 0x0800) + bytes(16)),
        "802.1Q, of the MTU": frame(0x8100, pack("!HH", 10, 0x0800) + ipv4(long[: mtu - 28])),
        "802.1Q with another, of the MTU": frame(0x8100, pack("!HH", 10, 0x88B5) + long),
    }
    plain = {
        "ARP": frame(0x0806, arp, to=_ALL),
        "IPv4 with UDP": frame(0x0800, ipv4(b"hello", protocol=17)),
        "IPv4 with TCP": frame(0x0800, ipv4(bytes(20), protocol=6)),
        "IPv4 with padding": frame(0x0800, ipv4(b"") + bytes(26)),
        "IPv4 with options": frame(0x0800, b"\x46" + ipv4(bytes(4) + b"option")[1:]),
        "IPv4, a fragment": frame(0x0800, ipv4(b"part")[:6] + b"\x20\x10" + ipv4(b"part")[8:]),
        "IPv4 with nothing": frame(0x0800, ipv4(b"")),
        "IPv4 to all": frame(0x0800, ipv4(b"all"), to=_ALL),
        "IPv4 to a group": frame(0x0800, ipv4(b"some"), to=bytes.fromhex("01005e000001")),
        "IPv4 that is longer than it says": frame(0x0800, ipv4(b"x") + bytes(100)),
        "IPv4 that is shorter than it says": frame(0x0800, ipv4(bytes(100))[:60]),
        "IPv4 with an L2TP packet": frame(0x0800, ipv4(pack("!I", 0x1001) + bytes(60), protocol=115)),
        "not IPv4 at all": frame(0x0800, b"\xff" * 40),
        "IPv6 with TCP": frame(0x86DD, ipv6(bytes(20), protocol=6)),
        "IPv6 with hop-by-hop options": frame(0x86DD, ipv6(b"\x3a\x00\x05\x02\x00\x00\x01\x00" + bytes(8), protocol=0)),
        "IPv6 to a group": frame(0x86DD, ipv6(b"some"), to=bytes.fromhex("333300000001")),
        "IPv6 with nothing": frame(0x86DD, ipv6(b"")),
        "not IPv6 at all": frame(0x86DD, b"\xff" * 60),
        "LLC": frame(38, spanning_tree, to=bytes.fromhex("0180c2000000")),
        "SNAP": frame(50, bytes.fromhex("aaaa03000000809b") + bytes(42)),
        "802.3 of the greatest length": frame(1500, long[:1500] if mtu >= 1500 else long),
        "a length of 0": frame(0, bytes(46)),
        "IPX": frame(100, b"\xff\xff" + bytes(98)),
        "PPPoE discovery": frame(0x8863, bytes.fromhex("110900000000") + bytes(40), to=_ALL),
        "PPPoE": frame(0x8864, bytes.fromhex("11000001") + bytes(44)),
        "MPLS": frame(0x8847, pack("!I", 16 << 12 | 1 << 8 | 64) + ipv4(b"label")),
        "MPLS, from above": frame(0x8848, pack("!I", 16 << 12 | 1 << 8 | 64) + ipv6(b"label")),
        "LLDP": frame(0x88CC, bytes(46), to=bytes.fromhex("0180c200000e")),
        "EAPOL": frame(0x888E, bytes(46), to=bytes.fromhex("0180c2000003")),
        "LOOP": frame(0x9000, bytes(46)),
        "0xFFFF": frame(0xFFFF, bytes(46)),
        "of the MTU": frame(0x88B5, long),
        "IPv4 of the MTU": frame(0x0800, ipv4(long[: mtu - 20])),
        "IPv6 of the MTU": frame(0x86DD, ipv6(long[: mtu - 40])),
    }
    return plain | tagged | {f"{size} bytes": frame(0x88B5, long[: size - 14]) for size in (34, 35, 36, 59, 60, 61, 64)}


def _random(mtu: int) -> list[bytes]:
    source = random.Random(5)
    types = [0x0800, 0x86DD, 0x8100, 0x88A8, 0x0806, 0x88B5, 0x8847, 60]
    sizes = [source.choice((source.randint(40, 120), source.randint(40, mtu))) for _ in range(120)]
    return [frame(source.choice(types), source.randbytes(size)) for size in sizes]


def frame(ethertype: int, payload: bytes, *, to: bytes = _TO) -> bytes:
    """A frame as it is sent, without FCS."""
    return to + _FROM + pack("!H", ethertype) + payload


def ipv4(payload: bytes, *, protocol: int = 253) -> bytes:
    """An IPv4 packet; its checksum is wrong, which is nobody's business on the way."""
    return pack("!BBHHHBBHII", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, 0x0A090001, 0x0A090002) + payload


def ipv6(payload: bytes, *, protocol: int = 253) -> bytes:
    """An IPv6 packet."""
    head = pack("!IHBB", 6 << 28, len(payload), protocol, 64)
    return head + bytes.fromhex(f"fd99{1:028x}") + bytes.fromhex(f"fd99{2:028x}") + payload
