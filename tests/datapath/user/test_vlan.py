"""VLAN pseudowires between TAPs: tags on the wire as tshark reads them, 802.1p bits through, a TCP transfer, QEMU."""

from __future__ import annotations

import hashlib
import socket
import threading
from pathlib import Path

import pytest
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Egress, Encap, SessionSpec, Sublayer, TunnelSpec
from tests.contract.frames import Tap, packet_socket
from tests.datapath.user.ends import End, mirrored, session
from tests.datapath.user.test_qemu_peer import PORT, qemu
from tests.hosts import UNDERLAY
from tests.waiting import PATIENCE_S, eventually
from tests.wire.test_vlan import DOUBLE, PLAIN, SERVICE, tagged
from tests.wire.tshark import Sent, decode

pytestmark = pytest.mark.root


def joined(ends: tuple[End, End], near: SessionSpec, far: SessionSpec, *, encap: Encap = Encap.UDP) -> TunnelSpec:
    """Make a session between the ends; gives the near tunnel."""
    a, b = ends
    tunnel = a.tunnel(b.host, encap=encap)
    a.add(tunnel, near)
    b.add(b.tunnel(a.host, encap=encap), far)
    return tunnel


def carried(source: End, target: End, one: SessionSpec, frames: list[Packet], expected: list[Packet]) -> None:
    """Frames put into one netdev come out of the other as `expected`, and nothing else does.

    In any order: Linux hands tagged frames to packet sockets before untagged ones that came with them.
    """
    with Tap(target.place(one)) as receiver, packet_socket(source.place(one)) as sender:
        for frame in frames:
            sender.send(bytes(frame))
        received = receiver.collect(len(expected)) + receiver.collect(1, wait_s=0.05)
    assert [Ether(one) for one in sorted(received)] == [Ether(one) for one in sorted(map(bytes, expected))]


@pytest.mark.parametrize("encap", Encap)
def test_removed_at_both_ends_of_different_numbers(ends: tuple[End, End], encap: Encap) -> None:
    a, b = ends
    near = session(vlan=100)
    tunnel = joined(ends, near, mirrored(near, vlan=200), encap=encap)
    frames = [PLAIN, tagged(0, prio=5), tagged(0, prio=1, dei=1), DOUBLE, SERVICE]
    for source, target in ((a, b), (b, a)):
        carried(source, target, near, frames, frames)
    assert a.counters(tunnel, near).tx_packets == a.counters(tunnel, near).rx_packets == len(frames)


def test_rewritten_at_both_ends(ends: tuple[End, End]) -> None:
    a, b = ends
    near = session(vlan=100, egress=Egress.REWRITE)
    tunnel = joined(ends, near, mirrored(near, vlan=200))
    inner = [(0, 0, PLAIN), (5, 0, PLAIN), (3, 1, PLAIN), (2, 0, DOUBLE), (0, 0, SERVICE)]
    here, there = (
        [tagged(number, prio=prio, dei=dei, inside=one) for prio, dei, one in inner] for number in (100, 200)
    )
    others = [PLAIN, tagged(101), tagged(0, prio=5), SERVICE, tagged(101, inside=tagged(100))]
    carried(a, b, near, [*here, *others], there)
    carried(b, a, near, there, here)
    assert (a.counters(tunnel, near).tx_packets, a.counters(tunnel, near).tx_errors) == (len(here), len(others))


def test_rewritten_at_one_end_and_removed_at_the_other(ends: tuple[End, End]) -> None:
    a, b = ends
    near = session(vlan=100, egress=Egress.REWRITE)
    joined(ends, near, mirrored(near, vlan=200, egress=Egress.REMOVE))
    here = [tagged(100), tagged(100, prio=6), tagged(100, prio=2, dei=1, inside=DOUBLE)]
    there = [PLAIN, tagged(0, prio=6), tagged(0, prio=2, dei=1, inside=DOUBLE)]
    carried(a, b, near, here, there)
    carried(b, a, near, there, here)


def test_jumbo_frames_of_the_whole_mtu(ends: tuple[End, End]) -> None:
    a, b = ends
    near = session(vlan=100, mtu=8000)
    joined(ends, near, mirrored(near, vlan=200))
    big = PLAIN / Raw(bytes(8000 - 64))
    assert len(bytes(big)) == 8014
    carried(a, b, near, [big] * 70, [big] * 70)


def test_what_is_on_the_wire_as_tshark_reads_it(ends: tuple[End, End], tmp_path: Path) -> None:
    """Each packet has the sender's tag, and one alone: with its priority, over what was tagged already."""
    a, b = ends
    near = session(vlan=100)
    joined(ends, near, mirrored(near, vlan=200))
    with Tap((b.host.netns, UNDERLAY)) as capture:
        carried(a, b, near, [PLAIN, tagged(0, prio=5, dei=1), DOUBLE], [PLAIN, tagged(0, prio=5, dei=1), DOUBLE])
        seen = capture.collect(100, wait_s=0.3)
    packets = [one[14 + 20 + 8 :] for one in seen if one[12:14] == b"\x08\x00" and one[23] == socket.IPPROTO_UDP]
    packets = [one for one in packets if not one[0] & 0x80]  # no control messages
    fields = ["vlan.id", "vlan.priority", "vlan.dei", "vlan.etype"]
    sent = [Sent("udp", 4, one) for one in packets]
    assert decode(tmp_path / "x.pcap", sent, fields, cookie=8, sublayer="default") == [
        ["100", "0", "0", "0x88b5"],
        ["100", "5", "1", "0x88b5"],
        ["100,7", "0,3", "0,0", "0x8100,0x88b5"],
    ]


@pytest.mark.parametrize("prio", [0, pytest.param(5, marks=pytest.mark.kernel_l2tp)])  # its kernel has act_vlan
def test_a_tcp_transfer_is_whole(ends: tuple[End, End], prio: int) -> None:
    """Of megabytes, so that runs are sent and received at once; with a priority every frame has a tag at the netdev."""
    a, b = ends
    near = session(vlan=100, mtu=1446)
    tunnel = joined(ends, near, mirrored(near, vlan=200))
    for end, address in ((a, "10.9.0.1"), (b, "10.9.0.2")):
        end.host.ip("addr", "add", f"{address}/24", "dev", near.ifname)
        if prio:
            action = ["action", "vlan", "push", "id", "0", "priority", str(prio)]
            end.host.run(["tc", "qdisc", "add", "dev", near.ifname, "clsact"])
            end.host.run(["tc", "filter", "add", "dev", near.ifname, "egress", "matchall", *action])
    data = bytes(range(251)) * 100_000
    with inside(b.host.netns), socket.create_server(("10.9.0.2", 5000)) as server:
        server.settimeout(PATIENCE_S)
        received = hashlib.sha256()

        def take() -> None:
            with server.accept()[0] as stream:
                while part := stream.recv(1 << 16):
                    received.update(part)

        taker = threading.Thread(target=take)
        taker.start()
        with inside(a.host.netns):
            stream = socket.create_connection(("10.9.0.2", 5000), timeout=PATIENCE_S)
        with stream:
            stream.sendall(data)
        taker.join(PATIENCE_S)
    assert received.digest() == hashlib.sha256(data).digest()
    counters = a.counters(tunnel, near)
    assert (counters.rx_invalid, counters.rx_errors, counters.tx_errors) == (0, 0, 0)


def test_changes_in_place(ends: tuple[End, End]) -> None:
    a, b = ends
    near = session(vlan=100)
    tunnel = joined(ends, near, mirrored(near, vlan=200))
    index = a.ifindexes()[near.ifname]
    carried(b, a, near, [tagged(0, prio=3)], [tagged(0, prio=3)])
    a.datapath.set_session(tunnel, session(vlan=300, egress=Egress.REWRITE))
    carried(b, a, near, [tagged(0, prio=3)], [tagged(300, prio=3)])
    seen = a.session(tunnel, near)
    assert (seen.vlan, seen.egress, a.ifindexes()[near.ifname]) == (300, Egress.REWRITE, index)


@pytest.mark.parametrize("egress", Egress)
def test_qemu_carries_tagged_frames(ends: tuple[End, End], egress: Egress) -> None:
    """QEMU changes nothing: tags are at its TAP as they are on the wire."""
    a, b = ends
    one = session(cookie=8, sublayer=Sublayer.DEFAULT, vlan=100, egress=egress)
    tunnel = a.tunnel(b.host, remote_port=PORT)
    a.add(tunnel, one)
    qemu(a, b, encap=Encap.UDP, family=4, cookie=8, sublayer=Sublayer.DEFAULT)
    here = [tagged(100), tagged(100, prio=5)] if egress is Egress.REWRITE else [PLAIN, tagged(0, prio=5)]
    with Tap((b.host.netns, "qtap0")) as receiver, packet_socket(a.place(one)) as sender:
        for frame in here:
            sender.send(bytes(frame))
        assert [Ether(got) for got in receiver.collect(2)] == [
            Ether(bytes(f)) for f in (tagged(100), tagged(100, prio=5))
        ]
    with Tap(a.place(one)) as receiver, packet_socket((b.host.netns, "qtap0")) as sender:
        for frame in (tagged(9), tagged(9, prio=5), PLAIN):
            sender.send(bytes(frame))
        assert sorted(receiver.collect(2)) == sorted(bytes(frame) for frame in here)
    eventually(lambda: a.counters(tunnel, one).rx_invalid == 1, "what has no tag is counted")
