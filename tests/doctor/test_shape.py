"""How packets are taken apart and told from one another, by their bytes."""

from __future__ import annotations

import random
from ipaddress import ip_address

import pytest

from l2tpv3.doctor.packet import IcmpError, Packet, parse
from l2tpv3.doctor.shape import Shape, fits, is_frame, shape_of

_MACS = bytes.fromhex("020000000001 020000000002")
_FRAMES = {
    "ipv4": _MACS + bytes.fromhex("0800 4500 0054") + bytes(40),
    "ipv6": _MACS + bytes.fromhex("86dd 6000 0000") + bytes(40),
    "arp": b"\xff" * 6 + _MACS[6:] + bytes.fromhex("0806 0001 0800 0604 0001") + bytes(20),
    "tagged": _MACS + bytes.fromhex("8100 0064 0800 4500") + bytes(40),
    "spanning tree": bytes.fromhex("0180c2000000") + _MACS[6:] + bytes.fromhex("0026 424203") + bytes(35),
    "lldp": bytes.fromhex("0180c200000e") + _MACS[6:] + bytes.fromhex("88cc 0207") + bytes(40),
}


@pytest.mark.parametrize("frame", _FRAMES.values(), ids=_FRAMES)
@pytest.mark.parametrize("cookie", [b"", b"\x91\x22\x33\x44", b"\x91\x22\x33\x44\x55\x66\x77\x88"])
@pytest.mark.parametrize("sublayer", [b"", bytes(4), b"\x40\x00\x00\x07"])
def test_where_a_frame_begins(frame: bytes, cookie: bytes, sublayer: bytes) -> None:
    assert shape_of(cookie + sublayer + frame) == Shape(len(cookie), bool(sublayer))


@pytest.mark.parametrize("inside", ["0806", "88cc", "8100", "86dd", "0800"])
def test_a_mac_address_that_reads_as_an_ethertype(inside: str) -> None:
    source = bytes.fromhex(f"0212{inside}60 45")
    frame = _MACS[:6] + source + bytes.fromhex("0800 4500 0054") + bytes(40)
    for sublayer in (bytes(4), b"\x40\x00\x00\x07"):
        assert fits(sublayer + frame, sublayer=True) and not fits(frame, sublayer=True)
    assert fits(frame, sublayer=False) and not fits(bytes(4) + frame, sublayer=False)


def test_random_bytes_have_no_shape() -> None:
    draw = random.Random(3)
    told = [shape_of(draw.randbytes(60)) for _ in range(20_000)]
    assert sum(one is not None for one in told) < 20
    assert not is_frame(b"") and not is_frame(bytes(60)) and shape_of(b"") is None


def test_packets_are_taken_apart_and_nothing_that_comes_raises() -> None:
    udp = bytes.fromhex("06a5 06a6 0014 0000 00030000 00000007 aabbccdd")
    ipv4 = bytes.fromhex("4500 0028 0000 0000 4011 0000 c0000201 c6336401")
    ends = {"source": ip_address("192.0.2.1"), "destination": ip_address("198.51.100.1"), "protocol": 17}
    ports = {"source_port": 1701, "destination_port": 1702}
    packet = Packet(**ends, **ports, checksum=False, payload=udp[8:])  # type: ignore[arg-type]
    assert parse(ipv4 + udp) == packet
    icmp = bytes.fromhex("4500 0040 0000 0000 4001 0000 c6336401 c0000201 0303 0000 00000000") + ipv4 + udp
    assert parse(icmp) == IcmpError(sender=ip_address("198.51.100.1"), kind=(3, 3), about=packet)
    assert parse(ipv4[:6] + b"\x00\x10" + ipv4[8:] + udp) is None, "a later fragment has no header of UDP"
    draw = random.Random(5)
    for whole in (ipv4 + udp, icmp):
        for _ in range(2000):
            broken = bytearray(whole[: draw.randrange(len(whole) + 1)])
            if broken:
                broken[draw.randrange(len(broken))] = draw.randrange(256)
            parse(bytes(broken))
