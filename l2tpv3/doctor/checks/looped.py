"""Frames that go round: what left this host by a session comes back through another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.linux.netlink.bridge import FORWARDING
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.status import NetdevState
from l2tpv3.printable import printable


def _remedy(bridge: str | None) -> str:
    if bridge is None:
        return "take one of the two ways out, or have spanning tree on in the bridges of both ends"
    return f"take one of the two ways out, or `ip link set {printable(bridge)} type bridge stp_state 1`, at both ends"


_REPEATS, _REPEATS_EACH_S = 200, 50
"""A frame to a group that comes so often, in all and each second, goes round: nobody sends one frame like that."""


def _repeated(case: Case) -> Iterator[Finding]:
    """One frame to a group that comes again and again, each bit the same."""
    for record, status in case.sessions():
        name = record.spec.name
        came = case.arrivals.broadcasts if case.arrivals is not None else {}
        mine = {frame: times for (session, frame), times in came.items() if session == name}
        frame, times = max(mine.items(), key=lambda one: one[1], default=(b"", 0))
        if times >= max(_REPEATS, _REPEATS_EACH_S * case.listened_s):
            says = f"the same broadcast frame comes through session {name} again and again: frames go round in a loop"
            evidence = (f"{times} times within {case.listened_s:g} s, each bit the same, from {frame[6:12].hex(':')}",)
            bridge = status.netdev.bridge if status.netdev is not None else None
            yield case.of_session(name, "loop", Harm.STOPS, says, _remedy(bridge), evidence)


def _two_ways(case: Case) -> Iterator[Finding]:
    """Frames come through a session from a MAC address that the bridge hears behind another of its ports."""
    if case.arrivals is None or case.counts is None:
        return
    learnt = case.counts[1].learnt
    for record, status in case.sessions():
        netdev, name = status.netdev, record.spec.name
        bridge = _forwarding_bridge(case, netdev) if netdev is not None else None
        if netdev is None or bridge is None:
            continue
        for mac in case.arrivals.sources.get(name, ()):
            ports = {port for master, port in learnt.get(mac, ()) if master == bridge.ifindex}
            if ports - {netdev.ifindex}:
                says = (
                    f"frames from {mac.hex(':')} come through session {name}, and {printable(bridge.ifname)} hears that"
                    " one behind another of its ports: frames go round in a loop, or two hosts have one MAC address"
                )
                evidence = (f"`bridge fdb show br {printable(bridge.ifname)}` shows the port that it has now",)
                yield case.of_session(name, "loop", Harm.LOSES, says, _remedy(netdev.bridge), evidence)
                break


def _forwarding_bridge(case: Case, netdev: NetdevState) -> NetdevState | None:
    """The bridge that a session's netdev is a port of, where what comes by that port can go round.

    Not so where the port blocks, or where a host may be heard at a port for each VLAN.
    """
    if netdev.bridge is None or netdev.netns != case.spec.netns:
        return None
    bridge = case.looked.host.netdev(netdev.netns, netdev.bridge)
    seen = case.looked.host.bridge(netdev.netns, netdev.bridge)
    if bridge is None or seen is None or seen.own_vlans is not None:
        return None
    blocks = any(port.ifname == netdev.ifname and port.state != FORWARDING for port in seen.ports)
    return None if blocks else bridge


CHECKS: Final[tuple[Check, ...]] = (_repeated, _two_ways)
