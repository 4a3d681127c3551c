"""Frames of full size between two user datapaths, in several packets of which none is an IP fragment (RFC 4623)."""

from __future__ import annotations

import dataclasses
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec
from l2tpv3.wire.data import FIRST, INTERMEDIATE, LAST, WHOLE
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.datapath.user.relay import FAR_PORT, NEAR_PORT, Relay
from tests.hosts import UNDERLAY
from tests.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.root

ENCAPS = pytest.mark.parametrize(("encap", "family"), list(itertools.product(Encap, (4, 6))))
_BITS = FIRST | LAST | INTERMEDIATE
_ETH_P_ALL = 3


def fragments_made(end: End) -> int:
    """How many IP fragments a host has made of its packets."""
    netns = end.host.netns
    with inside(netns):
        with Path("/proc/thread-self/net/snmp").open(encoding="ascii") as file:
            heads, values = [line.split() for line in file if line.startswith("Ip:")]
        with Path("/proc/thread-self/net/snmp6").open(encoding="ascii") as file:
            v6 = dict(line.split() for line in file)
    return int(dict(zip(heads, values, strict=True))["FragCreates"]) + int(v6["Ip6FragCreates"])


def join(ends: tuple[End, End], one: SessionSpec, **tunnel: Any) -> tuple[TunnelSpec, TunnelSpec]:
    """Make a session between the ends; gives both tunnels."""
    a, b = ends
    near, far = a.tunnel(b.host, **tunnel), b.tunnel(a.host, **tunnel)
    a.add(near, one)
    b.add(far, mirrored(one))
    return near, far


@ENCAPS
def test_frames_of_full_size_need_no_ip_fragments(ends: tuple[End, End], encap: Encap, family: int) -> None:
    a, b = ends
    cookie = {Encap.UDP: 8, Encap.IP: 0}[encap]
    one = session(cookie=cookie, fragment=True, mtu=1500)
    near, far = join(ends, one, encap=encap, family=family)
    room = 1500 - (20 if family == 4 else 40) - (16 if encap is Encap.UDP else 4) - cookie - 4
    sizes = [14, room - 1, room, room + 1, 1513, 1514, 60]
    passes(a.place(one), b.place(one), sizes)
    passes(b.place(one), a.place(one), sizes)
    assert (fragments_made(a), fragments_made(b)) == (0, 0)
    there = b.counters(far, mirrored(one))
    parts = 2 * sum(size > room for size in sizes)
    assert (there.rx_fragments, there.rx_reassembled) == (parts, parts // 2)
    assert (there.rx_packets, there.rx_incomplete, there.rx_errors) == (len(sizes) + parts // 2, 0, 0)
    here = a.counters(near, one)
    assert (here.tx_fragments, here.tx_packets) == (parts, there.rx_packets)
    assert here.tx_bytes == there.rx_bytes


def test_without_it_they_do(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(mtu=1500)
    join(ends, one)
    passes(a.place(one), b.place(one), [1514])
    assert fragments_made(a) > 0


@pytest.mark.parametrize("encap", Encap)
def test_frames_of_nine_thousand_bytes(ends: tuple[End, End], encap: Encap) -> None:
    a, b = ends
    one = session(fragment=True, mtu=9000)
    near, _ = join(ends, one, encap=encap)
    passes(a.place(one), b.place(one), [9014, 60, 9013, 4000, 9014])
    assert fragments_made(a) == 0
    assert a.counters(near, one).tx_fragments == 3 * 7 + 3


def test_many_at_once_come_in_order(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(fragment=True, mtu=1500)
    join(ends, one)
    passes(a.place(one), b.place(one), [1514] * 50 + [60, 1514, 1513] * 5)
    assert fragments_made(a) == 0


@pytest.mark.parametrize("egress", ["remove", "rewrite"])
def test_a_vlan_pseudowire(ends: tuple[End, End], egress: str) -> None:
    """Frames with the tag that is put in, and those that a batch of unlike frames is sent one by one for."""
    a, b = ends
    one = session(fragment=True, mtu=1500, vlan=7)
    near, _ = join(ends, one)
    if egress == "remove":
        passes(a.place(one), b.place(one), [1514, 60, 1514, 1448, 1449])
    with packet_socket(a.place(one)) as sender, packet_socket(b.place(one)) as receiver:
        priority = bytes.fromhex("8100a000")  # of a tag without a number, which such a batch is unlike
        for number in range(3):
            plain = frame(1514, number)
            sender.send(plain[:12] + priority + plain[12:])
            sender.send(plain)
        received = collect(receiver, 3)
    assert received[:1] == [frame(1514, 0)]
    assert fragments_made(a) == 0
    assert a.counters(near, one).tx_errors == 0


def test_a_route_of_another_mtu_is_noticed(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(fragment=True, mtu=1500)
    near, _ = join(ends, one)
    passes(a.place(one), b.place(one), [1400])
    assert a.counters(near, one).tx_fragments == 0
    for end in ends:
        end.host.ip("link", "set", UNDERLAY, "mtu", "1300")
    passes(a.place(one), b.place(one), [1400, 1514])
    assert a.counters(near, one).tx_fragments == 4
    assert fragments_made(a) == 0


def test_switched_on_and_off_between_frames(ends: tuple[End, End]) -> None:
    a, b = ends
    one = session(mtu=1500)
    near, far = join(ends, one)
    for fragment in (True, False, True):
        now = dataclasses.replace(one, fragment=fragment)
        a.datapath.set_session(near, now)
        b.datapath.set_session(far, mirrored(now))
        assert a.session(near, now).fragment is fragment
        passes(a.place(one), b.place(one), [1514, 60])


@pytest.fixture
def relay(ends: tuple[End, End]) -> Iterator[Relay]:
    """Between the two ends."""
    with Relay(*ends) as one:
        yield one


def test_a_lost_part_loses_one_frame(ends: tuple[End, End], relay: Relay) -> None:
    a, b = ends
    one = session(fragment=True, mtu=4000, reorder_timeout_ms=0)
    other = mirrored(one)
    near, far = a.tunnel(b.host, remote_port=NEAR_PORT), b.tunnel(b.host, remote_port=FAR_PORT)
    far = dataclasses.replace(far, local=near.remote)
    a.add(near, one)
    b.add(far, other)
    sizes = [60, 4014, 1514, 100]
    frames = [frame(size, number) for number, size in enumerate(sizes)]
    with packet_socket(a.place(one)) as sender, packet_socket(b.place(other)) as receiver:
        for sent in frames:
            sender.send(sent)
        packets = relay.from_near(1 + 3 + 2 + 1)
        bits = [int.from_bytes(packet[16:20], "big") & _BITS for packet in packets]
        assert bits == [WHOLE, FIRST, INTERMEDIATE, LAST, FIRST, LAST, WHOLE]
        assert max(map(len, packets)) + 28 <= 1500
        relay.to_far([packet for number, packet in enumerate(packets) if number != 2])
        assert collect(receiver, 3) == [frames[0], *frames[2:]]
        counters = b.counters(far, other)
        assert (counters.rx_incomplete, counters.rx_reassembled, counters.rx_errors) == (1, 1, 2)
        assert counters.rx_packets == 4

        sender.send(frames[2])
        first, _ = relay.from_near(2)
        relay.to_far([first])
        eventually(lambda: b.counters(far, other).rx_incomplete == 2, "half a frame is kept for ever")


def test_packets_are_of_one_size_for_one_call(ends: tuple[End, End]) -> None:
    """The parts of a batch of full frames are sent as one (UDP_SEGMENT): all of one length, as captures show."""
    a, b = ends
    one = session(fragment=True, mtu=1500)
    join(ends, one)
    with inside(b.host.netns):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with tap:
        tap.bind((UNDERLAY, _ETH_P_ALL))
        tap.settimeout(PATIENCE_S)
        passes(a.place(one), b.place(one), [1514] * 8)
        lengths: list[int] = []
        while sum(lengths) < 8 * 1514:
            lengths.append(len(tap.recv(65535)) - 42)
    assert all(length % (757 + 20) == 0 for length in lengths), lengths
