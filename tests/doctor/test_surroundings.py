"""Faults around a pseudowire: loops, addresses that two hosts have, VLANs that a bridge keeps out, queues that drop."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.doctor.case import Case
from l2tpv3.doctor.checks.dropped import CHECKS
from l2tpv3.doctor.host_drops import count
from l2tpv3.doctor.report import Report
from l2tpv3.doctor.shape import speaker_of
from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Harm
from l2tpv3.reconcile.notes import LookedAt
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.doctor.faults import Wire, bridged, harmful, the, wire
from tests.hosts import Hosts
from tests.sending import sending

pytestmark = pytest.mark.root

STRANGER = bytes.fromhex("020000000077")
_ARP_HEAD = bytes.fromhex("0806 0001 0800 0604 0001")


def _arp(source: bytes, address: str) -> bytes:
    packed = socket.inet_aton(address)
    return b"\xff" * 6 + source + _ARP_HEAD + source + packed + bytes(6) + packed + bytes(18)


def _netdev(pair: Wire) -> str:
    name: str = pair.b.session("t", "s").netdev.ifname
    return name


def _asked(pair: Wire, frame: bytes, *, listen_s: float = 0.6, burst: int = 1) -> Report:
    with sending(pair.b.host.netns, _netdev(pair), frame, burst=burst):
        report: Report = pair.a.doctor(("t",), listen_s=listen_s, probe=False)
    return report


@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_an_address_that_two_hosts_have(hosts: Hosts, datapath: str) -> None:
    pair = wire(hosts, tunnel={"datapath": datapath})
    assert harmful(_asked(pair, _arp(STRANGER, "10.9.0.3"))) == []
    found = the(_asked(pair, _arp(STRANGER, "10.9.0.1")), "duplicate-address")
    assert "02:00:00:00:00:77 says that it has address 10.9.0.1" in found.says and found.harm is Harm.LOSES


def test_a_broadcast_frame_that_goes_round(hosts: Hosts) -> None:
    pair = wire(hosts)
    found = the(_asked(pair, _arp(STRANGER, "10.9.0.3"), listen_s=2.0, burst=12), "loop")
    assert "the same broadcast frame" in found.says and "from 02:00:00:00:00:77" in found.evidence[0]


def test_a_host_that_is_heard_on_both_sides_of_a_bridge(hosts: Hosts) -> None:
    pair = bridged(hosts)
    frame = _arp(STRANGER, "10.9.0.3")
    with sending(pair.a.host.netns, "host", frame):
        report = None
        for _ in range(20):  # the bridge may just have heard it by the session: then it can't tell
            report = _asked(pair, frame, listen_s=0.3)
            if any(one.cause == "loop" for one in report.findings):
                break
    assert report is not None
    assert "frames from 02:00:00:00:00:77 come through session s, and br0 hears that one" in the(report, "loop").says


def test_a_rate_limit_that_drops(hosts: Hosts) -> None:
    pair = wire(hosts)
    limit = ["tc", "qdisc", "add", "dev", "u0", "root", "tbf", "rate", "8kbit", "burst", "1600", "limit", "1600"]
    pair.a.host.run(limit)
    with sending(pair.a.host.netns, pair.a.session("t", "s").netdev.ifname, _arp(STRANGER, "10.9.0.3"), burst=50):
        found = the(pair.a.doctor(("t",), listen_s=1.0, probe=False), "queue-full")
    assert "the queue (tbf) of netdev u0" in found.says and "a rate limit" in found.says
    assert "packets were dropped there" in found.evidence[0]


def test_a_socket_that_is_full(hosts: Hosts, tmp_path: Path) -> None:
    memory = MemoryDatapath()
    manager = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    manager.add_tunnel("t", {"remote": "127.0.0.2", "local-port": 1801})
    (c,) = hosts.add("c")
    with inside(c.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as full:
        c.ip("link", "set", "lo", "up")
        full.bind(("127.0.0.1", 1801))
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        before = count(None, ())
        for _ in range(50):
            full.sendto(bytes(1000), ("127.0.0.1", 1801))
        after = count(None, ())
    assert before is not None and after is not None
    status = manager.tunnel("t")
    looked = LookedAt(record=manager.records()["t"], seen=None, status=status, host=None)  # type: ignore[arg-type]
    (found,) = CHECKS[0](Case(looked=looked, listened_s=1.0, counts=(before, after)))
    assert found.cause == "socket-full" and "UDP port 1801 is full" in found.says
    assert "packets were dropped there within 1 s" in found.evidence[0]
    busy = dataclasses.replace(after, busy={7: 0.95}, at=before.at + 1.0, backlog=before.backlog + 3)
    lazy = dataclasses.replace(before, busy={7: 0.0})
    working = dataclasses.replace(looked, status=dataclasses.replace(status, worker_pid=7))
    (found,) = CHECKS[0](Case(looked=working, listened_s=1.0, counts=(lazy, busy)))
    assert "worker 7 is at its limit: it used 95% of a CPU" in found.evidence[1] and "3 packets" in found.evidence[2]
    assert list(CHECKS[0](Case(looked=looked, counts=(after, after)))) == []
    assert count("/nowhere/at/all", ()) is None


def test_who_says_that_it_has_an_address() -> None:
    assert speaker_of(_arp(STRANGER, "192.0.2.1")) == socket.inet_aton("192.0.2.1")
    tagged = bytes.fromhex("8100 0007")
    assert speaker_of(_arp(STRANGER, "192.0.2.1")[:12] + tagged + _arp(STRANGER, "192.0.2.1")[12:]) is not None
    one, two = socket.inet_pton(socket.AF_INET6, "fd00::1"), socket.inet_pton(socket.AF_INET6, "fd00::2")
    head = bytes(6) + STRANGER + bytes.fromhex("86dd 60000000 0020 3aff")
    assert speaker_of(head + one + two + bytes([136, 0, 0, 0, 0, 0, 0, 0]) + two) == two
    assert speaker_of(head + one + two + bytes([135, 0, 0, 0, 0, 0, 0, 0]) + two) == one
    assert speaker_of(head + bytes(16) + two + bytes([135, 0, 0, 0, 0, 0, 0, 0]) + two) == two
    for broken in (b"", head, head + one, bytes(60), _arp(STRANGER, "0.0.0.0")):
        assert speaker_of(broken) is None
