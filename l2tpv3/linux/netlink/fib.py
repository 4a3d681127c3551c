"""Finds the netdev by which an address is reached: a request to rtnetlink and its answer, without I/O."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.message import Answer, attribute, attributes, u32, unsigned
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER

IPAddress = IPv4Address | IPv6Address
GET_ROUTE: Final = 26  # RTM_GETROUTE
_ROUTE: Final = Struct("=BBBBBBBBI")  # struct rtmsg
_TARGET, _SOURCE, _OUT, _GATEWAY, _METRICS, _CACHE, _MARK = 1, 2, 4, 5, 8, 12, 16
"""RTA_DST, RTA_SRC, RTA_OIF, RTA_GATEWAY, RTA_METRICS, RTA_CACHEINFO, RTA_MARK (linux/rtnetlink.h)."""
_LOCK, _MTU = 1, 2  # RTAX_LOCK, RTAX_MTU
_FIB_MATCH: Final = 0x2000
_CACHE_INFO: Final = Struct("=IIiIIIII")  # struct rta_cacheinfo


def route_to(target: IPAddress, source: IPAddress, *, out: int = 0, mark: int = 0, configured: bool = False) -> bytes:
    """GET_ROUTE: the route of packets from `source`, an address of this host, to `target`.

    out: only by the netdev with that index. mark: what the packets are marked with, 0 for nothing. configured: the
    route as it is in the table, without what was learnt since of the path (RTM_F_FIB_MATCH, Linux 4.13; older kernels
    ignore it).
    """
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    bits = 8 * len(target.packed)
    attributes_ = attribute(_TARGET, target.packed) + attribute(_SOURCE, source.packed)
    if out:
        attributes_ += attribute(_OUT, u32(out))
    if mark:
        attributes_ += attribute(_MARK, u32(mark))
    return _ROUTE.pack(family, bits, bits, 0, 0, 0, 0, 0, _FIB_MATCH if configured else 0) + attributes_


def read_route(answer: Answer) -> int:
    """The index of the netdev in an answer to `route_to`; 0 where none is told."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            # The answer's offsets are for ifinfomsg, which is longer than rtmsg.
            return unsigned(datagram, attributes(datagram, begin - LINK_HEADER + _ROUTE.size, end).get(_OUT))
    return 0


def read_gateway(answer: Answer) -> IPAddress | None:
    """The router in an answer to `route_to`; None where the target is on the netdev's own network."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            place = attributes(datagram, begin - LINK_HEADER + _ROUTE.size, end).get(_GATEWAY)
            return ip_address(bytes(datagram[slice(*place)])) if place is not None else None
    return None


class RouteMtu(NamedTuple):
    """The MTU of a route in bytes. mtu: 0 where the route has none, and the netdev's counts.

    expires: it is forgotten after a time, as is what ICMP said of the path, or a router advertised. locked: nothing
    said of the path later replaces it (`mtu lock`); unless it is asked for as `configured`, that may be locked, too.
    """

    mtu: int
    expires: bool
    locked: bool = False


def read_mtu(answer: Answer) -> RouteMtu:
    """The MTU in an answer to `route_to`."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            found = attributes(datagram, begin - LINK_HEADER + _ROUTE.size, end)
            metrics = attributes(datagram, *found[_METRICS]) if _METRICS in found else {}
            cache = found.get(_CACHE, (0, 0))
            known = cache[1] - cache[0] >= _CACHE_INFO.size
            expires = known and _CACHE_INFO.unpack_from(datagram, cache[0])[2] != 0
            locked = bool(unsigned(datagram, metrics.get(_LOCK)) & 1 << _MTU)
            return RouteMtu(unsigned(datagram, metrics.get(_MTU)), expires, locked)
    return RouteMtu(0, expires=False)
