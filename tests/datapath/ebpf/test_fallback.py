"""What the programs leave arrives all the same, by the worker; and what goes on without it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import struct
import time

import pytest

from l2tpv3.datapath.user.offloads import VARIABLE
from l2tpv3.errors import ExistsError
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec, parse_address
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.ebpf.ends import EbpfEnd, Passed, acquainted, passed
from tests.datapath.ebpf.streams import exchange_streams
from tests.datapath.user.ends import mirrored, passes, session
from tests.hosts import UNDERLAY, Host, Hosts, runs
from tests.waiting import eventually

pytestmark = pytest.mark.root

Ends = tuple[EbpfEnd, EbpfEnd]
SIZES = [60, 61, 1400]
NOBODY, WORKER = Passed(0, 0), len(SIZES)
_IP_OPTIONS = bytes([1, 1, 1, 0])  # RFC 791, 3.1: no operation, thrice, and the end
_TPACKET_OUTGOING = 4


def joined(ends: Ends, encap: Encap = Encap.UDP, family: int = 4) -> tuple[TunnelSpec, TunnelSpec, SessionSpec]:
    """A session, and its tunnel from both ends."""
    a, b = ends
    acquainted(a.host, b.host)
    one = session()
    near, far = (end.tunnel(other.host, encap=encap, family=family) for end, other in ((a, b), (b, a)))
    a.add(near, one)
    b.add(far, mirrored(one))
    return near, far, one


def by_programs(ends: Ends, near: TunnelSpec, one: SessionSpec) -> None:
    """Frames go both ways, and none by a's worker."""
    a, b = ends
    before = a.slow(near, one)
    passes(a.place(one), b.place(one), SIZES)
    passes(b.place(one), a.place(one), SIZES)
    assert a.slow(near, one) == before


@pytest.mark.parametrize("encap", Encap)
@pytest.mark.parametrize(("family", "mtu"), [(4, 600), (6, 1280)])
def test_what_the_outer_packet_has_to_be_cut_up_for(ends: Ends, encap: Encap, family: int, mtu: int) -> None:
    a, b = ends
    near, far, one = joined(ends, encap, family)
    a.host.ip("link", "set", UNDERLAY, "mtu", str(mtu))
    passes(a.place(one), b.place(one), [1414, 1400])
    assert a.slow(near, one) == Passed(0, 2)
    assert b.slow(far, mirrored(one)) == Passed(2, 0)
    passes(a.place(one), b.place(one), [500])
    assert a.slow(near, one) == Passed(0, 2), "what fits goes by the programs"
    assert b.counters(far, mirrored(one)).rx_packets == 3


@pytest.mark.parametrize(("family", "mtu"), [(4, "lock 1000"), (6, "lock 1280")])
def test_a_route_with_a_smaller_mtu(ends: Ends, family: int, mtu: str) -> None:
    """As where packets are forwarded, it counts when it is locked. One that comes later is told, and then heeded."""
    a, b = ends
    near, _, one = joined(ends, family=family)
    assert (a.seen(near).notes, a.datapath.outdated(near, [one])) == ((), [])
    a.host.ip("route", "add", b.host.address(family), "dev", UNDERLAY, "mtu", *mtu.split())
    assert [note for note in a.seen(near).notes if "MTU" in note and "restore" in note]
    assert a.datapath.outdated(near, [one]) == [one]
    a.datapath.set_session(near, one)
    assert (a.seen(near).notes, a.datapath.outdated(near, [one])) == ((), [])
    passes(a.place(one), b.place(one), [1414])
    assert a.slow(near, one) == Passed(0, 1)
    passes(a.place(one), b.place(one), [800])
    assert a.slow(near, one) == Passed(0, 1)
    a.host.ip("route", "del", b.host.address(family), "dev", UNDERLAY)
    assert a.datapath.outdated(near, [one]) == [one], "what ICMP says counts until it is made anew"


def test_a_smaller_mtu_that_a_router_advertises(ends: Ends) -> None:
    a, b = ends
    # Once the kernel notices that a netdev has come up, it sets IPv6's MTU to that of the netdev again.
    eventually(lambda: "state UP" in a.host.ip("link", "show", UNDERLAY))
    a.host.run(["sysctl", "-qw", f"net.ipv6.conf.{UNDERLAY}.mtu=1280"])
    near, _, one = joined(ends, family=6)
    for size in (1414, 1100):
        passes(a.place(one), b.place(one), [size])
    assert a.slow(near, one) == Passed(0, 1)


@pytest.mark.parametrize("encap", Encap)
@pytest.mark.parametrize("family", [4, 6])
def test_a_router_on_the_way_has_a_smaller_mtu(hosts: Hosts, encap: Encap, family: int) -> None:
    """It cuts up packets of IPv4. Those of IPv6 it refuses; that is not believed, since anybody can forge it, so the
    session needs an MTU that fits."""
    near, far, router = hosts.add("near", "far", "router")
    lines = []
    for number, host in enumerate((near, far), start=1):
        host.v4, host.v6 = f"10.9{number}.0.1", f"fd9{number}::1"
        mtu = 1500 if host is near else 1280
        lines += [f"link add r{number} mtu {mtu} type veth peer {UNDERLAY} netns {host.netns} mtu {mtu}"]
        lines += [f"addr add 10.9{number}.0.2/24 dev r{number}", f"addr add fd9{number}::2/64 dev r{number} nodad"]
        lines += [f"link set r{number} up"]
    router.ip_batch(lines)
    router.run(["sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    for number, host in enumerate((near, far), start=1):
        host.ip_batch([
            f"addr add {host.v4}/24 dev {UNDERLAY}", f"addr add {host.v6}/64 dev {UNDERLAY} nodad",
            f"link set {UNDERLAY} up", f"route add default via 10.9{number}.0.2",
            f"route add ::/0 via fd9{number}::2",
        ])  # fmt: skip
    eventually(lambda: near.ping(far.address(family), check=False), "the far host is reached")
    a, b = EbpfEnd.on(near), EbpfEnd.on(far)
    one = session()
    tunnel = a.tunnel(far, encap=encap, family=family)
    a.add(tunnel, one)
    b.add(b.tunnel(near, encap=encap, family=family), mirrored(one))
    with packet_socket(a.place(one)) as sender, packet_socket(b.place(one)) as receiver:
        if family == 6:
            sender.send(frame(1414, 0))
            time.sleep(0.1)
        size = 1414 if family == 4 else 1100
        sender.send(frame(size, 1))
        assert collect(receiver, 1) == [frame(size, 1)]
    assert a.slow(tunnel, one) == NOBODY


def outer(source: Host, target: Host, packet: bytes, *, encap: Encap = Encap.UDP, options: bytes = b"") -> None:
    """Send an IPv4 packet with an L2TP packet in it from a host to another."""
    protocol = 17 if encap is Encap.UDP else 115
    if encap is Encap.UDP:
        packet = struct.pack("!HHHH", 1701, 1701, 8 + len(packet), 0) + packet
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 0, 0, 0, 64, protocol, 0,
        socket.inet_aton(source.v4), socket.inet_aton(target.v4),
    )  # fmt: skip
    with inside(source.netns), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(header + options + packet, (target.v4, 0))  # the kernel adds length, identification and checksum


def data(one: SessionSpec, content: bytes, *, encap: Encap = Encap.UDP, number: int | None = None) -> bytes:
    """The data packet that has a frame of a session, to who has the peer's side of it."""
    number = one.peer_session_id if number is None else number
    start = b"\0\3\0\0" if encap is Encap.UDP else b""
    return start + number.to_bytes(4, "big") + one.tx_cookie + bytes(4) + content


@pytest.mark.parametrize("encap", Encap)
def test_packets_with_ip_options(ends: Ends, encap: Encap) -> None:
    a, b = ends
    _, far, one = joined(ends, encap)
    with packet_socket(b.place(one)) as receiver:
        outer(a.host, b.host, data(one, frame(100, 1), encap=encap), encap=encap)
        assert b.slow(far, mirrored(one)) == NOBODY
        outer(a.host, b.host, data(one, frame(101, 2), encap=encap), encap=encap, options=_IP_OPTIONS)
        assert collect(receiver, 2) == [frame(100, 1), frame(101, 2)]
    assert b.slow(far, mirrored(one)) == Passed(1, 0)


def test_what_is_no_sessions_packet_is_counted_by_the_worker(ends: Ends) -> None:
    a, b = ends
    _, far, one = joined(ends)
    outer(a.host, b.host, bytes.fromhex("c803000c 00000001 00000000"))  # a control message (RFC 3931, 3.2.1)
    outer(a.host, b.host, data(one, frame(60, 1), number=99))
    outer(a.host, b.host, bytes.fromhex("00020000") + data(one, frame(60, 1))[4:])  # version 2
    outer(a.host, b.host, data(one, b"")[:14])
    outer(a.host, b.host, data(one, frame(60, 1)).replace(one.tx_cookie, b"\xff" * 8))
    outer(a.host, b.host, data(one, bytes(13)))
    eventually(lambda: b.seen(far).counters.rx_control == 1, "the control message was counted")
    eventually(lambda: b.seen(far).counters.rx_unknown_session == 1, "the unknown session was counted")
    eventually(lambda: b.counters(far, mirrored(one)).rx_cookie_discards == 1, "the cookie was counted")
    eventually(lambda: b.counters(far, mirrored(one)).rx_invalid == 1, "what ends in the cookie was counted")
    eventually(lambda: b.counters(far, mirrored(one)).rx_errors == 1, "what is no whole ethernet header was counted")
    assert b.seen(far).counters.rx_invalid == 1, "the other version was counted"
    assert b.counters(far, mirrored(one)).rx_packets == 0


def second_link(a: Host, b: Host) -> None:
    """One more veth between the hosts, called u1 in both."""
    a.ip("link", "add", "u1", "type", "veth", "peer", "u1", "netns", b.netns)
    for number, host in enumerate((a, b), start=1):
        host.ip_batch([f"addr add 10.98.0.{number}/24 dev u1", "link set u1 up"])


@pytest.mark.parametrize("encap", Encap)
def test_packets_that_come_in_by_another_netdev_than_the_routes(ends: Ends, encap: Encap) -> None:
    a, b = ends
    near, far, one = joined(ends, encap)
    second_link(a.host, b.host)
    b.host.ip("route", "add", f"{a.host.v4}/32", "dev", "u1")
    passes(b.place(one), a.place(one), SIZES)
    assert a.slow(near, one) == Passed(WORKER, 0)
    assert b.slow(far, mirrored(one)) == NOBODY, "what is sent follows the route at once"
    passes(a.place(one), b.place(one), SIZES)
    assert b.slow(far, mirrored(one)) == NOBODY


@pytest.mark.parametrize("encap", Encap)
def test_a_netdev_that_was_there_when_the_session_was_made_may_become_the_routes(ends: Ends, encap: Encap) -> None:
    a, b = ends
    second_link(a.host, b.host)
    near, _, one = joined(ends, encap)
    before = passed(a.host, "u1")
    for host, peer in ((a.host, b.host), (b.host, a.host)):
        host.ip("route", "add", f"{peer.v4}/32", "dev", "u1")
    by_programs(ends, near, one)
    after = passed(a.host, "u1")
    assert min(after.received - before.received, after.sent - before.sent) >= len(SIZES)


def test_the_underlays_netdev_is_made_anew(ends: Ends) -> None:
    """Then no program is there: the worker takes what comes in."""
    a, b = ends
    near, _, one = joined(ends)
    a.host.ip("link", "del", UNDERLAY)
    with packet_socket(a.place(one)) as sender:
        sender.send(frame(60, 1))
    a.host.ip("link", "add", UNDERLAY, "type", "veth", "peer", UNDERLAY, "netns", b.host.netns)
    for host in (a.host, b.host):
        host.ip_batch([f"addr add {host.v4}/24 dev {UNDERLAY}", f"link set {UNDERLAY} up"])
    before = a.slow(near, one)
    passes(a.place(one), b.place(one), SIZES)
    passes(b.place(one), a.place(one), SIZES)
    assert a.slow(near, one).received == before.received + WORKER
    assert any(note.startswith("slower") and UNDERLAY in note for note in a.seen(near).notes)
    a.datapath.set_session(near, one)
    by_programs(ends, near, one)


@pytest.mark.parametrize("encap", Encap)
def test_the_first_packet_to_a_neighbour_that_is_not_known_yet(ends: Ends, encap: Encap) -> None:
    a, b = ends
    one = session()
    near = a.tunnel(b.host, encap=encap)
    a.add(near, one)
    b.add(b.tunnel(a.host, encap=encap), mirrored(one))
    for _ in range(3):
        for host in (a.host, b.host):
            host.ip("neigh", "flush", "all")
        passes(a.place(one), b.place(one), [60])
        passes(b.place(one), a.place(one), [60])
    assert a.slow(near, one) == NOBODY


@pytest.mark.parametrize("by", ["IPv4", "IPv6", "IPv6 to IPv4"])
def test_a_peer_behind_a_gateway(ends: Ends, by: str) -> None:
    """The last: an IPv4 address by way of an IPv6 neighbour (RFC 5549)."""
    a, b = ends
    acquainted(a.host, b.host)
    family = 6 if by == "IPv6" else 4
    far_address = "fd97::2" if family == 6 else "10.97.0.2"
    bits = 128 if family == 6 else 32
    b.host.ip("addr", "add", f"{far_address}/{bits}", "dev", "lo", *(["nodad"] if family == 6 else []))
    gateway = [b.host.v6] if family == 6 else ["inet6", b.host.v6] if by == "IPv6 to IPv4" else [b.host.v4]
    a.host.ip("route", "add", f"{far_address}/{bits}", "via", *gateway)
    b.host.v4 = b.host.v6 = far_address
    one = session()
    near = a.tunnel(b.host, family=family)
    a.add(near, one)
    b.add(b.tunnel(a.host, family=family), mirrored(one))
    by_programs(ends, near, one)
    assert a.slow(near, one) == NOBODY


@pytest.mark.parametrize("encap", Encap)
def test_the_route_is_lost_and_comes_back(ends: Ends, encap: Encap) -> None:
    a, _ = ends
    near, _, one = joined(ends, encap)
    a.host.ip("route", "del", "10.99.0.0/24", "dev", UNDERLAY)
    with packet_socket(a.place(one)) as sender:
        for number in range(3):
            sender.send(frame(60, number))
    eventually(lambda: a.counters(near, one).tx_errors == 3, "the worker had no route either, and counted that")
    assert a.slow(near, one) == Passed(0, 3)
    a.host.ip("route", "add", "10.99.0.0/24", "dev", UNDERLAY, "src", a.host.v4)
    by_programs(ends, near, one)


def test_the_other_end_is_down_and_up_again(ends: Ends) -> None:
    a, b = ends
    near, _, one = joined(ends)
    b.host.ip("link", "set", UNDERLAY, "down")
    with packet_socket(a.place(one)) as sender:
        sender.send(frame(60, 1))
    b.host.ip("link", "set", UNDERLAY, "up")
    acquainted(a.host, b.host)
    by_programs(ends, near, one)


def test_a_link_local_address_is_the_workers(ends: Ends) -> None:
    a, b = ends
    for end, address in ((a, "fe80::a"), (b, "fe80::b")):
        end.host.ip("addr", "add", f"{address}/64", "dev", UNDERLAY, "nodad")
    one = session()
    addresses = [parse_address(f"fe80::{end}%{UNDERLAY}", "address") for end in "ab"]
    near = dataclasses.replace(a.tunnel(b.host, family=6), local=addresses[0], remote=addresses[1])
    a.add(near, one)
    far = dataclasses.replace(b.tunnel(a.host, family=6), local=addresses[1], remote=addresses[0])
    b.add(far, mirrored(one))
    passes(a.place(one), b.place(one), [60])
    passes(b.place(one), a.place(one), [60])
    assert a.slow(near, one) == Passed(1, 1)


POLICY = "xfrm policy add dir out src 10.99.0.1/32 dst 10.99.0.2/32 tmpl proto esp mode transport"
"""What goes to the peer is to be encrypted; there is no key, so it must not leave."""


def packets_at(host: Host, wait_s: float = 0.3) -> list[bytes]:
    """The L2TP packets that come in by the underlay meanwhile."""
    found = []
    with inside(host.netns), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as wire:
        wire.bind((UNDERLAY, 3))
        deadline = time.monotonic() + wait_s
        while (left := deadline - time.monotonic()) > 0:
            wire.settimeout(left)
            with contextlib.suppress(TimeoutError):
                data, address = wire.recvfrom(65535)
                if address[2] != _TPACKET_OUTGOING and data[0] == 0x45 and data[9] in (17, 115):
                    found.append(data)
    return found


@pytest.mark.parametrize("encap", Encap)
def test_nothing_goes_past_an_ipsec_policy_that_was_there_before(ends: Ends, encap: Encap) -> None:
    a, b = ends
    a.host.ip(*POLICY.split())
    near, _, one = joined(ends, encap)
    with packet_socket(a.place(one)) as sender:
        for number in range(5):
            sender.send(frame(60, number))
    assert packets_at(b.host) == []
    assert a.slow(near, one) == Passed(0, 5)
    assert not [note for note in a.seen(near).notes if "IPsec" in note]
    a.host.ip("xfrm", "policy", "flush")
    a.datapath.set_session(near, one)
    by_programs(ends, near, one)


def test_a_policy_that_came_later_is_told_and_heeded_once_the_session_is_set(ends: Ends) -> None:
    a, b = ends
    near, _, one = joined(ends)
    assert a.seen(near).notes == ()
    a.host.ip(*POLICY.split())
    assert [note for note in a.seen(near).notes if "IPsec" in note and "restore" in note]
    a.datapath.set_session(near, one)
    assert not [note for note in a.seen(near).notes if "IPsec" in note]
    with packet_socket(a.place(one)) as sender:
        for number in range(5):
            sender.send(frame(60, number))
    assert packets_at(b.host) == []


def kill(end: EbpfEnd) -> None:
    """End a host's workers, the hard way."""
    for pid in end.host.workers():
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: not runs(pid), "the worker is gone")  # type: ignore[misc]


@pytest.mark.parametrize(("encap", "family"), [(Encap.UDP, 4), (Encap.IP, 6)])
def test_frames_go_on_without_workers(ends: Ends, encap: Encap, family: int) -> None:
    a, b = ends
    near, _, one = joined(ends, encap, family)
    a.host.ip("addr", "add", "10.9.0.1/24", "dev", one.ifname)
    b.host.ip("addr", "add", "10.9.0.2/24", "dev", one.ifname)
    for end in ends:
        kill(end)
    by_programs(ends, near, one)
    exchange_streams((a.host.netns, "10.9.0.1"), (b.host.netns, "10.9.0.2"), size=300_000)
    assert a.datapath.tunnels(a.host.netns) == []


def test_a_new_worker_takes_over_with_what_was_counted(ends: Ends) -> None:
    a, b = ends
    near, _, one = joined(ends)
    by_programs(ends, near, one)
    counted, index = a.counters(near, one), a.ifindexes()[one.ifname]
    kill(a)
    again = a.again()
    again.add_tunnel(near)
    again.add_session(near, one, adopt=True)
    assert a.ifindexes()[one.ifname] == index
    assert a.counters(near, one) == counted
    by_programs(ends, near, one)
    with packet_socket(b.place(one)) as sender, packet_socket(a.place(one)) as receiver:
        sender.send(frame(20, 1))
        assert collect(receiver, 1) == [frame(20, 1)]


@pytest.mark.parametrize("without", ["gso", "gro", "napi", "gso,gro,napi", "mmsg"])
def test_what_workers_are_told_to_do_without_is_nothing_to_programs(
    ends: Ends, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, without)
    a, b = ends
    near, _, one = joined(ends)
    by_programs(ends, near, one)
    assert a.seen(near).notes == ()
    passes(a.place(one), b.place(one), [20])


def test_two_tunnels_to_one_peer_with_the_same_session_ids(ends: Ends) -> None:
    a, b = ends
    acquainted(a.host, b.host)
    one = session(1)
    two = session(2, session_id=one.session_id, peer_session_id=one.peer_session_id)
    for number, each in ((1, one), (2, two)):
        for end, other, ours in ((a, b, each), (b, a, mirrored(each))):
            tunnel = end.tunnel(other.host, tunnel_id=number, name=f"t{number}")
            end.add(dataclasses.replace(tunnel, local_port=5000 + number, remote_port=5000 + number), ours)
    for each in (one, two):
        passes(a.place(each), b.place(each), SIZES)
        passes(b.place(each), a.place(each), SIZES)
    first = a.tunnel(b.host, local_port=5001, remote_port=5001, name="t1")
    a.datapath.del_tunnel(first)
    passes(a.place(two), b.place(two), SIZES)
    passes(b.place(two), a.place(two), SIZES)


def test_a_session_id_of_another_tunnel_over_ip_is_refused_by_its_name(ends: Ends) -> None:
    a, b = ends
    b.host.ip("addr", "add", "10.99.0.3/24", "dev", UNDERLAY)
    a.add(a.tunnel(b.host, encap=Encap.IP), session(1))
    second = a.tunnel(b.host, encap=Encap.IP, tunnel_id=2, name="t2")
    second = dataclasses.replace(second, remote=parse_address("10.99.0.3", "remote"))
    a.datapath.add_tunnel(second)
    before = a.ifindexes()
    with pytest.raises(ExistsError, match=r"s2.*4097.*unique"):
        a.datapath.add_session(second, session(2, session_id=0x1001))
    assert a.ifindexes() == before
