"""The netdev by which a tunnel's packets leave this host, as the kernel has it now."""

from __future__ import annotations

from l2tpv3.doctor.case import Case
from l2tpv3.linux.netlink.fib import GET_ROUTE, read_route
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
