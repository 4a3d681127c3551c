"""TCP and UDP in super-frames, of which segments are made behind the programs, or never: the right bytes arrive."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.bpf.assembler import R1, R2, R3, R6, Helper, Program, Skb
from l2tpv3.linux.netlink.message import NLM_F_CREATE
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netlink.tc import ANY, NEW_FILTER, NEW_QDISC, Side, clsact
from l2tpv3.linux.netlink.tc_bpf import run
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec
from tests.contract.frames import Tap
from tests.datapath.ebpf.ends import EbpfEnd, acquainted, bare, packet_socket, passed
from tests.datapath.ebpf.kinds import kinds
from tests.datapath.ebpf.streams import exchange_streams, send_segmented
from tests.datapath.user.ends import End, mirrored, session
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.root

ENCAPS = list(itertools.product(Encap, (4, 6)))
UNDERLAYS = ["bare", "veth"]
FEW = 20
"""Packets that may go by the worker in a test, beside the thousands that do not."""

Joined = tuple[TunnelSpec, SessionSpec]


def joined(a: EbpfEnd, b: End, encap: Encap = Encap.UDP, family: int = 4) -> Joined:
    """A session between two hosts, its netdevs with addresses of both kinds."""
    acquainted(a.host, b.host)
    one = session()
    near = a.tunnel(b.host, encap=encap, family=family)
    a.add(near, one)
    b.add(b.tunnel(a.host, encap=encap, family=family, udp_checksum=False), mirrored(one))
    for number, end in enumerate((a, b), start=1):
        addressed(end.host, one.ifname, number)
    return near, one


def addressed(host: Host, ifname: str, number: int) -> None:
    """Give a netdev addresses: 10.9.0.N and fd09::N."""
    with inside(host.netns):
        Path(f"/proc/sys/net/ipv6/conf/{ifname}/disable_ipv6").write_text("0")
    host.ip_batch([f"addr add 10.9.0.{number}/24 dev {ifname}", f"addr add fd09::{number}/64 dev {ifname} nodad"])


def stops(a: Host, b: Host, version: int) -> tuple[tuple[str, str], tuple[str, str]]:
    """Where streams begin and end."""
    one, other = (f"10.9.0.{number}" if version == 4 else f"fd09::{number}" for number in (1, 2))
    assert a.run(["ping", "-c", "1", "-W", "5", other]).returncode == 0  # knows the way: IPv6 takes a moment
    return (a.netns, one), (b.netns, other)


def moved_by_programs(end: EbpfEnd, joint: Joined, least: int) -> None:
    """At least so many packets were sent and received, with hardly one by the worker."""
    moved(end, joint, least)
    slow = end.slow(*joint)
    assert sum(slow) < FEW, slow


def moved(end: EbpfEnd, joint: Joined, least: int) -> None:
    """At least so many packets were sent and received, by whomever."""
    counters = end.counters(*joint)
    assert min(counters.tx_packets, counters.rx_packets) > least
    assert (counters.tx_errors, counters.rx_errors) == (0, 0)


@pytest.mark.parametrize("underlay_is", UNDERLAYS)
@pytest.mark.parametrize(("encap", "family"), ENCAPS)
def test_streams(ends: tuple[EbpfEnd, EbpfEnd], encap: Encap, family: int, underlay_is: str) -> None:
    a, b = ends
    if underlay_is == "bare":
        bare(a.host, b.host)
    joint = joined(a, b, encap, family)
    for version in (4, 6):
        one, other = stops(a.host, b.host, version)
        exchange_streams(one, other)
    moved_by_programs(a, joint, 5000)
    if encap is Encap.UDP and underlay_is == "bare":
        whole = passed(a.host, joint[1].ifname).sent
        assert whole < a.counters(*joint).tx_packets // 2, "no super-frames, of which this is"


@pytest.mark.parametrize("underlay_is", UNDERLAYS)
@pytest.mark.parametrize("encap", Encap)
def test_streams_with_a_user_datapath(hosts: Hosts, encap: Encap, underlay_is: str) -> None:
    near, far = hosts.pair()
    a, b = EbpfEnd.on(near), End.on(far)
    if underlay_is == "bare":
        bare(near, far)
    joint = joined(a, b, encap)
    for version in (4, 6):
        exchange_streams(*stops(near, far, version), size=500_000)
    moved_by_programs(a, joint, 1000)


@pytest.mark.parametrize("underlay_is", UNDERLAYS)
@pytest.mark.parametrize(("encap", "family"), ENCAPS)
def test_udp_segmentation(ends: tuple[EbpfEnd, EbpfEnd], encap: Encap, family: int, underlay_is: str) -> None:
    a, b = ends
    if underlay_is == "bare":
        bare(a.host, b.host)
    joint = joined(a, b, encap, family)
    for version in (4, 6):
        one, other = stops(a.host, b.host, version)
        send_segmented(one, other, length=1000, count=40)
        send_segmented(other, one, length=999, count=40)
    if encap is Encap.UDP:
        moved_by_programs(a, joint, 1500)
    else:  # super-frames over IP are the worker's, and that TCP leaves none keeps none of UDP's away
        moved(a, joint, 1500)


@pytest.mark.parametrize("underlay_is", UNDERLAYS)
@pytest.mark.parametrize(("encap", "family"), ENCAPS)
def test_streams_in_a_vlan(ends: tuple[EbpfEnd, EbpfEnd], encap: Encap, family: int, underlay_is: str) -> None:
    """The tag is beside the super-frames, put there as a VLAN's netdev would."""
    a, b = ends
    if underlay_is == "bare":
        bare(a.host, b.host)
    joint = joined(a, b, encap, family)
    for end in ends:
        tag(end.host, joint[1].ifname)
    for version in (4, 6):
        exchange_streams(*stops(a.host, b.host, version))
    moved_by_programs(a, joint, 5000)


def tag(host: Host, ifname: str) -> None:
    """Give every frame that leaves by a netdev the tag of VLAN 10, and take it off of those that come in."""
    push, pop = Program(), Program()
    push.move(R2, int.from_bytes(b"\x81\x00", "little"))
    push.move(R3, 10)
    push.call(Helper.SKB_VLAN_PUSH)
    push.exit(0)
    pop.move(R6, R1)
    pop.load(4, R2, R6, Skb.VLAN_PRESENT)
    pop.jump_if(R2, "==", 0, "untagged")
    pop.move(R1, R6)
    pop.call(Helper.SKB_VLAN_POP)
    pop.exit(0)
    pop.label("untagged")
    pop.exit(2)  # TC_ACT_SHOT
    with RouteSocket(host.netns) as route:
        ifindex = route.link(ifname).ifindex
        with contextlib.suppress(FileExistsError):
            route.make(NEW_QDISC, clsact(ifindex))
        for program, side in ((push, Side.EGRESS), (pop, Side.INGRESS)):
            fd = syscall.load("tag", program.code())
            try:
                route.request(NEW_FILTER, run(ifindex, side, 10, ANY, fd), NLM_F_CREATE)
            finally:
                os.close(fd)


@pytest.mark.parametrize("encap", Encap)
@pytest.mark.parametrize("family", [4, 6])
def test_streams_with_checksums_left_unfinished(ends: tuple[EbpfEnd, EbpfEnd], encap: Encap, family: int) -> None:
    """The session's netdev may leave all to be done later, by who switched that on; the underlay has it whole."""
    a, b = ends
    joint = joined(a, b, encap, family)
    for end in ends:
        end.host.run(["ethtool", "-K", joint[1].ifname, "tx", "on", "tso", "on"])
    for version in (4, 6):
        exchange_streams(*stops(a.host, b.host, version))
    if encap is Encap.UDP:
        moved_by_programs(a, joint, 100)


@contextlib.contextmanager
def client(hosts: Hosts, host: Host, ifname: str) -> Iterator[Host]:
    """A host behind a bridge that has a session's netdev as its other port."""
    (one,) = hosts.add(f"{host.name}c")
    host.ip_batch([
        f"link add c0 type veth peer e0 netns {one.netns}", "link add br0 type bridge", "link set c0 master br0 up",
        "link set br0 up", f"addr flush dev {ifname}", f"link set {ifname} master br0",
    ])  # fmt: skip
    one.ip_batch(["link set e0 mtu 1400 up"])
    yield one


@pytest.mark.parametrize("underlay_is", UNDERLAYS)
@pytest.mark.parametrize(("encap", "family"), ENCAPS)
def test_streams_of_a_host_behind_a_bridge(
    hosts: Hosts, ends: tuple[EbpfEnd, EbpfEnd], encap: Encap, family: int, underlay_is: str
) -> None:
    """What was taken out of packets, and maybe merged, is forwarded; and what comes from another netdev is sent."""
    a, b = ends
    if underlay_is == "bare":
        bare(a.host, b.host)
    joint = joined(a, b, encap, family)
    with client(hosts, a.host, joint[1].ifname) as behind:
        addressed(behind, "e0", 1)
        for version in (4, 6):
            one, other = stops(behind, b.host, version)
            exchange_streams(one, other)
            if encap is Encap.UDP:
                send_segmented(one, other, length=1000, count=40)
                send_segmented(other, one, length=1000, count=40)
    moved_by_programs(a, joint, 5000)


@pytest.mark.parametrize("underlay_is", UNDERLAYS)
@pytest.mark.parametrize(("first", "second"), [(Encap.UDP, Encap.UDP), (Encap.UDP, Encap.IP), (Encap.IP, Encap.UDP)])
def test_streams_from_one_tunnel_into_another(hosts: Hosts, first: Encap, second: Encap, underlay_is: str) -> None:
    """Frames out of one session are bridged into another."""
    near, far = hosts.pair()
    (third,) = hosts.add("c")
    near.ip_batch([f"link add u1 type veth peer u0 netns {third.netns}", "addr add 10.98.0.1/24 dev u1"])
    near.ip_batch(["link set u1 up"])
    third.ip_batch(["addr add 10.98.0.2/24 dev u0", "link set u0 up"])
    third.v4 = "10.98.0.2"
    a, b, c = (EbpfEnd.on(host) for host in (near, far, third))
    if underlay_is == "bare":
        bare(near, far, third)
        bare(near, ifname="u1")
    one, two = session(1), session(2)
    to_far = a.tunnel(far, encap=first)
    a.add(to_far, one)
    b.add(b.tunnel(near, encap=first), mirrored(one))
    near.v4 = "10.98.0.1"
    to_third = a.tunnel(third, encap=second, tunnel_id=2, name="t2", local_port=1702, remote_port=1702)
    a.add(to_third, two)
    c.add(c.tunnel(near, encap=second, local_port=1702, remote_port=1702), mirrored(two))
    near.ip_batch(["link add br0 type bridge", "link set pw1 master br0", "link set pw2 master br0", "link set br0 up"])
    relays_other_kinds((far.netns, "pw1"), (third.netns, "pw2"))
    addressed(far, "pw1", 1)
    addressed(third, "pw2", 2)
    for version in (4, 6):
        exchange_streams(*stops(far, third, version))
        send_segmented(*stops(far, third, version), length=1000, count=40)
    # What came by way of a veth is marked as in a tunnel for good: no program can put it in another, the worker does.
    moved(a, (to_far, one), 5000)
    moved(a, (to_third, two), 5000)


def relays_other_kinds(source: tuple[str, str], target: tuple[str, str]) -> None:
    """What is no IP packet, whose checksum a bridge may look at, arrives as it was; so do tagged frames."""
    kept = [
        one for one in kinds(1400).values() if one[12:14].hex() not in ("0800", "86dd") and one[:3].hex() != "0180c2"
    ]
    with Tap(target, source=kept[0][6:12]) as tap, packet_socket(source) as sender:
        for at in range(0, len(kept), 20):
            for content in kept[at : at + 20]:
                sender.send(content)
            assert sorted(tap.collect(len(kept[at : at + 20]))) == sorted(kept[at : at + 20])
