"""What is told of a session in a bridge: where frames are dropped, or go round for ever, and what mends that."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.linux.netlink.bridge import BridgeSeen, DroppingFilter, PortSeen, bridges, dropping_filters
from l2tpv3.linux.netns import inside
from l2tpv3.model.links.mtu_notes import tagged_too_long
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.status import NetdevState
from l2tpv3.reconcile.notes.bridge_port import bridged, loop_notes
from tests.here import Here
from tests.hosts import Hosts
from tests.packet_filter import chain_policy

pytestmark = pytest.mark.root


@pytest.fixture
def pair(hosts: Hosts) -> tuple[Here, Here]:
    """Two hosts, each with a tunnel to the other and a bridge with a port of 1500 bytes."""
    made = hosts.pair()
    heres = tuple(Here(host) for host in made)
    for one, other in zip(heres, reversed(heres), strict=True):
        lines = ["link add br0 type bridge", "link add eth1 type veth peer w1", "link set eth1 master br0"]
        one.host.ip_batch([*lines, *(f"link set {name} up" for name in ("eth1", "w1", "br0"))])
        one.add_tunnel("t", {"remote": other.host.v4, "datapath": "user"})
    return heres[0], heres[1]


def _notes(here: Here, name: str = "lan", tunnel: str = "t") -> str:
    return "\n".join(here.session(tunnel, name).notes)


def test_a_session_that_takes_less_than_the_lan_is_told_of_with_a_remedy_that_works(pair: tuple[Here, Here]) -> None:
    a, b = pair
    cookies = {"tx-cookie": "0011223344556677", "rx-cookie": "0011223344556677"}
    said = a.host.ctl(
        "session", "add", "t", "lan", "--bridge", "br0", *(f"--{k}={v}" for k, v in cookies.items())
    ).stderr
    words = "t/lan takes 1438 bytes, eth1 1500, and br0 itself has 1438 now: larger frames are dropped without notice"
    remedy = "`l2tpctl session set t lan --mtu 1500` at both ends"
    assert words in said and remedy in said
    assert words in a.host.ctl("session", "show", "t", "lan").stdout
    b.add_session("t", "lan", {"bridge": "br0", **cookies})
    for one, address in ((a, "10.20.0.1/24"), (b, "10.20.0.2/24")):
        one.host.ip("addr", "add", address, "dev", "br0")
    assert a.host.ctl("session", "set", "t", "lan", "--mtu", "1500").stderr == ""
    b.set_session("t", "lan", {"mtu": 1500})
    assert a.host.ping("10.20.0.2", "-s", "1472", "-M", "do")
    assert _notes(a) == _notes(b) == ""


def test_a_bridge_that_is_a_link_is_told_the_same(pair: tuple[Here, Here]) -> None:
    a, _ = pair
    a.host.ip("link", "del", "br0")
    a.add_session("t", "lan", {})
    said = a.host.ctl("link", "add", "br0", "--type", "bridge", "--over", "eth1,t/lan").stderr
    words = "t/lan takes 1438 bytes, eth1 1500"
    assert words in said and "`l2tpctl session set t lan --mtu 1500` at both ends" in said
    assert words in _notes(a)


def test_two_ports_towards_one_peer_are_told_of_where_no_spanning_tree_runs(pair: tuple[Here, Here]) -> None:
    a, b = pair
    a.add_tunnel("u", {"remote": b.host.v4, "datapath": "user", "local-port": 1702})
    a.add_session("t", "lan", {"bridge": "br0", "mtu": 1500})
    assert _notes(a) == ""
    said = a.host.ctl("session", "add", "u", "lan", "--bridge", "br0", "--mtu", "1500").stderr
    assert f"br0 has another port towards {b.host.v4}, t/lan, and no spanning tree" in said
    assert "`l2tpctl session set t lan --bridge none`" in said
    assert "u/lan" in _notes(a)
    a.host.ip("link", "set", "br0", "type", "bridge", "stp_state", "1")
    assert "no spanning tree" not in _notes(a) + _notes(a, tunnel="u")
    a.host.ip("link", "set", "br0", "type", "bridge", "stp_state", "0")
    for ifname in ("l2tpeth0", "l2tpeth1"):
        a.host.ip("link", "set", ifname, "type", "bridge_slave", "isolated", "on")
    assert _notes(a) == _notes(a, tunnel="u") == ""


def test_spanning_tree_that_holds_a_port_back_is_told_of(pair: tuple[Here, Here]) -> None:
    a, _ = pair
    a.host.ip("link", "set", "br0", "type", "bridge", "stp_state", "1", "forward_delay", "3000")
    a.add_session("t", "lan", {"bridge": "br0", "mtu": 1500})
    assert "its port forwards nothing until 60 s after it came up" in _notes(a)


def test_a_vlan_over_a_session_is_told_that_its_tag_has_no_room() -> None:
    assert tagged_too_long("v", 1438, "t/lan", 1438) == (
        "its frames have a tag of 4 bytes: those of more than 1434 are too long for t/lan, which takes 1438 bytes; "
        "`l2tpctl link set v --mtu 1434`, or `l2tpctl session set t lan --mtu 1442` at both ends"
    )


def test_a_packet_filter_that_drops_what_is_bridged_is_told_of(pair: tuple[Here, Here]) -> None:
    a, _ = pair
    sysctl = "net.bridge.bridge-nf-call-iptables"
    with inside(a.host.netns):
        path = Path("/proc/sys", sysctl.replace(".", "/"))
        if not path.exists():
            pytest.skip("this kernel has no br_netfilter")
        a.host.run(["sysctl", "-q", "-w", f"{sysctl}=1"])
        chain_policy("FORWARD", "accept")
    assert dropping_filters(a.host.netns) == ()
    with inside(a.host.netns):
        chain_policy("FORWARD", "drop")
    assert dropping_filters(a.host.netns) == (DroppingFilter(sysctl, docker=False),)
    said = a.host.ctl("session", "add", "t", "lan", "--bridge", "br0", "--mtu", "1500").stderr
    assert f"{sysctl} is 1; `sysctl -w {sysctl}=0`, or `iptables -I FORWARD -i br0 -o br0 -j ACCEPT`" in said
    a.host.run(["sysctl", "-q", "-w", f"{sysctl}=0"])
    assert dropping_filters(a.host.netns) == ()
    assert _notes(a) == ""


def test_bridges_are_read_with_their_ports(pair: tuple[Here, Here]) -> None:
    a, _ = pair
    seen = bridges(a.host.netns)["br0"]
    assert (seen.mtu, seen.stp, seen.forward_delay_s) == (1500, False, 15.0)
    assert [(port.ifname, port.mtu, port.isolated) for port in seen.ports] == [("eth1", 1500, False)]


def test_many_ports_towards_one_peer_are_one_note() -> None:
    """Each of a thousand would name all the others: a million lines that say the same."""
    sessions = tuple(
        SessionRecord(spec=SessionSpec(name=f"s{one}", ifname=f"p{one}", session_id=one, bridge="br0"), mtu=1438)
        for one in range(1, 5)
    )
    tunnel = TunnelRecord(
        spec=TunnelSpec(name="t", remote=ip_address("192.0.2.2")),
        local=ip_address("192.0.2.1"), datapath="user", reason="", sessions=sessions,
    )  # fmt: skip
    marked = {f"mark of {one.spec.name}": (tunnel, one) for one in sessions}
    ports = tuple(
        PortSeen(ifname=one.spec.ifname, mtu=1500, alias=f"mark of {one.spec.name}", state=3, isolated=False)
        for one in sessions
    )
    bridge = BridgeSeen(ifname="br0", mtu=1500, alias="", stp=False, forward_delay_s=15, ports=ports)
    netdev = NetdevState(ifname="p1", ifindex=7, mac="02:00:00:00:00:01", mtu=1500, up=True, carrier=True)
    port = bridged(tunnel, sessions[0], netdev, bridge, marked.get)
    assert port is not None
    (note,) = loop_notes(port)
    assert "another port towards 192.0.2.2, t/s2 and 2 more, and no spanning tree" in note
    alone = dataclasses.replace(bridge, ports=(ports[0], dataclasses.replace(ports[1], alias="somebody's")))
    port = bridged(tunnel, sessions[0], netdev, alone, marked.get)
    assert port is not None and list(loop_notes(port)) == []
