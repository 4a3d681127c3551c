"""What was seen where a note of `show` is the finding: a route, a rule, a netdev, what the datapath reports."""

from __future__ import annotations

from l2tpv3.doctor.case import Case
from l2tpv3.doctor.outer_link import outer_link
from l2tpv3.errors import L2tpError
from l2tpv3.linux.netlink.refusing_routes import refusals
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.model.status import SessionStatus
from l2tpv3.printable import printable

_ROUTES = frozenset({"outer-path", "into-itself"})


def evidence_of_tunnel(case: Case, cause: str) -> tuple[tuple[str, ...], str]:
    """What was seen of a tunnel with a cause, and a remedy that is better than the note's; "" where there is none."""
    if cause in _ROUTES:
        return _of_routes(case)
    if cause == "refused":
        return ("an ICMP error came back to the tunnel's socket again and again, within the last minute",), ""
    if cause == "not-running":
        record = case.looked.record
        return (f"datapath {record.datapath} was asked, and has no tunnel of id {record.spec.tunnel_id}",), ""
    return (), ""


def _of_routes(case: Case) -> tuple[tuple[str, ...], str]:
    remote, netns = case.spec.remote, case.spec.netns
    inside = f" -n {netns}" if netns else ""
    link = outer_link(case)
    if link is not None:
        name = printable(link.ifname)
        return (f"`ip{inside} route get {remote}`: packets to {remote} leave by netdev {name}",), ""
    try:
        with RouteSocket(netns) as route:
            found = refusals(route, remote)
    except (OSError, L2tpError):
        return (), ""
    if not found:
        return (f"`ip{inside} route get {remote}` has no answer",), ""
    remedy = f"`{found[0].remedy.replace('ip', f'ip{inside}', 1)}`" if inside else f"`{found[0].remedy}`"
    return tuple(printable(one.shown) for one in found[:3]), remedy


def evidence_of_session(status: SessionStatus) -> tuple[str, ...]:
    """What the netdev of a session is like."""
    netdev = status.netdev
    if netdev is None:
        return ()
    where = f", a port of {printable(netdev.bridge)}" if netdev.bridge else ""
    state = "up" if netdev.up else "down"
    return (f"netdev {printable(netdev.ifname)} is {state}, with an MTU of {netdev.mtu} bytes{where}",)
