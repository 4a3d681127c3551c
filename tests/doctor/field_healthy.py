"""Healthy pseudowires that look odd, of which the doctor may find nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.doctor.field import Wire, filter_chain, nft, set_sysctl

HEALTHY: Final[dict[str, Callable[[Wire], None]]] = {}


def _healthy(make: Callable[[Wire], None]) -> None:
    HEALTHY[make.__name__.strip("_")] = make


@_healthy
def _there_by_one_way_and_back_by_another(wire: Wire) -> None:
    wire.join()
    wire.a.ip("link", "add", "w0", "type", "veth", "peer", "name", "w0", "netns", wire.b.netns)
    wire.a.ip_batch(["addr add 10.97.0.1/24 dev w0", "link set w0 up"])
    wire.b.ip_batch(["addr add 10.97.0.2/24 dev w0", "link set w0 up"])
    for name in ("all", "u0", "w0"):
        set_sysctl(wire.b, f"ipv4/conf/{name}/rp_filter", "2")
    wire.a.ip("route", "add", "10.99.0.2/32", "via", "10.97.0.2", "src", "10.99.0.1")
    wire.use()


@_healthy
def _jumbo_frames(wire: Wire) -> None:
    wire.routed(mtu=9000)
    wire.join()
    wire.use(None, "10.9.0.2", "-s", "8000")


@_healthy
def _unique_local_addresses(wire: Wire) -> None:
    wire.join(family=6)
    wire.use()


@_healthy
def _netdev_in_a_namespace_of_its_own(wire: Wire) -> None:
    inside = f"{wire.a.netns}-inside"
    wire.join(a=("--netns", inside))
    wire.a.start(["ip", "netns", "exec", inside, "ping", "-q", "-n", "-i", "0.2", "10.9.0.2"])


@_healthy
def _nothing_is_sent(wire: Wire) -> None:
    wire.join()


@_healthy
def _packets_go_one_way_only(wire: Wire) -> None:
    wire.join()
    wire.use(None, "10.9.0.255", "-b")


@_healthy
def _full_frames_in_fragments(wire: Wire) -> None:
    c, _ = wire.lans(options=("--mtu", "1500"))
    wire.use(c, "10.5.0.2", "-s", "1472")


@_healthy
def _strict_firewall(wire: Wire) -> None:
    wire.join()
    for end in (wire.a, wire.b):
        accepted = ("ct state established,related", "udp dport 1701", "iifname l2tpeth0")
        filter_chain(end, "input", *(f"{rule} counter accept" for rule in accepted), "counter drop", policy="drop")
        nat = "add chain ip n p { type nat hook postrouting priority 100; }"
        nft(end, "add table ip n", nat, "add rule ip n p ip saddr 10.5.0.0/16 masquerade")
    wire.use()


@_healthy
def _peer_answers_no_echo(wire: Wire) -> None:
    wire.join()
    set_sysctl(wire.b, "ipv4/icmp_echo_ignore_all", "1")
    wire.use(wire.b, "10.9.0.1")


@_healthy
def _cookies_of_two_lengths(wire: Wire) -> None:
    wire.join(
        a=("--tx-cookie", "11111111", "--rx-cookie", "2222222222222222", "--sublayer", "none"),
        b=("--rx-cookie", "11111111", "--tx-cookie", "2222222222222222", "--sublayer", "none"),
    )
    wire.use()


@_healthy
def _numbers_one_way(wire: Wire) -> None:
    wire.join(a=("--sequencing", "send"), b=("--sequencing", "recv"))
    wire.use()


@_healthy
def _two_tunnels_between_the_same_hosts(wire: Wire) -> None:
    wire.join()
    for end, peer in ((wire.a, wire.b), (wire.b, wire.a)):
        ports = ("--local-port", "1702", "--remote-port", "1702")
        end.ctl("tunnel", "add", "u", "--remote", peer.v4, "--id", "5", *ports, "--datapath", wire.datapath)
        end.ctl("session", "add", "u", "s", "--tx-cookie", "none", "--rx-cookie", "none")
    wire.use()


@_healthy
def _over_ip_with_marks(wire: Wire) -> None:
    wire.join(tunnel=("--encap", "ip"), a_tunnel=("--dscp", "10", "--ttl", "3"))
    wire.use()


@_healthy
def _mac_addresses_like_types_of_frames(wire: Wire) -> None:
    wire.join(a=("--mac", "02:12:86:dd:60:01"), b=("--mac", "02:12:08:06:00:01"))
    wire.use()


@_healthy
def _bridge_with_the_wire_alone(wire: Wire) -> None:
    for number, end in enumerate((wire.a, wire.b), start=1):
        end.ip_batch(["link add br0 type bridge", "link set br0 up", f"addr add 10.5.0.{number}/24 dev br0"])
    wire.join(a=("--bridge", "br0"), b=("--bridge", "br0"))
    wire.use(None, "10.5.0.2")
