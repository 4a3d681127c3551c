"""The netdev by which a tunnel's packets leave this host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from l2tpv3.doctor.case import Case, Check
from l2tpv3.doctor.outer_link import bridge_of, outer_link
from l2tpv3.errors import L2tpError
from l2tpv3.linux.netlink import xfrm
from l2tpv3.linux.netlink.rtnetlink import CARRIER, UP
from l2tpv3.model.finding import Finding, Harm
from l2tpv3.model.hearing import Hearing
from l2tpv3.printable import printable


def _no_address(case: Case) -> Iterator[Finding]:
    """The netdev that has the local address is set down or gone, so that there is no route."""
    record = case.looked.record
    local, netns = record.local, record.spec.netns
    try:
        case.looked.host.route(record)
    except L2tpError:
        owners = case.looked.host.owners(netns, local)
        inside = f" -n {netns}" if netns else ""
        for netdev in owners:
            if not netdev.up:
                name = printable(netdev.ifname)
                says = f"netdev {name}, which has local address {local}, is set down"
                evidence = (f"`ip{inside} link show {name}` has no UP among its flags",)
                yield case.of_tunnel("outer-path", Harm.STOPS, says, f"`ip{inside} link set {name} up`", evidence)
        if not owners:
            says = f"local address {local} is not on this host any more, and no route leads to {record.spec.remote}"
            remedy = f"give it back (`ip{inside} addr add`), or `l2tpctl tunnel set {record.spec.name} --local` another"
            evidence = (f"`ip{inside} addr show to {local}` shows nothing",)
            yield case.of_tunnel("outer-path", Harm.STOPS, says, remedy, evidence)


def _no_carrier(case: Case) -> Iterator[Finding]:
    """The netdev of the route to the peer has no carrier: a cable that is out, or the other end of it."""
    spec, link = case.spec, outer_link(case)
    if link is not None and link.flags & UP and not link.flags & CARRIER:
        name = printable(link.ifname)
        says = f"netdev {name}, by which packets to {spec.remote} leave, has no carrier"
        remedy = f"look at its cable, or at what is at the other end of it (`ip link show {name}`)"
        yield case.of_tunnel("no-carrier", Harm.STOPS, says, remedy, (f"the route to {spec.remote} is by {name}",))


def _bridged_with_the_wire(case: Case) -> Iterator[Finding]:
    """The netdev of the route to the peer is a port of the bridge that a session is a port of."""
    link = outer_link(case)
    bridge = bridge_of(case, link) if link is not None else None
    if link is None or bridge is None:
        return
    for record, status in case.sessions():
        netdev = status.netdev
        if netdev is None or netdev.netns != case.spec.netns or netdev.bridge != bridge:
            continue
        name, inside = printable(link.ifname), f" -n {case.spec.netns}" if case.spec.netns else ""
        says = (
            f"netdev {name}, by which the tunnel's packets leave, and session {record.spec.name} are ports of one"
            f" bridge, {printable(bridge)}: the tunnel would carry its own packets, and what comes goes into the bridge"
        )
        harm = Harm.LOSES if case.arrivals is not None and case.arrivals.right() else Harm.STOPS
        evidence = (f"`ip{inside} link show {name}` has master {printable(bridge)}",)
        yield case.of_tunnel("underlay-in-bridge", harm, says, f"`ip{inside} link set {name} nomaster`", evidence)
        return


def _ipsec(case: Case) -> Iterator[Finding]:
    """IPsec policies that block packets of this host, or for which there are no keys, and a peer that is not heard."""
    heard = any(one.hearing is Hearing.HEARD for one in case.looked.status.sessions)
    if heard or not xfrm.is_used(case.spec.netns):
        return
    counted = {name: number for name, number in xfrm.drops(case.spec.netns).items() if name in _POLICIES}
    for name, number in counted.items():
        if number:
            inside = f" -n {case.spec.netns}" if case.spec.netns else ""
            says = f"IPsec policies of this host drop packets: {_POLICIES[name]}"
            evidence = (f"/proc/net/xfrm_stat: {name} {number}",)
            remedy = f"`ip{inside} xfrm policy` and `ip{inside} xfrm state`; have keys agreed (IKE), or take them out"
            yield case.of_tunnel("ipsec", Harm.STOPS, says, remedy, evidence)
            return


_POLICIES: Final = {
    "XfrmOutPolBlock": "one says that what goes out is blocked",
    "XfrmOutNoStates": "there are no keys (security associations) for what goes out",
    "XfrmInPolBlock": "one says that what comes in is blocked",
    "XfrmInTmplMismatch": "what comes in is not protected as one of them says",
    "XfrmInNoPols": "what comes in is protected, and no policy expects that",
}
"""Counters of a network namespace (Documentation/networking/xfrm_proc.rst), and what each says."""

CHECKS: Final[tuple[Check, ...]] = (_no_address, _no_carrier, _bridged_with_the_wire, _ipsec)
