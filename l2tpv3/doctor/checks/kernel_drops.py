"""What the kernel says itself of the packets that it dropped, where `--drops` has asked it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from l2tpv3.doctor.case import Case, Check
from l2tpv3.doctor.drops.watching import Drop
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.printable import printable

_LINES: Final = 5
"""So many kinds of drops are shown as evidence."""


class _Reason(NamedTuple):
    """What a reason means, and what mends it.

    of_frames: whether it says that frames at a session's netdev get lost which should not. The other reasons are those
    of this host's own IP, which drops some on any host: what is for another one, or for a port where nobody listens.
    """

    means: str
    remedy: str
    of_frames: bool = False


_RULES: Final = "`nft list ruleset` and `iptables -vnL` show the rules, with what each has dropped if it counts"
_NEIGHBOUR: Final = "`ip neigh` shows who does not answer; look whether the next hop is on"
_QUEUE: Final = "`tc -s qdisc` shows the queues, and what each has dropped"
_ROUTE: Final = "`ip route get` to the address that the packets go to shows the route"
_LOCAL: Final = "look at the addresses of both ends: `ip address`"
_REASONS: Final[dict[str, _Reason]] = {
    "NETFILTER_DROP": _Reason("a rule of the packet filter (nftables, iptables) drops them", _RULES, of_frames=True),
    "NO_SOCKET": _Reason("no socket takes them", "`ss -uanp` shows the sockets; is the tunnel up, at that port?"),
    "UDP_CSUM": _Reason("their UDP checksum is wrong", "`ethtool -K NETDEV tx off` where they are sent"),
    "SKB_CSUM": _Reason("their checksum is wrong", "`ethtool -K NETDEV tx off` where they are sent"),
    "IP_CSUM": _Reason("the checksum of their IP header is wrong", "look at what the path does to them"),
    "IP_INHDR": _Reason("their IP header is wrong", "look at what the path does to them"),
    "IP_RPFILTER": _Reason(
        "the way back to their sender is by another netdev (rp_filter)",
        "`sysctl -w net.ipv4.conf.all.rp_filter=2`, or a route to the sender by the netdev that they come by",
        of_frames=True,
    ),
    "SOCKET_RCVBUFF": _Reason("the socket's buffer is full", "`sysctl -w net.core.rmem_max` allows larger ones"),
    "PROTO_MEM": _Reason("the memory for sockets is used up", "`sysctl net.ipv4.udp_mem` is the limit"),
    "XFRM_POLICY": _Reason("an IPsec policy forbids them", "`ip xfrm policy` shows the policies"),
    "IP_NOPROTO": _Reason("nothing here takes their protocol", "is the tunnel up, and its kernel module loaded?"),
    "IP_OUTNOROUTES": _Reason("there is no route for them", _ROUTE),
    "IP_INNOROUTES": _Reason("there is no route for them", _ROUTE),
    "IP_INADDRERRORS": _Reason("this host has not the address that they go to", _LOCAL),
    "IP_LOCAL_SOURCE": _Reason("they come from an address that this host has itself", _LOCAL),
    "IP_INVALID_SOURCE": _Reason("the address that they come from is none of a host", _LOCAL),
    "IPV6DISABLED": _Reason("IPv6 is off at that netdev", "`sysctl -w net.ipv6.conf.NETDEV.disable_ipv6=0`"),
    "NEIGH_CREATEFAIL": _Reason("the table of neighbours is full", "`sysctl net.ipv4.neigh.default.gc_thresh3`"),
    "NEIGH_FAILED": _Reason("nobody answers who has the next hop's address (ARP, neighbour discovery)", _NEIGHBOUR),
    "NEIGH_QUEUEFULL": _Reason("too many wait for the next hop's MAC address", _NEIGHBOUR),
    "NEIGH_DEAD": _Reason("the next hop is gone", _NEIGHBOUR),
    "BPF_CGROUP_EGRESS": _Reason("a program of a cgroup drops them", "`bpftool cgroup tree` shows it"),
    "TC_EGRESS": _Reason("a filter of tc drops them", "`tc filter show dev NETDEV egress` shows it", of_frames=True),
    "TC_INGRESS": _Reason("a filter of tc drops them", "`tc filter show dev NETDEV ingress` shows it", of_frames=True),
    "XDP": _Reason("an XDP program drops them", "`ip link` shows the netdev's program", of_frames=True),
    "QDISC_DROP": _Reason("a queue is full, or limits the rate", _QUEUE, of_frames=True),
    "QDISC_OVERLIMIT": _Reason("a queue is full", _QUEUE, of_frames=True),
    "QDISC_CONGESTED": _Reason("a queue is too long for too long", _QUEUE, of_frames=True),
    "CPU_BACKLOG": _Reason(
        "this host does not keep up with what arrives", "`sysctl -w net.core.netdev_max_backlog=10000`", of_frames=True
    ),
    "FULL_RING": _Reason(
        "who reads the netdev (its worker) does not keep up", "another datapath takes less of a CPU", of_frames=True
    ),
    "NOMEM": _Reason("there is no memory for them", "`free -m`", of_frames=True),
    "PKT_TOO_BIG": _Reason(
        "they are longer than the MTU of the way out", "`l2tpctl mtu TUNNEL` tells what fits", of_frames=True
    ),
    "FRAG_REASM_TIMEOUT": _Reason(
        "a part of a packet that was sent in fragments never came", "`l2tpctl mtu TUNNEL`; --fragment on at both ends"
    ),
    "DEV_READY": _Reason("the netdev is not up", "`ip link`", of_frames=True),
    "BRIDGE_INGRESS_STP_STATE": _Reason(
        "spanning tree blocks the port", "`bridge link` shows the ports' states", of_frames=True
    ),
    "OTHERHOST": _Reason("they are for another MAC address", "`ip neigh` at the sender"),
    "UNHANDLED_PROTO": _Reason("nothing here takes their EtherType", ""),
}
"""Of include/net/dropreason-core.h."""


def _outside(case: Case) -> Iterator[Finding]:
    """Packets of the tunnel, on their way in or out."""
    drops = [one for one in case.drops.outside if not _is_copy(one)] if case.drops is not None else []
    if not drops:
        return
    first, reason = drops[0], _reason(drops[0])
    way = "that come" if str(first.source) == str(case.spec.remote) else "that go out"
    says = f"the kernel of this host drops packets of the tunnel {way}: {reason.means}"
    yield case.of_tunnel("dropped", Harm.LOSES, says, reason.remedy, _evidence(case, drops))


def _inside(case: Case) -> Iterator[Finding]:
    """Frames at the netdevs of its sessions."""
    for name, drops in case.drops.inside.items() if case.drops is not None else ():
        shown = [one for one in drops if _reason(one).of_frames]
        if shown:
            reason = _reason(shown[0])
            says = f"the kernel of this host drops frames of session {name}: {reason.means}"
            yield case.of_session(name, "dropped", Harm.LOSES, says, reason.remedy, _evidence(case, shown))


def _is_copy(drop: Drop) -> bool:
    """Whether only a copy was dropped, which a packet socket had of it, as that of the doctor itself."""
    return drop.reason in _OF_COPIES or (drop.function or "").startswith(_DROPS_COPIES)


_OF_COPIES: Final = frozenset({"QUEUE_PURGE", "SOCKET_CLOSE", "SOCKET_FILTER", "PACKET_SOCK_ERROR"})
_DROPS_COPIES: Final = ("packet_", "tpacket_", "skb_queue_purge")
"""Reasons, and how the functions are called, by which packet sockets drop what they have."""


def _reason(drop: Drop) -> _Reason:
    known = _REASONS.get(drop.reason)
    if known is not None:
        return known
    where = f"in {printable(drop.function)}" if drop.function is not None else "where it does not say"
    if drop.reason == "NOT_SPECIFIED":
        return _Reason(f"{where}, for a reason that it does not tell", "")
    return _Reason(f"its own reason is {printable(drop.reason)}, {where}", "")


def _evidence(case: Case, drops: Sequence[Drop]) -> tuple[str, ...]:
    """A line for each kind of drop, the first ones."""
    lines = []
    for one in drops[:_LINES]:
        packets = "1 packet" if one.packets == 1 else f"{one.packets} packets"
        where = f" in {printable(one.function)}" if one.function is not None else ""
        ends = f": {one.source} > {one.destination}" if one.source is not None else ""
        lines.append(f"{packets} within {case.listened_s:g} s, {printable(one.reason)}{where}{ends}")
    return tuple(lines)


CHECKS: Final[tuple[Check, ...]] = (_outside, _inside)
