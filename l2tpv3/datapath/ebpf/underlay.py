"""The netdevs by which peers are reached, and the program at their ingress that takes sessions' packets."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import Final

from l2tpv3.datapath.ebpf.programs.decapsulate import receive
from l2tpv3.datapath.ebpf.session_entry import local_of
from l2tpv3.datapath.ebpf.session_map import PRIORITIES, SessionMap, maps_of, of_program, running
from l2tpv3.datapath.ebpf.veth import all_ends, ids_of_lower
from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.ethtool import Offload, is_on
from l2tpv3.linux.ipv6 import advertised_mtu
from l2tpv3.linux.netlink.fib import GET_ROUTE, read_mtu, read_route, route_to
from l2tpv3.linux.netlink.message import NLM_F_CREATE, NLM_F_REPLACE
from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket
from l2tpv3.linux.netlink.tc import NEW_FILTER, NEW_QDISC, Side, clsact
from l2tpv3.linux.netlink.tc_bpf import DEL_FILTER, IPV4, IPV6, run, stop
from l2tpv3.model.observed import Tunnel
from l2tpv3.model.spec import TunnelSpec

_KINDS: Final = {4: IPV4, 6: IPV6}
_MAC_TEXT: Final = 17  # characters of an ethernet netdev's address
_LOOPBACK: Final = "lo"


def reached_by(route: RouteSocket, tunnel: TunnelSpec | Tunnel) -> Link | None:
    """The ethernet netdev of the route to a peer; None where there is none now."""
    try:
        found = route.link(read_route(route.request(GET_ROUTE, route_to(tunnel.remote, local_of(tunnel)))))
    except OSError:
        return None
    return found if _is_ethernet(found) else None


def is_limited(route: RouteSocket, tunnel: TunnelSpec | Tunnel, netns: str | None) -> bool:
    """Whether packets to a peer have to be shorter than the netdev's MTU allows. netns: the tunnel's.

    So it is where the route was given a locked MTU (`mtu lock`), or the netdev has a smaller one for IPv6, as routers
    advertise it. What ICMP said of the path is no limit.
    Raises MissingError where the namespace is not there.
    """
    try:
        configured = route_to(tunnel.remote, local_of(tunnel), configured=True)
        if read_mtu(route.request(GET_ROUTE, configured)).locked:
            return True
    except OSError:  # there is no route
        return False
    out = reached_by(route, tunnel) if tunnel.remote.version == 6 else None
    return out is not None and advertised_mtu(netns, out.ifname) < out.mtu


def _is_ethernet(link: Link) -> bool:
    return link.ifname != _LOOPBACK and len(link.mac) == _MAC_TEXT


def attach(route: RouteSocket, link: Link, sessions: SessionMap) -> None:
    """Have the receiving program take the sessions' packets that come in by a netdev. Raises OSError.

    So they are at all others that have an address, when it is new there: a route may come to lead over one of those.
    """
    if is_attached(route, link, sessions):
        return
    of_sessions = {end.other for end in all_ends(route) if ids_of_lower(end.ifname) is not None}
    addressed = {index for index, address in route.addresses() if address.version == sessions.version} - of_sessions
    others = [one for one in route.links() if one.ifindex in addressed and _is_ethernet(one)]
    for one in (link, *(one for one in others if one.ifindex != link.ifindex)):
        _attach(route, one, sessions)


def _attach(route: RouteSocket, link: Link, sessions: SessionMap) -> None:
    with contextlib.suppress(FileExistsError):
        route.make(NEW_QDISC, clsact(link.ifindex))
    program = syscall.load("l2tpv3", receive(sessions.version, sessions.fd))
    try:
        kind, priority = _KINDS[sessions.version], PRIORITIES[sessions.version]
        body = run(link.ifindex, Side.INGRESS, priority, kind, program)
        route.request(NEW_FILTER, body, NLM_F_CREATE | NLM_F_REPLACE)
    finally:
        os.close(program)


def is_attached(route: RouteSocket, link: Link, sessions: SessionMap) -> bool:
    """Whether packets that come in by a netdev are taken. Raises OSError."""
    number = _receiving(route, link, sessions.version)
    return number is not None and syscall.map_id(sessions.fd) in maps_of(number)


def watched_by(route: RouteSocket, link: Link, version: int) -> SessionMap | None:
    """The map whose sessions' packets are taken when they come in by a netdev. Raises OSError."""
    number = _receiving(route, link, version)
    return of_program(number, version) if number is not None else None


def _receiving(route: RouteSocket, link: Link, version: int) -> int | None:
    try:
        return running(route, link.ifindex, PRIORITIES[version]).get(_KINDS[version])
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):  # it has no scheduler for filters
            return None
        raise


def detach(route: RouteSocket, version: int) -> None:
    """Take the receiving program for packets of that IP version off all netdevs of the namespace. Raises OSError.

    The scheduler `clsact` stays where it was made for it: it may be somebody else's by now, and does nothing.
    """
    for link in route.links():
        try:
            if _receiving(route, link, version) is not None:
                body = stop(link.ifindex, Side.INGRESS, PRIORITIES[version], _KINDS[version])
                route.request(DEL_FILTER, body)
        except OSError as error:
            if error.errno not in (errno.ENODEV, errno.ENOENT):  # it is going
                raise


def leaves_unfinished(link: Link) -> bool:
    """Whether packets that are sent by a netdev reach another one of this machine with checksums still to be made, in
    the calling thread's network namespace."""
    if link.kind != "veth":
        return False
    try:
        return is_on(link.ifname, Offload.TX_CHECKSUM)
    except OSError:
        return True
