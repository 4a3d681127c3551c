"""What hosts say of themselves: each frame in bytes, as its RFC has it, and broken ones."""

from __future__ import annotations

import random
from ipaddress import ip_address
from pathlib import Path

from l2tpv3.lan_hosts.frames import said
from l2tpv3.lan_hosts.table import STORM_PER_S, Table
from l2tpv3.lan_hosts.vendors import vendors

MAC = bytes.fromhex("020000000077")
ALL = b"\xff" * 6
ARP = ALL + MAC + bytes.fromhex("0806 0001 0800 0604 0001") + MAC + bytes([192, 0, 2, 7]) + bytes(10)


def _udp(port: int, payload: bytes, *, source: str = "192.0.2.7") -> bytes:
    head = bytes.fromhex("4500 0000 0000 0000 4011 0000") + ip_address(source).packed + b"\xff" * 4
    return ALL + MAC + b"\x08\x00" + head + bytes(2) + port.to_bytes(2, "big") + bytes(4) + payload


def dhcp(*, reply: bool, options: bytes) -> bytes:
    """A message of a client or a server."""
    return bytes([2 if reply else 1]) + bytes(235) + b"\x63\x82\x53\x63" + options


LLDP = bytes.fromhex("0180c200000e") + MAC + bytes.fromhex("88cc 0207 04") + MAC + b"\x0a\x07switch1" + b"\0\0"
MDNS = _udp(
    5353,
    bytes.fromhex("0000 8400 0000 0002 0000 0000")
    + b"\x07printer\x05local\0" + bytes.fromhex("0001 8001 00000078 0004") + bytes([192, 0, 2, 9])
    + b"\xc0\x0c" + bytes.fromhex("001c 8001 00000078 0010") + ip_address("fd00::9").packed,
)  # fmt: skip
DISCOVER = _udp(67, dhcp(reply=False, options=b"\x35\x01\x01\0\x0c\x06laptop\xff"), source="0.0.0.0")
OFFER = _udp(68, dhcp(reply=True, options=b"\x35\x01\x02\x36\x04" + bytes([192, 0, 2, 1]) + b"\xff"))


def test_what_each_kind_of_frame_tells() -> None:
    arp = said(ARP, 7)
    assert arp is not None and (arp.mac, arp.vlan, arp.group, str(arp.address)) == (MAC, 7, True, "192.0.2.7")
    tagged = said(ARP[:12] + bytes.fromhex("8100 2064") + ARP[12:])
    assert tagged is not None and tagged.vlan == 100 and str(tagged.address) == "192.0.2.7"
    lldp, discover, offer, mdns = (said(frame) for frame in (LLDP, DISCOVER, OFFER, MDNS))
    assert lldp is not None and lldp.names == (("switch1", None),) and lldp.vlan is None
    assert discover is not None and discover.names == (("laptop", None),) and discover.address is None
    assert offer is not None and str(offer.server) == "192.0.2.1"
    assert mdns is not None and str(mdns.address) == "192.0.2.7"
    assert [(name, str(address)) for name, address in mdns.names] == [
        ("printer.local", "192.0.2.9"),
        ("printer.local", "fd00::9"),
    ]


def test_no_frame_raises() -> None:
    draw = random.Random(7)
    for whole in (ARP, LLDP, MDNS, DISCOVER, OFFER):
        for _ in range(1500):
            broken = bytearray(whole[: draw.randrange(len(whole) + 1)])
            for _ in range(draw.randrange(3) if broken else 0):
                broken[draw.randrange(len(broken))] = draw.randrange(256)
            told = said(bytes(broken))
            assert told is None or all(len(name) <= 64 for name, _ in told.names)
    looping = MDNS[:42] + bytes.fromhex("0000 8400 0000 0001 0000 0000 c00c")
    assert said(looping) is not None, "a pointer that leads to itself comes to an end"


def test_what_is_wrong_on_a_lan() -> None:
    table = Table("session t/s")
    for frame in (ARP, LLDP, OFFER):
        told = said(frame)
        assert told is not None
        table.add(told, 1.0, far=True)
    assert list(table.findings(1.0)) == []
    other = bytes.fromhex("020000000088")
    again, rogue = said(ARP.replace(MAC, other)), said(OFFER.replace(bytes([192, 0, 2, 1]), bytes([192, 0, 2, 66])))
    mine = said(ARP)
    assert again is not None and rogue is not None and mine is not None
    table.add(again, 2.0, far=True)
    table.add(rogue, 2.0, far=True)
    table.add(mine, 2.0, far=False)
    table.add(mine, 3.0, far=True, stands_for=2 * STORM_PER_S)
    causes = {one.cause: one.says for one in table.findings(2.0)}
    assert set(causes) == {"broadcast-storm", "duplicate-mac", "duplicate-address", "second-dhcp-server"}
    assert "192.0.2.66" in causes["second-dhcp-server"] and "02:00:00:00:00:88" in causes["duplicate-address"]
    (first, second) = table.hosts(5.0, {"02:00:00": "Somebody"})
    assert (first.mac, first.age_s, first.names, first.vendor) == ("02:00:00:00:00:77", 2.0, ("switch1",), "Somebody")
    assert second.addresses == ("192.0.2.7",)


def test_what_is_kept_has_an_end() -> None:
    table = Table("session t/s")
    for number in range(6000):
        told = said(ALL + b"\x02\x01" + number.to_bytes(4, "big") + ARP[12:])
        assert told is not None
        table.add(told, 1.0, far=True)
    for number in range(100):
        told = said(ARP[:28] + bytes([192, 0, 2, number + 1]) + ARP[32:])
        assert told is not None
        table.add(told, 1.0, far=True)
    hosts = table.hosts(1.0, {})
    assert len(hosts) == 4096 and max(len(one.addresses) for one in hosts) <= 16


def test_vendors(tmp_path: Path) -> None:
    (tmp_path / "oui.txt").write_text("00-00-0C   (hex)\t\tCisco Systems, Inc\n00000C     (base 16)\t\tCisco\n")
    found = vendors({"00:00:0c", "02:00:00", "00:11:22"}, [tmp_path / "none", tmp_path / "oui.txt"])
    assert found == {"00:00:0c": "Cisco Systems, Inc"}
    assert vendors({"00:00:0c"}, [tmp_path / "none"]) == {}
