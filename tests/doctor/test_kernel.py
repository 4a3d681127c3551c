"""The kernel's datapath tells nothing of what arrives: the doctor reads it from the packets."""

from __future__ import annotations

from typing import Any

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.finding import Harm
from tests.doctor.faults import Wire, bridged, harmful, the, wire
from tests.hosts import Hosts
from tests.packet_filter import chain_policy

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"tx-cookie": "1" * 16}, "nothing-accepted", "sends another cookie"),
    ({"sublayer": "none"}, "sublayer", "leaves the L2-specific sublayer out"),
    ({"peer-id": 7}, "session-id", "sends to session id 7, which this end does not have; it has 1"),
]


def _set(pair: Wire, words: dict[str, Any]) -> None:
    """The peer's session with other words, in which it can't be changed in place, or can."""
    pair.b.set_session("t", "s", words)
    mac = pair.a.session("t", "s").netdev.mac
    pair.b.host.ip("neigh", "replace", "10.9.0.1", "lladdr", mac, "dev", "l2tpeth0", "nud", "permanent")


def test_faults_of_the_peer_are_named_on_the_kernels_datapath(hosts: Hosts) -> None:
    pair = wire(hosts, tunnel={"datapath": "kernel"})
    healthy = pair.asked(pair.a, listen_s=3.0, drops=True)
    assert harmful(healthy) == [] and healthy.packets and healthy.unseen == ()
    before = {"tx-cookie": pair.b.session("t", "s").spec.tx_cookie.hex(), "sublayer": "default", "peer-id": 1}
    for words, cause, said in _FAULTS:
        _set(pair, {**before, **words})
        found = the(pair.asked(pair.a, listen_s=3.0), cause)
        assert said in found.says and found.harm is Harm.STOPS and found.remedy
    _set(pair, before)
    with inside(pair.a.host.netns):
        chain_policy("INPUT", "drop")
    report = pair.asked(pair.a, listen_s=3.0, drops=True)
    assert "do not reach the tunnel: a firewall of this host" in the(report, "firewall").says
    assert "NETFILTER_DROP" in the(report, "dropped").evidence[0]
    with inside(pair.a.host.netns):
        chain_policy("INPUT", "accept")
    pair.b.del_tunnel("t")
    pair.shout(pair.a)
    found = the(pair.a.doctor(("t",), listen_s=3.0, probe=False), "refused")
    assert "ICMP port unreachable" in found.says
    pair.a.host.ip("link", "set", "u0", "down")
    assert "netdev u0" in the(pair.a.doctor(("t",), listen_s=0, probe=False), "outer-path").says


def test_a_port_without_vlans_in_a_bridge_that_filters_them(hosts: Hosts) -> None:
    pair = bridged(hosts)
    assert harmful(pair.a.doctor(("t",), listen_s=0, probe=False)) == []
    host, port = pair.a.host, pair.a.session("t", "s").netdev.ifname
    host.ip("link", "set", "br0", "type", "bridge", "vlan_filtering", "1")
    assert harmful(pair.a.doctor(("t",), listen_s=0, probe=False)) == []
    host.run(["bridge", "vlan", "del", "dev", port, "vid", "1"])
    found = the(pair.a.doctor(("t",), listen_s=0, probe=False), "bridge-port")
    assert "filters VLANs, and its port has none" in found.says and f"bridge vlan add dev {port}" in found.remedy
    host.run(["bridge", "vlan", "add", "dev", port, "vid", "77"])
    found = the(pair.a.doctor(("t",), listen_s=0, probe=False), "bridge-port")
    assert "no other port has one of its port's (77)" in found.says
