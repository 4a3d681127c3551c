"""Frames between two user datapaths, every framing, counted exactly; the largest and the too large."""

from __future__ import annotations

import dataclasses
import itertools
import socket
import sys

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Counters, TunnelCounters
from l2tpv3.model.spec import Encap, SessionSpec, Sublayer, parse_address
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.user.ends import COOKIES, End, mirrored, passes, session
from tests.hosts import UNDERLAY
from tests.waiting import PATIENCE_S

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_AUXDATA = 263, 8  # linux/if_packet.h

pytestmark = pytest.mark.root

ENCAPS = pytest.mark.parametrize(("encap", "family"), list(itertools.product(Encap, (4, 6))))


def all_framings() -> list[SessionSpec]:
    """A session for each length of cookie, in each direction, and each sublayer."""
    shapes = itertools.product(COOKIES, COOKIES, Sublayer)
    return [
        session(number, tx_cookie=COOKIES[tx][0], rx_cookie=COOKIES[rx][1], sublayer=sublayer)
        for number, (tx, rx, sublayer) in enumerate(shapes, start=1)
    ]


@ENCAPS
def test_every_framing_both_ways_with_exact_counters(ends: tuple[End, End], encap: Encap, family: int) -> None:
    a, b = ends
    sessions = all_framings()
    near, far = a.tunnel(b.host, family=family, encap=encap), b.tunnel(a.host, family=family, encap=encap)
    a.add(near, *sessions)
    b.add(far, *map(mirrored, sessions))
    sizes = [14, 60, 1414]
    for one in sessions:
        for source, target in ((a, b), (b, a)):
            passes(source.place(one), target.place(one), sizes)
    outer = 8 if encap is Encap.UDP else 4
    for one in sessions:
        sublayer = 4 if one.sublayer is Sublayer.DEFAULT else 0
        tx = sum(sizes) + len(sizes) * (outer + len(one.tx_cookie) + sublayer)
        rx = sum(sizes) + len(sizes) * (outer + len(one.rx_cookie) + sublayer)
        expected = Counters(tx_packets=len(sizes), tx_bytes=tx, rx_packets=len(sizes), rx_bytes=rx)
        assert a.counters(near, one) == expected, one
    assert a.seen(near).counters == TunnelCounters(rx_unknown_session=0, rx_control=0, rx_invalid=0, tx_too_long=0)


@ENCAPS
def test_what_is_longer_than_the_underlays_mtu_is_fragmented(ends: tuple[End, End], encap: Encap, family: int) -> None:
    a, b = ends
    one = session(mtu=9000)
    a.add(a.tunnel(b.host, family=family, encap=encap), one)
    b.add(b.tunnel(a.host, family=family, encap=encap), mirrored(one))
    passes(a.place(one), b.place(one), [9014, 60, 9013])


def test_a_frame_that_no_packet_can_hold_is_an_error_and_the_next_goes_on(ends: tuple[End, End]) -> None:
    """Others' bug: the UDP length, 16 bits, cut off what was over 65535."""
    a, b = ends
    for family, encap in ((4, Encap.UDP), (4, Encap.IP), (6, Encap.UDP)):
        number = family + (10 if encap is Encap.IP else 0)
        tunnels = [
            end.tunnel(other.host, family=family, encap=encap, tunnel_id=number, name=f"t{number}")
            for end, other in ((a, b), (b, a))
        ]
        one = session(number, mtu=65521)
        a.add(tunnels[0], one)
        b.add(tunnels[1], mirrored(one))
        longest = 65535 - (20 if family == 4 else 0) - (8 + 8 if encap is Encap.UDP else 4) - 8 - 4
        with packet_socket(a.place(one)) as sender, packet_socket(b.place(one)) as receiver:
            for size in (65535, longest + 1, longest, 60):
                sender.send(frame(size, size))
            assert collect(receiver, 2) == [frame(longest, longest), frame(60, 60)]
        counters = a.counters(tunnels[0], one)
        assert (counters.tx_errors, counters.tx_packets) == (2, 2), (family, encap)


def test_a_frame_over_the_mtu_is_counted_and_dropped(ends: tuple[End, End]) -> None:
    a, b = ends
    near, far, one = a.tunnel(b.host), b.tunnel(a.host), session(mtu=1400)
    a.add(near, one)
    b.add(far, mirrored(one, mtu=1000))
    with packet_socket(a.place(one)) as sender, packet_socket(b.place(one)) as receiver:
        for size in (1019, 1018, 1014):
            sender.send(frame(size, size))
        assert [len(got) for got in collect(receiver, 2)] == [1018, 1014]
    assert b.counters(far, mirrored(one)).rx_errors == 1
    b.datapath.set_session(far, mirrored(one, mtu=1400))
    passes(a.place(one), b.place(one), [1019])


def test_a_netdev_that_is_down_costs_errors_and_nothing_else(ends: tuple[End, End]) -> None:
    a, b = ends
    near, far, one = a.tunnel(b.host), b.tunnel(a.host), session()
    a.add(near, one)
    b.add(far, mirrored(one))
    b.host.ip("link", "set", one.ifname, "down")
    with packet_socket(a.place(one)) as sender:
        for number in range(5):
            sender.send(frame(60, number))
    far_one = mirrored(one)
    b.up(far_one)
    passes(a.place(one), b.place(one), [60])
    counters = b.counters(far, far_one)
    assert (counters.rx_errors, counters.rx_packets) == (5, 1)


def test_nobody_listening_at_the_peer_loses_no_frame_once_it_does(ends: tuple[End, End]) -> None:
    """An ICMP error that the socket was told is not the next frame's fault."""
    a, b = ends
    near, far, one = a.tunnel(b.host), b.tunnel(a.host), session()
    a.add(near, one)
    with packet_socket(a.place(one)) as sender:
        for number in range(20):
            sender.send(frame(60, number))
    b.add(far, mirrored(one))
    passes(a.place(one), b.place(one), [60, 61, 62])
    counters = a.counters(near, one)
    assert (counters.tx_packets, counters.tx_errors) == (23, 0)


def test_no_checksum_when_asked(ends: tuple[End, End]) -> None:
    a, b = ends
    for family in (4, 6):
        one = session(family)
        near, far = (
            end.tunnel(other.host, family=family, udp_checksum=False, tunnel_id=family, name=f"t{family}")
            for end, other in ((a, b), (b, a))
        )
        a.add(near, one)
        b.add(far, mirrored(one))
        with inside(b.host.netns):
            capture = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        with capture:
            capture.bind((UNDERLAY, _ETH_P_ALL))
            capture.settimeout(PATIENCE_S)
            passes(a.place(one), b.place(one), [60])
            header = 20 if family == 4 else 40
            while True:
                packet = capture.recv(2048)
                if packet[9 if family == 4 else 6] == 17:
                    break
            assert packet[header + 6 : header + 8] == b"\0\0"


def test_a_hub_has_one_port_for_all_its_spokes(ends: tuple[End, End]) -> None:
    a, b = ends
    b.host.ip("addr", "add", "10.99.0.3/24", "dev", UNDERLAY)
    first = a.tunnel(b.host, name="first")
    third = parse_address("10.99.0.3", "remote")
    second = dataclasses.replace(first, name="second", tunnel_id=2, remote=third)
    one, two = session(1), session(2)
    a.add(first, one)
    a.add(second, two)
    b.add(dataclasses.replace(b.tunnel(a.host), tunnel_id=1), mirrored(one))
    b.add(dataclasses.replace(b.tunnel(a.host), tunnel_id=2, name="t2", local=third), mirrored(two))
    for _ in range(2):
        for each in (one, two):
            passes(a.place(each), b.place(each), [60])
            passes(b.place(each), a.place(each), [60])
    assert [tunnel.counters.rx_unknown_session for tunnel in a.datapath.tunnels(a.host.netns)] == [0, 0]


def test_tunnels_over_ip_between_the_same_addresses_do_not_count_each_others_sessions(ends: tuple[End, End]) -> None:
    """Others' bug: a session id was taken for unique where it was not, or the reverse."""
    a, b = ends
    tunnels = [
        [end.tunnel(other.host, encap=Encap.IP, tunnel_id=number, name=f"t{number}") for number in (1, 2)]
        for end, other in ((a, b), (b, a))
    ]
    one, two = session(1), session(2)
    for end, (first, second), turn in ((a, tunnels[0], lambda s: s), (b, tunnels[1], mirrored)):
        end.add(first, turn(one))
        end.add(second, turn(two))
    for each in (one, two):
        passes(a.place(each), b.place(each), [60, 60])
        passes(b.place(each), a.place(each), [60, 60])
    for end in ends:
        assert all(tunnel.counters.rx_unknown_session == 0 for tunnel in end.datapath.tunnels(end.host.netns))
    a.datapath.del_tunnel(tunnels[0][0])
    passes(a.place(two), b.place(two), [60])
    passes(b.place(two), a.place(two), [60])


def test_a_session_id_may_repeat_in_another_tunnel_over_udp(ends: tuple[End, End]) -> None:
    """Others' bug: the session id alone was the key."""
    a, b = ends
    one = session(1)
    two = dataclasses.replace(one, name="s2", ifname="pw2")
    for number, each in ((1, one), (2, two)):
        ports = {"local_port": 5000 + number, "remote_port": 5000 + number}
        a.add(a.tunnel(b.host, tunnel_id=number, name=f"t{number}", **ports), each)
        b.add(b.tunnel(a.host, tunnel_id=number, name=f"t{number}", **ports), mirrored(each))
    for each in (one, two):
        passes(a.place(each), b.place(each), [60])


def test_link_local_addresses(ends: tuple[End, End]) -> None:
    a, b = ends
    a.host.ip("addr", "add", "fe80::a/64", "dev", UNDERLAY, "nodad")
    b.host.ip("addr", "add", "fe80::b/64", "dev", UNDERLAY, "nodad")
    near_address, far_address = (parse_address(f"fe80::{end}%{UNDERLAY}", "address") for end in "ab")
    one = session()
    near = dataclasses.replace(a.tunnel(b.host, family=6), local=near_address, remote=far_address)
    far = dataclasses.replace(b.tunnel(a.host, family=6), local=far_address, remote=near_address)
    a.add(near, one)
    b.add(far, mirrored(one))
    passes(a.place(one), b.place(one), [60])
    passes(b.place(one), a.place(one), [60])
    assert str(a.datapath.tunnels(a.host.netns)[0].remote) == f"fe80::b%{UNDERLAY}"


def test_cookies_and_ids_change_in_the_midst_of_traffic(ends: tuple[End, End]) -> None:
    a, b = ends
    near, far, one = a.tunnel(b.host), b.tunnel(a.host), session(cookie=4)
    a.add(near, one)
    b.add(far, mirrored(one))
    index = a.ifindexes()[one.ifname]
    other = dataclasses.replace(one, tx_cookie=b"12345678", rx_cookie=b"", sublayer=Sublayer.NONE)
    a.datapath.set_session(near, other)
    b.datapath.set_session(far, mirrored(other))
    passes(a.place(one), b.place(one), [60])
    passes(b.place(one), a.place(one), [60])
    assert a.session(near, one).tx_cookie == b"12345678"
    assert a.ifindexes()[one.ifname] == index


def test_vlan_tags_go_through(ends: tuple[End, End]) -> None:
    """Also on a frame of the whole MTU, which is then 4 bytes longer."""
    a, b = ends
    one = session()
    a.add(a.tunnel(b.host), one)
    b.add(b.tunnel(a.host), mirrored(one))
    plain = frame(1414, 7)
    tagged = plain[:12] + bytes.fromhex("8100000a") + plain[12:]
    with inside(b.host.netns):
        receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    with receiver, packet_socket(a.place(one)) as sender:
        receiver.bind((one.ifname, _ETH_P_ALL))
        receiver.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        receiver.settimeout(PATIENCE_S)
        sender.send(tagged)
        # The receiving kernel takes the tag out of the frame and tells it beside: struct tpacket_auxdata.
        data, ancillary, _, _ = receiver.recvmsg(2048, 256)
        assert data == plain
        assert int.from_bytes(ancillary[0][2][16:18], sys.byteorder) == 10
