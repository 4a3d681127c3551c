"""Finds the netdevs by which a tunnel's packets leave this host, and whether they enter that tunnel again."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from l2tpv3.errors import from_errno
from l2tpv3.linux.netlink.fib import GET_ROUTE, read_route
from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket
from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.model.spec import home
from l2tpv3.netdev.underlay import outer_route

_OVER_ONE: Final = frozenset({"vlan", "macvlan", "macvtap", "ipvlan"})
"""Kinds of netdevs that send by the one that IFLA_LINK tells; a veth's is its other end, of whatever namespace."""
_OVER_PORTS: Final = frozenset({"bridge", "bond", "team"})

_KEPT: Final = frozenset({errno.EACCES, errno.EINVAL, errno.EHOSTUNREACH})
"""What a route of type prohibit, blackhole or unreachable makes of a question: a note of its own tells of it."""

_Place = tuple[str | None, str]  # a netdev by its network namespace and name


class OuterPaths:
    """The outer paths of the tunnels of one record, as the routes are now."""

    def __init__(self, records: Records) -> None:
        self._records = records

    @cached_property
    def _sessions(self) -> dict[_Place, TunnelRecord]:
        return {
            (home(record.spec, one.spec), one.spec.ifname): record
            for record in self._records.values()
            for one in record.sessions
        }

    def into_itself(self, record: TunnelRecord) -> str:
        """The netdev by which the route to the tunnel's peer leads through one of its own sessions; "" if none does.

        Also over a bridge, a bond or a VLAN that has such a session beneath it, or through another tunnel whose own
        route leads into this one. Where this tunnel is meant to ride on that one, whose session has an address of the
        peer's network, it is that one's route which is wrong. Raises NotFoundError, NotPermittedError (its network
        namespace), NoRouteError.
        """
        for first in self._ways_out(record):
            carrier = self._sessions.get(first)
            if carrier is None:
                continue
            if carrier.spec.name == record.spec.name:
                return first[1]
            if not _rides_on(record, carrier, first[1]) and self._reaches(carrier, record.spec.name):
                return first[1]
        return ""

    def _reaches(self, start: TunnelRecord, name: str) -> bool:
        """Whether the route of one tunnel leads through a session of the named one, perhaps by others between."""
        seen, todo = {start.spec.name}, [start]
        while todo:
            for place in self._ways_out(todo.pop()):
                carrier = self._sessions.get(place)
                if carrier is not None and carrier.spec.name == name:
                    return True
                if carrier is not None and carrier.spec.name not in seen:
                    seen.add(carrier.spec.name)
                    todo.append(carrier)
        return False

    def _ways_out(self, record: TunnelRecord) -> Iterator[_Place]:
        """The netdev of the route to a tunnel's peer, and those beneath it."""
        netns = record.spec.netns
        try:
            with RouteSocket(netns) as route:
                index = read_route(route.request(GET_ROUTE, outer_route(route, record.spec, record.local)))
                first = route.link(index)
                links = route.links() if first.kind in _OVER_ONE | _OVER_PORTS else [first]
        except OSError as error:
            if error.errno in _KEPT:
                return
            raise from_errno(f"tunnel {record.spec.name}", "find the way to its peer", error.errno or 0) from error
        yield from ((netns, one.ifname) for one in _with_those_beneath(first, links))


def _rides_on(record: TunnelRecord, carrier: TunnelRecord, ifname: str) -> bool:
    """Whether a tunnel's peer is in the network of an address of the carrying session."""
    return any(
        record.spec.remote in address.network
        for session in carrier.sessions
        if session.spec.ifname == ifname
        for address in session.spec.addresses
    )


def _with_those_beneath(first: Link, links: list[Link]) -> list[Link]:
    found, todo = {first.ifindex: first}, [first]
    while todo:
        one = todo.pop()
        for other in links:
            beneath = (one.kind in _OVER_PORTS and other.master == one.ifindex) or (
                one.kind in _OVER_ONE and other.ifindex == one.below
            )
            if beneath and other.ifindex not in found:
                found[other.ifindex] = other
                todo.append(other)
    return list(found.values())
