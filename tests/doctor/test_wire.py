"""Faults that show in the packets which arrive: each is made on purpose, and named at the end that looks."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Harm
from tests.doctor.faults import COOKIES, the, wire
from tests.hosts import Hosts

pytestmark = pytest.mark.root

_WORDS: list[tuple[str, dict[str, Any], dict[str, Any], str, str, str]] = [
    ("cookie", {}, {"tx-cookie": "1" * 16}, "cookies", "nothing-accepted", "sends another cookie"),
    ("shorter cookie", {}, {"tx-cookie": "1" * 8}, "cookies", "nothing-accepted", "sends a cookie of 4 bytes"),
    ("no cookie", {}, {"tx-cookie": "none"}, "cookies", "nothing-accepted", "sends no cookie"),
    ("a cookie", {}, {"tx-cookie": "1" * 16}, "none", "nothing-accepted", "of 8 bytes, and session s expects none"),
    ("swapped", {"tx-cookie": COOKIES[1], "rx-cookie": COOKIES[0]}, {}, "cookies", "nothing-accepted", "are swapped"),
    ("no sublayer", {}, {"sublayer": "none"}, "cookies", "sublayer", "leaves the L2-specific sublayer out"),
    ("no sublayer nor cookie", {}, {"sublayer": "none"}, "none", "sublayer", "leaves the L2-specific sublayer out"),
    ("sublayer", {"sublayer": "none"}, {}, "cookies", "sublayer", "sends the L2-specific sublayer"),
    ("sublayer, no cookie", {"sublayer": "none"}, {}, "none", "sublayer", "sends the L2-specific sublayer"),
    ("numbers", {"sequencing": "recv"}, {}, "cookies", "nothing-accepted", "does not number its packets"),
    ("session id", {"id": 7}, {}, "cookies", "session-id", "id 1, which this end does not have; it has 7"),
    ("ids", {"id": 7, "peer-id": 8}, {"id": 7, "peer-id": 8}, "cookies", "session-id", "the ids are swapped"),
    ("MAC", {"mac": "02:00:00:00:00:01"}, {"mac": "02:00:00:00:00:01"}, "cookies", "own-mac", "both ends have one MAC"),
]  # fmt: skip


@pytest.mark.parametrize("datapath", ["user", "ebpf"])
@pytest.mark.parametrize(
    ("here", "there", "cookies", "cause", "said"), [one[1:] for one in _WORDS], ids=[one[0] for one in _WORDS]
)
def test_words_that_differ(
    hosts: Hosts, here: dict[str, Any], there: dict[str, Any], cookies: str, cause: str, said: str, datapath: str
) -> None:
    pair = wire(hosts, here=here, there=there, cookies=cookies == "cookies", tunnel={"datapath": datapath})
    report = pair.asked(pair.a)
    found = the(report, cause)
    assert said in found.says and found.remedy
    assert found.harm is (Harm.LOSES if cause == "own-mac" else Harm.STOPS)
    assert found is report.findings[0] and found.says in report.verdict
    assert "10.99.0.2:1701 > 10.99.0.1:1701" in found.evidence[0]
    assert not any(cookie in str(report) for cookie in COOKIES), "a cookie is a secret"


@pytest.mark.parametrize(
    ("tunnel", "there", "cause", "said"),
    [
        ({}, {"local-port": 1702}, "elsewhere", "come from 10.99.0.2 port 1702, not from the peer, which is 10.99.0.2"),
        ({}, {"remote-port": 1702}, "elsewhere", "sends to UDP port 1702, and the tunnel is at port 1701"),
        ({}, {"encap": "ip"}, "encap", "sends over IP protocol 115, and the tunnel is over UDP"),
        ({"encap": "ip"}, {"encap": "udp"}, "encap", "sends over UDP, and the tunnel is over IP protocol 115"),
    ],
)
def test_tunnels_that_differ(
    hosts: Hosts, tunnel: dict[str, Any], there: dict[str, Any], cause: str, said: str
) -> None:
    pair = wire(hosts, tunnel=tunnel, tunnel_there=there)
    found = the(pair.asked(pair.a), cause)
    assert said in found.says and found.remedy and found.harm is Harm.STOPS


def test_packets_from_another_address(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.b.host.ip("addr", "add", "10.99.0.3/24", "dev", "u0")
    pair.b.set_tunnel("t", {"local": "10.99.0.3"})
    found = the(pair.asked(pair.a), "elsewhere")
    assert "come from 10.99.0.3 port 1701" in found.says
    assert "`l2tpctl tunnel set t --remote 10.99.0.3`" in found.remedy


def test_packets_without_checksums(hosts: Hosts) -> None:
    pair = wire(hosts, family=6, tunnel_there={"udp-checksum": "off"})
    found = the(pair.asked(pair.a), "no-checksum")
    assert "without a checksum" in found.says and "[fd99::2]:1701 > [fd99::1]:1701" in found.evidence[0]


@pytest.mark.parametrize(("version", "kind", "name"), [(3, 6, "HELLO of L2TPv3"), (2, 1, "SCCRQ of L2TPv2")])
def test_a_peer_that_wants_to_talk(hosts: Hosts, version: int, kind: int, name: str) -> None:
    pair = wire(hosts)
    pair.b.del_tunnel("t")
    message = struct.pack("!HHIHHHHHH", 0xC800 | version, 20, 0, 0, 0, 0x8008, 0, 0, kind)
    with inside(pair.b.host.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind((pair.b.host.v4, 1701))
        meanwhile = threading.Timer(0.3, peer.sendto, (message, (pair.a.host.v4, 1701)))
        meanwhile.start()
        report = pair.a.doctor(("t",), listen_s=0.8, probe=False)
        meanwhile.join()
    found = the(report, "control")
    assert f"the peer sends {name}" in found.says and "static" in found.remedy


def test_a_peer_without_the_tunnel(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.b.del_tunnel("t")
    pair.shout(pair.a)
    report = pair.a.doctor(("t",), listen_s=0.6, probe=False)
    found = the(report, "refused")
    assert "ICMP port unreachable" in found.says and found.evidence[0].startswith("ICMP type 3 code 3 from 10.99.0.2")


def test_forged_packets_beside_right_ones_stop_nothing(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.b.add_session("t", "forged", {"id": 9, "peer-id": 1, "tx-cookie": "1" * 16, "rx-cookie": "none"})
    with inside(pair.b.host.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind(("l2tpeth1", 0x0800))
        frame = bytes(6) + b"\x02" + bytes(5) + b"\x08\x00\x45" + bytes(45)
        meanwhile = threading.Timer(0.3, sender.send, (frame,))
        meanwhile.start()
        report = pair.asked(pair.a)
        meanwhile.join()
    found = the(report, "nothing-accepted")
    assert found.harm is Harm.NONE and "may be forged" in found.evidence[1]
    assert report.verdict.startswith("tunnel t: nothing is wrong")
