"""Notes about a session that is a port of a bridge, whichever program put it there.

Each function gives notes that do one harm: NOTHING_PASSES, LOOPS, TOO_LONG and ADVICE, see SESSION_NOTES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from l2tpv3.linux.netlink.bridge import (
    BLOCKING,
    LEARNING,
    LISTENING,
    BridgeSeen,
    DroppingFilter,
    PortSeen,
)
from l2tpv3.model.links.mtu_notes import frames_too_long
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.status import NetdevState
from l2tpv3.printable import printable

Marked = Callable[[str], tuple[TunnelRecord, SessionRecord] | None]
"""A function from an ifalias to the session on record whose owner tag it is."""


class Bridged(NamedTuple):
    """A session's netdev in a bridge. own: its port. others: the bridge's other ports. See `bridged`."""

    tunnel: TunnelRecord
    session: SessionRecord
    netdev: NetdevState
    bridge: BridgeSeen
    own: PortSeen
    others: list[PortSeen]
    marked: Marked


def bridged(
    tunnel: TunnelRecord, session: SessionRecord, netdev: NetdevState, bridge: BridgeSeen, marked: Marked
) -> Bridged | None:
    """What the notes are made of; None where the bridge does not have the netdev as a port."""
    own = next((port for port in bridge.ports if port.ifname == netdev.ifname), None)
    if own is None:
        return None
    others = [port for port in bridge.ports if port is not own]
    return Bridged(tunnel, session, netdev, bridge, own, others, marked)


def stopping_notes(one: Bridged) -> Iterator[str]:
    """Why no frame passes the port at all."""
    own, bridge = one.own, one.bridge
    name = printable(own.ifname)
    if own.isolated and one.others and all(port.isolated for port in one.others):
        yield (
            f"all ports of {bridge.ifname} are isolated, and frames pass from none of them to another:"
            f" `ip link set {name} type bridge_slave isolated off`"
        )
    yield from _vlans(own, one.others, bridge)
    if one.session.spec.bridge is None and one.session.spec.addresses:
        unset = f"`ip link set {name} nomaster`"
        yield (
            f"its netdev {name} has an address, and something made it a port of bridge {bridge.ifname}: nobody reaches"
            f" the address there; {unset}, or give the bridge the address"
        )


def filter_notes(one: Bridged, dropping: tuple[DroppingFilter, ...]) -> Iterator[str]:
    """The host's packet filter drops what is bridged. dropping: see l2tpv3.linux.netlink.bridge.dropping_filters."""
    name = one.bridge.ifname
    for found in dropping:
        chain = "DOCKER-USER" if found.docker else "FORWARD"
        accept = f"{found.sysctl.rpartition('-')[2]} -I {chain} -i {name} -o {name} -j ACCEPT"
        whose = "its FORWARD policy, which Docker has set," if found.docker else "its FORWARD policy"
        yield (
            f"the host's packet filter drops IP that {name} forwards: {whose} is to drop, and"
            f" {found.sysctl} is 1; `sysctl -w {found.sysctl}=0`, or `{accept}`"
        )


def spanning_tree_notes(one: Bridged) -> Iterator[str]:
    """What spanning tree has the port do."""
    own, bridge = one.own, one.bridge
    if not bridge.stp:
        return
    if own.state in (LISTENING, LEARNING):
        wait = f"{2 * bridge.forward_delay_s:g} s"
        yield f"{bridge.ifname} runs spanning tree: its port forwards nothing until {wait} after it came up"
    elif own.state == BLOCKING:
        yield f"{bridge.ifname}'s spanning tree blocks its port: another path leads to the same LAN"


def loop_notes(one: Bridged) -> Iterator[str]:
    """Another port that leads to the same peer. One note, however many: in a bridge of a thousand, each has 999."""
    if one.bridge.stp:
        return
    rivals = [
        other
        for port in one.others
        if not (port.isolated and one.own.isolated)
        and (other := one.marked(port.alias)) is not None
        and other[0].spec.remote == one.tunnel.spec.remote
    ]
    if rivals:
        more = f" and {len(rivals) - 1} more" if len(rivals) > 1 else ""
        yield (
            f"{one.bridge.ifname} has another port towards {one.tunnel.spec.remote}, {_name(*rivals[0])}{more}, and no"
            " spanning tree: where both are in one bridge there, frames go round for ever;"
            f" {_against_a_loop(one.bridge, *rivals[0])}"
        )


def mtu_notes(one: Bridged) -> Iterator[str]:
    """Full frames that can't pass the port, or another one."""
    own, bridge, name = one.own, one.bridge, _name(one.tunnel, one.session)
    widest = max(one.others, key=lambda port: port.mtu, default=None)
    if widest is not None and widest.mtu > own.mtu:
        lowered = f", and {bridge.ifname} itself has {bridge.mtu} now" if bridge.mtu == own.mtu else ""
        yield frames_too_long(name, own.mtu, _called(widest, one.marked), widest.mtu, lowered)
    narrowest = min(one.others, key=lambda port: port.mtu, default=own)
    if narrowest.mtu < own.mtu and one.marked(narrowest.alias) is None:
        shrink = f"{_set_mtu(one.tunnel, one.session)} {narrowest.mtu}"
        yield (
            f"{narrowest.ifname} takes {narrowest.mtu} bytes, {name} {own.mtu}: larger frames are dropped without"
            f" notice; `ip link set {narrowest.ifname} mtu {own.mtu}`, or `{shrink}`"
        )


def advice_notes(one: Bridged) -> Iterator[str]:
    """An MTU that harms nobody yet, and will do so once a port of the usual MTU joins the bridge."""
    own, bridge = one.own, one.bridge
    if not one.others and bridge.mtu == own.mtu < _ETHERNET_MTU:
        yield (
            f"{bridge.ifname} has an MTU of {own.mtu} bytes now, that of {_name(one.tunnel, one.session)}, its smallest"
            f" port; before a port of {_ETHERNET_MTU} bytes joins it,"
            f" `{_set_mtu(one.tunnel, one.session)} {_ETHERNET_MTU}` at both ends"
        )


def _against_a_loop(bridge: BridgeSeen, tunnel: TunnelRecord, session: SessionRecord) -> str:
    """The note about two ports that may form a loop. tunnel, session: the other port."""
    if bridge.alias.startswith("l2tpv3 link "):
        stp = f"`l2tpctl link set {bridge.ifname} --stp on` at both ends"
    else:
        stp = f"`ip link set {bridge.ifname} type bridge stp_state 1` at both ends"
    leave = f"`l2tpctl session set {tunnel.spec.name} {session.spec.name} --bridge none`, or "
    return f"{leave if session.spec.bridge is not None else ''}{stp}"


def _vlans(own: PortSeen, others: list[PortSeen], bridge: BridgeSeen) -> Iterator[str]:
    """A bridge that looks at VLANs, and lets the port pass none, or none that anybody else there has."""
    if own.vlans is None:
        return
    if not own.vlans:
        add = f"bridge vlan add dev {own.ifname} vid 1 pvid untagged"
        yield f"{bridge.ifname} filters VLANs, and its port has none, so that nothing passes it: `{add}`, or its VLANs"
        return
    known = (bridge.own_vlans or frozenset()).union(*(port.vlans or () for port in others))
    if not own.vlans & known:
        numbers = ", ".join(map(str, sorted(own.vlans)[:8]))
        yield (
            f"{bridge.ifname} filters VLANs, and no other port has one of its port's ({numbers}), so that nothing"
            f" passes it: `bridge vlan add dev {own.ifname} vid VLAN` gives it theirs (`bridge vlan show`)"
        )


def _called(port: PortSeen, marked: Marked) -> str:
    found = marked(port.alias)
    return port.ifname if found is None else _name(*found)


def _name(tunnel: TunnelRecord, session: SessionRecord) -> str:
    return f"{tunnel.spec.name}/{session.spec.name}"


def _set_mtu(tunnel: TunnelRecord, session: SessionRecord) -> str:
    return f"l2tpctl session set {tunnel.spec.name} {session.spec.name} --mtu"


_ETHERNET_MTU = 1500
