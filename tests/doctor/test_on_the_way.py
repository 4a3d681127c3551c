"""Faults between the wire outside and the netdev of this host: each is made on purpose, and told from the others."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable

import pytest

from l2tpv3.doctor.report import Report
from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Harm
from tests.doctor.faults import Wire, bridged, harmful, the, wire
from tests.hosts import Hosts
from tests.packet_filter import chain_policy

pytestmark = pytest.mark.root


def _sysctl(pair: Wire, name: str, value: str) -> None:
    pair.a.host.run(["sysctl", "-q", "-w", f"{name}={value}"])


def _other_way_back(pair: Wire) -> None:
    """The peer is reached by another netdev than the one by which it is heard."""
    pair.a.host.ip_batch(["link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"])
    _sysctl(pair, "net.ipv4.conf.u0.rp_filter", "1")
    pair.a.host.ip("route", "add", "10.99.0.2/32", "dev", "v0")


def _filter_of_tc(pair: Wire) -> None:
    pair.a.host.ip_batch(["link add v0 type veth peer name v1", "link set v0 up"])
    away = "u32 match ip protocol 17 0xff action mirred egress redirect dev v0"
    for words in ("qdisc add dev u0 clsact", f"filter add dev u0 ingress protocol ip {away}"):
        pair.a.host.run(["tc", *words.split()])


@pytest.mark.parametrize(
    ("fault", "cause", "said", "seen"),
    [
        (_other_way_back, "reverse-path", "which rp_filter forbids", "IPReversePathFilter"),
        (_filter_of_tc, "tc-filter", "a filter of tc on netdev u0 takes them away", "what filters drop at u0"),
    ],
)
def test_right_packets_that_do_not_reach_the_tunnel(
    hosts: Hosts, fault: Callable[[Wire], None], cause: str, said: str, seen: str
) -> None:
    pair = wire(hosts)
    fault(pair)
    found = the(pair.asked(pair.a), cause)
    assert said in found.says and seen in found.evidence[1] and found.harm is Harm.STOPS and found.remedy


def test_a_route_that_keeps_packets_is_shown_with_what_takes_it_away(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.a.host.ip("route", "add", "prohibit", "10.99.0.2/32")
    pair.a.host.ip("rule", "add", "to", "10.99.0.0/24", "prio", "50", "blackhole")
    for remedy, shown in (
        ("`ip rule del prio 50`", "rule 50: to 10.99.0.0/24 blackhole"),
        ("`ip route del prohibit 10.99.0.2/32`", "route prohibit 10.99.0.2/32"),
    ):
        report = pair.a.doctor(("t",), listen_s=0, probe=False)
        found = the(report, "outer-path")
        assert shown in found.evidence and report.unseen == ()
        assert found.remedy == remedy.replace("`ip", f"`ip{_inside(pair)}")
        pair.a.host.ip(*found.remedy.strip("`").split()[1:])
    assert harmful(pair.a.doctor(("t",), listen_s=0, probe=False)) == []


def _inside(pair: Wire) -> str:
    netns = pair.a.records()["t"].spec.netns
    return f" -n {netns}" if netns else ""


def test_a_ttl_that_is_too_small(hosts: Hosts) -> None:
    pair = wire(hosts)
    packet = bytes.fromhex("4500001c00000000ff010000 0a630002 0a630001".replace(" ", ""))  # from 10.99.0.2
    about = bytes.fromhex("4500001c0000000001110000 0a630001 0a630002 06a506a500080000".replace(" ", ""))
    with inside(pair.b.host.netns), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sender:
        told = bytes.fromhex("0b00f4ff00000000") + about
        assert packet[9] == socket.IPPROTO_ICMP
        meanwhile = threading.Timer(0.3, sender.sendto, (told, (pair.a.host.v4, 0)))
        meanwhile.start()
        report: Report = pair.a.doctor(("t",), listen_s=1.0, probe=False)
        meanwhile.join()
    assert "their TTL is too small" in the(report, "refused").says


def test_hosts_behind_the_wire_that_do_not_answer(hosts: Hosts) -> None:
    pair = wire(hosts)
    with inside(pair.b.host.netns):
        chain_policy("INPUT", "drop")
    pair.a.host.ip("neigh", "flush", "dev", "l2tpeth0", "nud", "permanent")
    pair.shout(pair.a)
    report = pair.a.doctor(("t",), listen_s=1.0)
    found = the(report, "silence")
    assert "session s sends, and nothing comes back from 10.99.0.2" in found.says
    assert any("who has 10.9.0.2" in line for line in found.evidence)


def test_ports_that_are_all_isolated(hosts: Hosts) -> None:
    pair = bridged(hosts)
    assert harmful(pair.a.doctor(("t",), listen_s=0, probe=False)) == []
    for port in ("l2tpeth0", "lan"):
        pair.a.host.ip(*f"link set {port} type bridge_slave isolated on".split())
    found = the(pair.a.doctor(("t",), listen_s=0, probe=False), "bridge-port")
    assert "all ports of br0 are isolated" in found.says and found.harm is Harm.STOPS
    pair.a.host.ip(*found.remedy.strip("`").split()[1:])
    assert harmful(pair.a.doctor(("t",), listen_s=0, probe=False)) == []


def test_a_wire_that_somebody_put_into_a_bridge(hosts: Hosts) -> None:
    pair = wire(hosts)
    pair.a.host.ip_batch(["link add br0 type bridge", "link set br0 up", "link set l2tpeth0 master br0"])
    report = pair.a.doctor(("t",), listen_s=0, probe=False)
    assert "has an address, and something made it a port of bridge br0" in the(report, "bridge-port").says
    assert the(report, "bridge-mtu").harm is Harm.NONE


def test_docker_is_named_where_its_chains_are(hosts: Hosts) -> None:
    pair = bridged(hosts)
    sysctl = "net.bridge.bridge-nf-call-iptables"
    try:
        _sysctl(pair, sysctl, "1")
    except subprocess.CalledProcessError:
        pytest.skip("this kernel has no br_netfilter")
    with inside(pair.a.host.netns):
        chain_policy("FORWARD", "drop")
        chain_policy("DOCKER-USER", None)
    found = the(pair.a.doctor(("t",), listen_s=0, probe=False), "bridge-filter")
    assert "its FORWARD policy, which Docker has set, is to drop" in found.says and found.harm is Harm.STOPS
    assert "`iptables -I DOCKER-USER -i br0 -o br0 -j ACCEPT`" in found.remedy
