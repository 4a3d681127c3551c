"""The netdev by which a tunnel's packets leave this host, as the kernel has it now."""

from __future__ import annotations

from l2tpv3.doctor.case import Case
from l2tpv3.linux.netlink.fib import GET_ROUTE, IPAddress, read_gateway, read_route
from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket
from l2tpv3.netdev.underlay import outer_route


def outer_link(case: Case) -> Link | None:
    """That netdev; None where there is no route, of which a note of the tunnel tells."""
    try:
        with RouteSocket(case.spec.netns) as route:
            asked = outer_route(route, case.spec, case.looked.record.local)
            return route.link(read_route(route.request(GET_ROUTE, asked)))
    except OSError:
        return None


def next_hop(case: Case) -> IPAddress:
    """The router to which packets to the peer are given; the peer itself where there is none between."""
    try:
        with RouteSocket(case.spec.netns) as route:
            asked = outer_route(route, case.spec, case.looked.record.local)
            return read_gateway(route.request(GET_ROUTE, asked)) or case.spec.remote
    except OSError:
        return case.spec.remote


def bridge_of(case: Case, link: Link) -> str | None:
    """The name of the bridge, or bond, that the netdev is a port of; None where it is of none."""
    try:
        with RouteSocket(case.spec.netns) as route:
            return route.link(link.master).ifname if link.master else None
    except OSError:
        return None
