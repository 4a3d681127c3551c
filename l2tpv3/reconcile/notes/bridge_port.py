"""Notes about a session that is a port of a bridge, whichever program put it there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from l2tpv3.linux.netlink.bridge import BLOCKING, LEARNING, LISTENING, BridgeSeen, PortSeen
from l2tpv3.model.links.mtu_notes import frames_too_long
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.status import NetdevState

Marked = Callable[[str], tuple[TunnelRecord, SessionRecord] | None]
"""A function from an ifalias to the session on record whose owner tag it is."""


def bridge_notes(
    tunnel: TunnelRecord,
    session: SessionRecord,
    netdev: NetdevState,
    bridge: BridgeSeen,
    marked: Marked,
    dropping: tuple[str, ...],
) -> Iterator[str]:
    """netdev: the session's. dropping: see l2tpv3.linux.netlink.bridge.dropping_filters."""
    own = next((port for port in bridge.ports if port.ifname == netdev.ifname), None)
    if own is None:
        return
    others = [port for port in bridge.ports if port is not own]
    yield from _mtus(tunnel, session, own, others, bridge, marked)
    yield from _towards_one_peer(tunnel, own, others, bridge, marked)
    yield from _spanning_tree(own, bridge)
    yield from _vlans(own, others, bridge)
    for sysctl in dropping:
        accept = f"{sysctl.rpartition('-')[2]} -I FORWARD -i {bridge.ifname} -o {bridge.ifname} -j ACCEPT"
        yield (
            f"the host's packet filter drops IP that {bridge.ifname} forwards: its FORWARD policy is to drop, and"
            f" {sysctl} is 1; `sysctl -w {sysctl}=0`, or `{accept}`"
        )


def _mtus(
    tunnel: TunnelRecord,
    session: SessionRecord,
    own: PortSeen,
    others: list[PortSeen],
    bridge: BridgeSeen,
    marked: Marked,
) -> Iterator[str]:
    name = _name(tunnel, session)
    widest = max(others, key=lambda port: port.mtu, default=None)
    if widest is not None and widest.mtu > own.mtu:
        lowered = f", and {bridge.ifname} itself has {bridge.mtu} now" if bridge.mtu == own.mtu else ""
        yield frames_too_long(name, own.mtu, _called(widest, marked), widest.mtu, lowered)
    elif widest is None and bridge.mtu == own.mtu < _ETHERNET_MTU:
        yield (
            f"{bridge.ifname} has an MTU of {own.mtu} bytes now, that of {name}, its smallest port; before a port of "
            f"{_ETHERNET_MTU} bytes joins it, `{_set_mtu(tunnel, session)} {_ETHERNET_MTU}` at both ends"
        )
    narrowest = min(others, key=lambda port: port.mtu, default=own)
    if narrowest.mtu < own.mtu and marked(narrowest.alias) is None:
        yield (
            f"{narrowest.ifname} takes {narrowest.mtu} bytes, {name} {own.mtu}: larger frames are dropped without"
            f" notice; `ip link set {narrowest.ifname} mtu {own.mtu}`, or `{_set_mtu(tunnel, session)} {narrowest.mtu}`"
        )


def _towards_one_peer(
    tunnel: TunnelRecord, own: PortSeen, others: list[PortSeen], bridge: BridgeSeen, marked: Marked
) -> Iterator[str]:
    """One note, however many ports there are: in a bridge of a thousand, each would name all the others."""
    if bridge.stp:
        return
    rivals = [
        other
        for port in others
        if not (port.isolated and own.isolated)
        and (other := marked(port.alias)) is not None
        and other[0].spec.remote == tunnel.spec.remote
    ]
    if rivals:
        more = f" and {len(rivals) - 1} more" if len(rivals) > 1 else ""
        yield (
            f"{bridge.ifname} has another port towards {tunnel.spec.remote}, {_name(*rivals[0])}{more}, and no spanning"
            " tree: where both are in one bridge there, frames go round for ever;"
            f" {_against_a_loop(bridge, *rivals[0])}"
        )


def _against_a_loop(bridge: BridgeSeen, tunnel: TunnelRecord, session: SessionRecord) -> str:
    """The note about two ports that may form a loop. tunnel, session: the other port."""
    if bridge.alias.startswith("l2tpv3 link "):
        stp = f"`l2tpctl link set {bridge.ifname} --stp on` at both ends"
    else:
        stp = f"`ip link set {bridge.ifname} type bridge stp_state 1` at both ends"
    leave = f"`l2tpctl session set {tunnel.spec.name} {session.spec.name} --bridge none`, or "
    return f"{leave if session.spec.bridge is not None else ''}{stp}"


def _spanning_tree(own: PortSeen, bridge: BridgeSeen) -> Iterator[str]:
    if not bridge.stp:
        return
    if own.state in (LISTENING, LEARNING):
        wait = f"{2 * bridge.forward_delay_s:g} s"
        yield f"{bridge.ifname} runs spanning tree: its port forwards nothing until {wait} after it came up"
    elif own.state == BLOCKING:
        yield f"{bridge.ifname}'s spanning tree blocks its port: another path leads to the same LAN"


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
