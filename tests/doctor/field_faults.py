"""Faults as experienced engineers make them by accident, and what the doctor's verdict at either end has to say."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tests.doctor.field import Wire, filter_chain, nft, send_forever

BY_PYTHON: Final = ("user",)
"""The datapath whose packets pass the host's own packet filter and sockets."""

EIGHT_KBIT: Final = ("tbf", "rate", "8kbit", "burst", "1600", "limit", "3000")
"""Words of a queue of tc that few packets pass."""

BOTH: Final = ("user", "ebpf")


@dataclass(frozen=True)
class Fault:
    """`make` joins the two hosts, breaks something, and has somebody ping.

    `verdict` is a pattern for what the doctor says first, by the name of the host where it is asked. `mends` is the
    host where the first command of the remedy, typed as it stands, has the ping answered.
    """

    make: Callable[[Wire], None]
    verdict: dict[str, str]
    datapaths: tuple[str, ...]
    mends: str


FAULTS: dict[str, Fault] = {}


def fault(
    into: dict[str, Fault], *, a: str = "", b: str = "", on: tuple[str, ...] = BOTH, mends: str = ""
) -> Callable[[Callable[[Wire], None]], None]:
    """Put the function that follows into a table of faults, with what else Fault has of it."""

    def note(make: Callable[[Wire], None]) -> None:
        verdict = {name: pattern for name, pattern in (("a", a), ("b", b)) if pattern}
        into[make.__name__.strip("_")] = Fault(make, verdict, on, mends)

    return note


_fault = partial(fault, FAULTS)


@_fault(b="session id 8.*swapped")
def _ids_swapped(wire: Wire) -> None:
    wire.join(a=("--id", "7", "--peer-id", "8"), b=("--id", "7", "--peer-id", "8"))
    wire.use()


@_fault(b="sends to UDP port 1702, and the tunnel is at port 1701")
def _port_of_the_peer(wire: Wire) -> None:
    wire.join(a_tunnel=("--remote-port", "1702"))
    wire.use()


@_fault(b="come from 10.99.0.1 port 1701, not from the peer, which is 10.99.0.1 port 1799", mends="b")
def _port_that_packets_come_from(wire: Wire) -> None:
    wire.join(b_tunnel=("--remote-port", "1799"))
    wire.use()


@_fault(b="cookie of 4 bytes, and session s expects one of 8")
def _cookie_too_short(wire: Wire) -> None:
    wire.join(a=("--tx-cookie", "11111111"))
    wire.use()


@_fault(b="no cookie, and session s expects one of 8")
def _cookie_left_out(wire: Wire) -> None:
    wire.join(a=("--tx-cookie", "none"))
    wire.use()


@_fault(b="two cookies are swapped")
def _cookies_swapped(wire: Wire) -> None:
    wire.join(b=("--tx-cookie", "1111111111111111", "--rx-cookie", "2222222222222222"))
    wire.use()


@_fault(b="sends the L2-specific sublayer, and session s has none", mends="b")
def _sublayer_at_one_end(wire: Wire) -> None:
    wire.join(b=("--sublayer", "none"))
    wire.use()


@_fault(b="sends the L2-specific sublayer, and session s has none", mends="b")
def _sublayer_at_one_end_without_cookies(wire: Wire) -> None:
    plain = ("--tx-cookie", "none", "--rx-cookie", "none")
    wire.join(a=plain, b=(*plain, "--sublayer", "none"))
    wire.use()


@_fault(b="does not number its packets", mends="b")
def _numbers_at_one_end(wire: Wire) -> None:
    wire.join(b=("--sequencing", "both"))
    wire.use()


@_fault(b="firewall of this host", on=BY_PYTHON)
def _receiver_drops(wire: Wire) -> None:
    wire.join()
    filter_chain(wire.b, "input", "udp dport 1701 counter drop")
    wire.use()


@_fault(b="firewall of this host", on=BY_PYTHON)
def _receiver_lets_only_tcp_udp_icmp_in(wire: Wire) -> None:
    wire.join(tunnel=("--encap", "ip"))
    filter_chain(wire.b, "input", "meta l4proto {tcp,udp,icmp} accept", policy="drop")
    wire.use()


@_fault(b="come from 10.99.0.1 port 5000", on=BY_PYTHON)
def _source_port_changed_by_nat(wire: Wire) -> None:
    wire.join()
    nat = "add chain ip n p { type nat hook postrouting priority 100; }"
    nft(wire.a, "add table ip n", nat, "add rule ip n p udp dport 1701 masquerade to :5000")
    wire.use()


@_fault(
    a="over UDP, and the tunnel is over IP protocol 115|does not take IP protocol 115", b="over IP protocol 115, and"
)
def _udp_here_and_ip_there(wire: Wire) -> None:
    wire.join(a_tunnel=("--encap", "ip"))
    wire.use(wire.b, "10.9.0.1")
    wire.use()


@_fault(a="10.99.0.2.*blackhole")
def _policy_rule_to_a_black_hole(wire: Wire) -> None:
    wire.join()
    wire.a.ip("rule", "add", "to", "10.99.0.2", "blackhole", "prio", "50")
    wire.use()


@_fault(a="no route to 10.99.0.2")
def _route_gone(wire: Wire) -> None:
    wire.join()
    wire.a.ip("route", "del", "10.99.0.0/24")
    wire.use()


@_fault(a="local address 10.99.0.1 is not on this host")
def _address_replaced(wire: Wire) -> None:
    wire.join()
    wire.a.ip_batch(["addr del 10.99.0.1/24 dev u0", "addr add 10.99.0.7/24 dev u0"])
    wire.use()


@_fault(a="u0.*set down", b="u0.*no carrier", mends="a")
def _underlay_set_down(wire: Wire) -> None:
    wire.join()
    wire.a.ip("link", "set", "u0", "down")
    wire.use()


@_fault(a="10.99.0.1 is not on this host", b="u0.*no carrier")
def _underlay_moved_to_another_namespace(wire: Wire) -> None:
    wire.join()
    wire.a.ip("link", "set", "u0", "netns", wire.hosts.add("c")[0].netns)
    wire.use()


@_fault(a="nobody there takes these packets at UDP port 1701", b="l2tpctl down", mends="b", on=BY_PYTHON)
def _tunnels_of_the_peer_stopped(wire: Wire) -> None:
    wire.join()
    wire.b.ctl("down")
    wire.use()


@_fault(b="not running|no worker", mends="b", on=BY_PYTHON)
def _worker_killed(wire: Wire) -> None:
    wire.join()
    for pid in wire.b.workers():
        os.kill(pid, signal.SIGKILL)
    wire.use()


@_fault(a="queue .tbf. of netdev u0")
def _rate_limit_on_the_underlay(wire: Wire) -> None:
    wire.join()
    wire.a.run(["tc", "qdisc", "add", "dev", "u0", "root", *EIGHT_KBIT])
    wire.use(None, "10.9.0.2", "-s", "1000")


@_fault(a="SCCRQ of L2TPv2")
def _peer_speaks_version_2(wire: Wire) -> None:
    wire.join()
    send_forever(
        wire.b,
        "10.99.0.2",
        "10.99.0.1",
        "c80200220000000000000000800800000000000180080000000201008008000000090001"[:68],
    )


@_fault(a="SCCRQ of L2TPv3")
def _peer_wants_to_negotiate_version_3(wire: Wire) -> None:
    wire.join()
    send_forever(wire.b, "10.99.0.2", "10.99.0.1", "c803001e00000000000000008008000000000001800a0000003c0a630002")


@_fault(a="lan1 1500")
def _full_frames_into_a_bridge_of_1438(wire: Wire) -> None:
    c, _ = wire.lans()
    wire.use(c, "10.5.0.2", "-s", "1472")


@_fault(a="no port of bridge br0")
def _taken_out_of_its_bridge(wire: Wire) -> None:
    c, _ = wire.lans()
    wire.a.ip("link", "set", "l2tpeth0", "nomaster")
    wire.use(c, "10.5.0.2")


@_fault(a="br0 is set down")
def _bridge_set_down(wire: Wire) -> None:
    c, _ = wire.lans()
    wire.a.ip("link", "set", "br0", "down")
    wire.use(c, "10.5.0.2")


@_fault(a="both ends have one MAC", b="both ends have one MAC")
def _one_mac_at_both_ends(wire: Wire) -> None:
    wire.join(a=("--mac", "02:00:00:00:00:01"), b=("--mac", "02:00:00:00:00:01"))
    wire.a.ip("neigh", "replace", "10.9.0.2", "lladdr", "02:00:00:00:00:01", "dev", "l2tpeth0")
    wire.use()
    wire.use(wire.b, "10.9.0.1")


@_fault(a="packets of 1500 bytes, which the route takes, do not reach 10.98.2.2")
def _path_in_the_middle_is_narrower(wire: Wire) -> None:
    router = wire.routed()
    filter_chain(router, "forward", "meta length > 1300 drop", "ip frag-off & 0x3fff != 0 drop")
    wire.join()
    wire.use()


@_fault(a="administratively prohibited", on=BY_PYTHON)
def _router_prohibits(wire: Wire) -> None:
    router = wire.routed()
    filter_chain(router, "forward", "udp dport 1701 reject with icmp type admin-prohibited")
    wire.join()
    wire.use()


@_fault(a="without a checksum over IPv6", on=BY_PYTHON)
def _no_checksum_over_ipv6(wire: Wire) -> None:
    wire.join(family=6, b_tunnel=("--udp-checksum", "off"))
    wire.use()
    wire.use(wire.b, "10.9.0.1")
