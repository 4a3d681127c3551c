"""Further faults, of what a host does with packets and frames besides: routes, filters, queues and bridges."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.doctor.field import Wire, filter_chain, nft, set_sysctl
from tests.doctor.field_faults import BY_PYTHON, EIGHT_KBIT, Fault, fault

HOST_FAULTS: Final[dict[str, Fault]] = {}

_fault = partial(fault, HOST_FAULTS)


@_fault(a="through its own session")
def _route_to_the_peer_through_the_wire(wire: Wire) -> None:
    wire.join()
    wire.a.ip("route", "add", "10.99.0.2/32", "dev", "l2tpeth0")
    wire.use()


@_fault(a="through its own session")
def _policy_rule_through_the_wire(wire: Wire) -> None:
    wire.join()
    wire.a.ip_batch(
        ["route add default via 10.9.0.2 table 77", "rule add to 10.99.0.2 lookup 77 prio 50"],
    )
    wire.use()


@_fault(b="rp_filter", on=BY_PYTHON)
def _way_back_by_another_netdev(wire: Wire) -> None:
    wire.join()
    for name in ("all", "u0"):
        set_sysctl(wire.b, f"ipv4/conf/{name}/rp_filter", "1")
    wire.b.ip_batch(
        ["link add v0 type veth peer v1", "link set v0 up", "link set v1 up", "route add 10.99.0.1/32 dev v0"]
    )
    wire.use()


@_fault(b="10.99.0.2 is not on this host")
def _address_of_the_peer_gone(wire: Wire) -> None:
    wire.join()
    wire.b.ip("addr", "del", "10.99.0.2/24", "dev", "u0")
    wire.use()


@_fault(a="10.99.0.2")
def _permanent_neighbour_is_wrong(wire: Wire) -> None:
    wire.join()
    wire.a.ip("neigh", "replace", "10.99.0.2", "lladdr", "02:00:00:00:00:99", "dev", "u0", "nud", "permanent")
    wire.use()


@_fault(a="firewall of this host drops what", on=BY_PYTHON)
def _sender_drops(wire: Wire) -> None:
    wire.join()
    filter_chain(wire.a, "output", "udp dport 1701 counter drop")
    wire.use()


@_fault(a="administratively prohibited", b="firewall of this host", on=BY_PYTHON)
def _receiver_rejects(wire: Wire) -> None:
    wire.join()
    filter_chain(wire.b, "input", "udp dport 1701 counter reject with icmp type admin-prohibited")
    wire.use()


@_fault(a="time exceeded|TTL")
def _ttl_of_one(wire: Wire) -> None:
    wire.routed()
    wire.join(a_tunnel=("--ttl", "1"))
    wire.use()


@_fault(a="v0", on=BY_PYTHON)
def _bound_to_another_netdev(wire: Wire) -> None:
    wire.a.ip_batch(["link add v0 type veth peer v1", "link set v0 up", "link set v1 up"])
    wire.join(a_tunnel=("--bind-device", "v0"))
    wire.use()
    wire.use(wire.b, "10.9.0.1")


@_fault(b="nothing passes.*set down", mends="b")
def _netdev_set_down(wire: Wire) -> None:
    wire.join()
    wire.b.ip("link", "set", "l2tpeth0", "down")
    wire.use()


@_fault(a="tbf.*l2tpeth0|l2tpeth0.*tbf")
def _rate_limit_on_the_wire(wire: Wire) -> None:
    wire.join()
    wire.a.run(["tc", "qdisc", "add", "dev", "l2tpeth0", "root", *EIGHT_KBIT])
    wire.use(None, "10.9.0.2", "-s", "1000")


@_fault(a="isolated")
def _ports_isolated_from_each_other(wire: Wire) -> None:
    c, _ = wire.lans()
    for port in ("l2tpeth0", "lan1"):
        wire.a.ip("link", "set", port, "type", "bridge_slave", "isolated", "on")
    wire.use(c, "10.5.0.2")


@_fault(a="rule of the packet filter drops frames in bridge br0")
def _rule_of_family_bridge_drops(wire: Wire) -> None:
    c, _ = wire.lans()
    chain = "add chain bridge f c { type filter hook forward priority 0; }"
    nft(wire.a, "add table bridge f", chain, "add rule bridge f c oifname l2tpeth0 counter drop")
    wire.use(c, "10.5.0.2")


@_fault(b="session s takes 1200", on=BY_PYTHON)
def _mtu_of_one_end_is_smaller(wire: Wire) -> None:
    wire.join(b=("--mtu", "1200"))
    wire.use(None, "10.9.0.2", "-s", "1400")
    wire.use(wire.b, "10.9.0.1")


@_fault(a="by router 10.99.0.200, and nobody answers", on=BY_PYTHON)
def _router_is_not_there(wire: Wire) -> None:
    wire.join()
    wire.a.ip("route", "add", "10.99.0.2/32", "via", "10.99.0.200")
    wire.use()


@_fault(a="u0.*are ports of one bridge, br0", on=BY_PYTHON)
def _underlay_in_the_bridge_of_the_wire(wire: Wire) -> None:
    wire.join()
    wire.a.ip_batch(["link add br0 type bridge", "link set br0 up", "link set u0 master br0"])
    wire.a.ip("link", "set", "l2tpeth0", "master", "br0")
    wire.use()


@_fault(a="go in IP fragments, get no answer from 10.99.0.2", b="go in IP fragments, get no answer", on=BY_PYTHON)
def _rule_drops_fragments(wire: Wire) -> None:
    wire.join(a=("--mtu", "1500"), b=("--mtu", "1500"))
    chain = "add chain ip f c { type filter hook prerouting priority -450; }"
    nft(wire.b, "add table ip f", chain, "add rule ip f c ip frag-off & 0x3fff != 0 counter drop")
    wire.use()
