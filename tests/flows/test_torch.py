"""Flows through a real pseudowire, counted by the program in the kernel."""

from __future__ import annotations

import json
import os
import socket

import jsonschema
import pytest

from l2tpv3.documents.schemas import FLOWS_SCHEMA, json_schema
from l2tpv3.flows import counting
from l2tpv3.flows.counting import FlowCounter
from l2tpv3.flows.program import REST
from l2tpv3.flows.report import Flow, rates
from l2tpv3.linux.netns import inside
from l2tpv3.model.status import NetdevState
from tests.doctor.faults import Wire, wire
from tests.hosts import Hosts

pytestmark = pytest.mark.root

MACS = bytes.fromhex("020000000001 020000000002")
UDP = bytes.fromhex("4500 0020 0000 0000 4011 0000 0a010101 0a010102 07d0 0bb8 000c 0000 00000000")
SENDERS = ("0.0.0.0", "10.1.1.1", "::1", "02:00:00:00:00:02")
LATER_FRAGMENT = bytes.fromhex("4500 0020 0000 2001 4011 0000 0a010101 0a010102") + bytes(12)
TCP6 = bytes.fromhex("60000000 0014 0640") + bytes(15) + b"\1" + bytes(15) + b"\2" + b"\0\x50\1\xbb" + bytes(16)


def _netdev(pair: Wire) -> NetdevState:
    netdev: NetdevState = pair.a.session("t", "s").netdev
    return netdev


def _send(pair: Wire, *frames: bytes) -> None:
    with inside(pair.a.host.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((_netdev(pair).ifname, 0))
        for frame in frames:
            sender.send(frame)


def _counted(pair: Wire, *frames: bytes) -> tuple[Flow, ...]:
    """The flows of these frames, which a sends."""
    with inside(pair.a.host.netns), FlowCounter(_netdev(pair)) as counter:
        _send(pair, *frames)
        found = rates({}, counter.counted(), 1.0, 99).flows
    return tuple(one for one in found if one.source in SENDERS)  # the kernel sends some by itself


def test_each_kind_of_frame_is_its_flow(hosts: Hosts) -> None:
    pair = wire(hosts)
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - the names are all that matters
    (udp,) = _counted(pair, *[MACS + b"\x08\x00" + UDP] * 3)
    assert (udp.out, udp.protocol, udp.source, udp.destination) == (True, "udp", "10.1.1.1", "10.1.1.2")
    assert os.listdir("/proc/self/fd") == before, "socket, map and program are gone"  # noqa: PTH208
    assert (udp.source_port, udp.destination_port, udp.vlan) == (2000, 3000, None)
    assert (udp.packets_per_s, udp.bytes_per_s) == (3.0, 3.0 * 46)
    (tagged,) = _counted(pair, MACS + bytes.fromhex("8100 2064 86dd") + TCP6)
    assert (tagged.protocol, tagged.source, tagged.destination, tagged.vlan) == ("tcp", "::1", "::2", 100)
    assert (tagged.source_port, tagged.destination_port) == (80, 443)
    (fragment,) = _counted(pair, MACS + b"\x08\x00" + LATER_FRAGMENT)
    assert (fragment.protocol, fragment.source_port) == ("udp", None)
    (other,) = _counted(pair, MACS + bytes.fromhex("88b5") + bytes(50))
    assert (other.protocol, other.source, other.destination) == ("0x88b5", "02:00:00:00:00:02", "02:00:00:00:00:01")
    (short,) = _counted(pair, MACS + b"\x08\x00\x45")
    assert (short.protocol, short.packets_per_s) == ("IP protocol 0", 1.0), "a frame that is cut short"


def test_what_there_is_no_room_for_is_counted_in_one_sum(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "FLOWS", 8)
    pair = wire(hosts)
    frames = [MACS + b"\x08\x00" + UDP[:12] + bytes([10, 1, 2, number]) + UDP[16:] for number in range(30)]
    with inside(pair.a.host.netns), FlowCounter(_netdev(pair)) as counter:
        _send(pair, *frames)
        first = counter.counted()
        assert len(first) == 8 and first[REST][0] >= 23
        counter.counted()
        monkeypatch.setattr(counting, "_FULL", 4)
        counter.counted()  # those that stood still are forgotten
        assert set(counter.counted()) == {REST}


@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_what_comes_in_and_what_the_command_shows(hosts: Hosts, datapath: str) -> None:
    pair = wire(hosts, tunnel={"datapath": datapath})
    host = pair.a.host
    sending = host.start(["ping", "-q", "-n", "-i", "0.02", "10.9.0.2"])
    shown = host.ctl("torch", "t/s", "--once", "--interval", "0.7").stdout
    document = json.loads(host.ctl("torch", "t/s", "--once", "--json", "--interval", "0.7", "--count", "4").stdout)
    sending.terminate()
    jsonschema.validate(document, json_schema(FLOWS_SCHEMA))
    ways = {(one["out"], one["source"]) for one in document["flows"] if one["protocol"] == "icmp"}
    assert ways == {(True, "10.9.0.1"), (False, "10.9.0.2")}
    assert " · t/s · " in shown and any(line.split()[:3] == ["in", "icmp", "10.9.0.2"] for line in shown.splitlines())
    for words, code in ((("t",), 1), (("t/nope",), 3), (("t/s", "--count", "0"), 1)):
        assert host.ctl("torch", *words, "--once", check=False).returncode == code
