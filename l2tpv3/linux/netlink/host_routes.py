"""Routes of single IPv6 hosts in the table `local`, which the kernel asks before all others: made, listed, removed.

They carry a protocol number of our own (include/uapi/linux/rtnetlink.h leaves those from 192 on to users), so that
routes of other programs are told apart.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv6Address
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.fib import GET_ROUTE
from l2tpv3.linux.netlink.message import NLM_F_CREATE, NLM_F_EXCL, attribute, attributes, u32, unsigned
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket

PROTOCOL: Final = 215
"""Whose the routes are (`ip -6 route show table local proto 215`)."""

_NEWROUTE, _DELROUTE = 24, 25  # linux/rtnetlink.h
_ROUTE: Final = Struct("=BBBBBBBBI")  # struct rtmsg
_DST, _OIF, _PRIORITY, _TABLE_ATTRIBUTE = 1, 4, 6, 15  # RTA_*
_TABLE: Final = 255  # RT_TABLE_LOCAL
_UNICAST, _UNREACHABLE = 1, 7  # RTN_*
_FIRST, _LAST = 64, 0xFFFF_FFFE
"""Metrics: the route by the netdev comes before the one that refuses."""


class HostRoute(NamedTuple):
    """A route of ours. ifindex: of the netdev that packets leave by; 0: they are refused (unreachable)."""

    target: IPv6Address
    ifindex: int

    @property
    def metric(self) -> int:
        """What it has as its metric: of two routes to one address the kernel takes the one with the lower metric."""
        return _FIRST if self.ifindex else _LAST


def put_route(route: RouteSocket, wanted: HostRoute) -> None:
    """Make the route, unless it is there. Raises OSError: EEXIST where another program has one in its place."""
    try:
        route.request(_NEWROUTE, _body(wanted), NLM_F_CREATE | NLM_F_EXCL)
    except OSError as error:
        if error.errno != errno.EEXIST or wanted not in host_routes(route):
            raise


def delete_route(route: RouteSocket, gone: HostRoute) -> None:
    """Remove the route; nothing happens where it is not there. Raises OSError."""
    try:
        route.request(_DELROUTE, _body(gone))
    except OSError as error:
        if error.errno not in (errno.ESRCH, errno.ENODEV):
            raise


def host_routes(route: RouteSocket) -> Iterator[HostRoute]:
    """All routes of ours in the namespace. Raises OSError."""
    with route.strict():
        answer = route.dump(GET_ROUTE, _ROUTE.pack(socket.AF_INET6, 0, 0, 0, 0, PROTOCOL, 0, 0, 0) + _table())
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            start = begin - LINK_HEADER  # the answer's offsets are for ifinfomsg, which is longer than rtmsg
            _, bits, _, _, table, protocol, _, kind, _ = _ROUTE.unpack_from(datagram, start)
            found = attributes(datagram, start + _ROUTE.size, end)
            if (bits, table, protocol) != (128, _TABLE, PROTOCOL) or _DST not in found:
                continue
            target = IPv6Address(datagram[slice(*found[_DST])])
            yield HostRoute(target, unsigned(datagram, found.get(_OIF)) if kind == _UNICAST else 0)


def _body(route: HostRoute) -> bytes:
    kind = _UNICAST if route.ifindex else _UNREACHABLE
    body = _ROUTE.pack(socket.AF_INET6, 128, 0, 0, _TABLE, PROTOCOL, 0, kind, 0)
    body += attribute(_DST, route.target.packed) + _table()
    if route.ifindex:
        body += attribute(_OIF, u32(route.ifindex))
    return body + attribute(_PRIORITY, u32(route.metric))


def _table() -> bytes:
    return attribute(_TABLE_ATTRIBUTE, u32(_TABLE))
