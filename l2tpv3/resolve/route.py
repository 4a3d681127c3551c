"""The route to a peer: which local address it uses, and which MTU."""

from __future__ import annotations

import errno
import socket
import time
from ipaddress import IPv6Address, ip_address

from l2tpv3.errors import InvalidValueError, L2tpError, MissingError, NoAddressError, RefusedError, from_errno
from l2tpv3.linux.ipv6 import DAD_FAILED, MTU_MAX, TENTATIVE, address_flags, advertised_mtu
from l2tpv3.linux.netlink.fib import GET_ROUTE, RouteMtu, read_mtu, read_route, route_to
from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket
from l2tpv3.linux.netns import inside
from l2tpv3.linux.path_options import choose_path
from l2tpv3.model.spec import IPAddress, TunnelSpec
from l2tpv3.value_class import value_class

_IP_MTU = 14  # linux/in.h
_IPV6_MTU = 24  # linux/in6.h
_DETECTION_POLL_S = 0.02


@value_class(frozen=True, slots=True)
class Route:
    """The route to a peer. local: the source address it uses.

    mtu: in bytes, of the netdev that packets leave by, or what the route was given; less what IPsec adds to them. What
    ICMP says of the path is no part of it: anybody can forge that, and a session's MTU stays.
    """

    local: IPAddress
    mtu: int


DETECTION_S = 2.0
"""Duplicate address detection takes a second or two (RFC 4862, 5.4)."""


def find_route(tunnel: TunnelSpec, *, patience_s: float = 0.0) -> Route:
    """The route to the tunnel's peer, asked of the kernel by a connected socket that sends nothing.

    patience_s: how long to wait for an IPv6 address of which duplicate address detection is not done.
    Raises NoRouteError (no route), NoAddressError (`local` is not on this host), NotFoundError (no such netns),
    MissingError (no such netdev to be bound to), InvalidValueError (no packet can go from the one address to the
    other).
    """
    v6 = tunnel.remote.version == 6
    subject = f"tunnel {tunnel.name}"
    with inside(tunnel.netns):
        try:
            probe = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        except OSError as error:
            raise from_errno(subject, f"ask for the route to --remote {tunnel.remote}", error.errno or 0) from error
    with probe:
        _choose_path(probe, subject, tunnel)
        if tunnel.local is not None:
            _bind(probe, subject, tunnel.local, tunnel.netns, patience_s)
        try:
            probe.connect(socket_address(tunnel.remote, tunnel.remote_port, tunnel.netns))
            mtu = probe.getsockopt(*((socket.IPPROTO_IPV6, _IPV6_MTU) if v6 else (socket.IPPROTO_IP, _IP_MTU)))
        except OSError as error:
            raise _unreachable(subject, tunnel, error) from error
        source = probe.getsockname()
        local = ip_address(source[0])
        scope = source[3] if v6 else 0
    return Route(tunnel.local or local, _without_hearsay(tunnel, local, scope, mtu))


def _choose_path(probe: socket.socket, subject: str, tunnel: TunnelSpec) -> None:
    """Have a socket ask for the route of the tunnel's mark and netdev."""
    try:
        with inside(tunnel.netns):
            choose_path(probe, tunnel.fwmark, tunnel.bind_device)
    except OSError as error:
        if error.errno == errno.ENODEV:
            problem = f"there is no netdev {tunnel.bind_device}, which it is bound to"
            remedy = "make that, or give another --bind-device"
            raise MissingError(subject, problem, remedy, errno=error.errno) from error
        raise from_errno(subject, f"use --fwmark {tunnel.fwmark}", error.errno or 0) from error


def _without_hearsay(tunnel: TunnelSpec, local: IPAddress, scope: int, mtu: int) -> int:
    """The MTU of a route as it was configured, given that of a socket connected by it."""
    remote = tunnel.remote
    try:
        with RouteSocket(tunnel.netns) as route:
            out = scope if tunnel.bind_device is None else route.link(tunnel.bind_device).ifindex
            answer = route.request(GET_ROUTE, route_to(remote, local, out=out, mark=tunnel.fwmark))
            present = read_mtu(answer)
            link = route.link(read_route(answer))
            mtu_limit = _mtu_limit(tunnel, link)
            if not present.expires:
                return min(mtu, mtu_limit)
            try:
                asked = route_to(remote, local, out=out, mark=tunnel.fwmark, configured=True)
                kept = read_mtu(route.request(GET_ROUTE, asked))
            except OSError:
                kept = RouteMtu(0, expires=False)
    except OSError as error:
        subject = f"tunnel {tunnel.name}"
        raise from_errno(subject, f"ask for the route to --remote {remote}", error.errno or 0) from error
    clean = min(kept.mtu, mtu_limit) if kept.mtu and not kept.expires else mtu_limit
    added = max(0, present.mtu - mtu) if present.mtu else 0  # by IPsec, in the socket's view of the route
    return clean - added


def _mtu_limit(tunnel: TunnelSpec, link: Link) -> int:
    """The most that a route by this netdev can have, in bytes.

    A socket says more while an IPsec policy waits for its keys: it has a stand-in for a route then, the MTU of which is
    the loopback device's (net/xfrm/xfrm_policy.c xfrm_create_dummy_bundle()).
    """
    bound = advertised_mtu(tunnel.netns, link.ifname) if tunnel.remote.version == 6 else MTU_MAX
    return min(link.mtu, bound)


def _unreachable(subject: str, tunnel: TunnelSpec, error: OSError) -> L2tpError:
    """Why connect(2) did not find a route: some of its errnos are about the two addresses, not about this host."""
    if error.errno == errno.EINVAL and tunnel.local is not None:  # net/ipv4/route.c: loopback's leave no host
        problem = f"--remote {tunnel.remote} can't be reached from --local {tunnel.local}"
        remedy = f"leave --local out, or give the address that `ip route get {tunnel.remote}` shows as src"
        return InvalidValueError(subject, problem, remedy)
    if error.errno == errno.EACCES:  # net/ipv4/datagram.c: without SO_BROADCAST
        problem = f"--remote {tunnel.remote} is a broadcast address here, or a route prohibits it"
        return InvalidValueError(subject, problem, f"give the peer's own address; `ip route get {tunnel.remote}`")
    if error.errno == errno.EPERM:  # net/xfrm/xfrm_policy.c: a policy that blocks
        problem = f"an IPsec policy of this host blocks packets to --remote {tunnel.remote}"
        return RefusedError(subject, problem, "`ip xfrm policy` shows it", errno=error.errno)
    return from_errno(subject, f"reach --remote {tunnel.remote}", error.errno or 0)


def _bind(probe: socket.socket, subject: str, local: IPAddress, netns: str | None, patience_s: float) -> None:
    """Have a socket send from a local address. Raises NoAddressError."""
    give_up = time.monotonic() + patience_s
    while True:
        try:
            probe.bind(socket_address(local, 0, netns))
            return
        except OSError as error:
            flags = address_flags(local, netns) if error.errno == errno.EADDRNOTAVAIL and local.version == 6 else 0
            if flags & DAD_FAILED:
                problem = f"can't use --local {local}: another host has that address (duplicate address detection)"
                raise NoAddressError(subject, problem, "give this host another one", errno=error.errno) from error
            if not flags & TENTATIVE:
                raise from_errno(subject, f"use --local {local}", error.errno or 0) from error
            if time.monotonic() >= give_up:
                problem = f"can't use --local {local} yet: duplicate address detection is not done"
                remedy = "try again in a second; it is never done while the netdev has no carrier"
                raise NoAddressError(subject, problem, remedy, errno=error.errno) from error
            time.sleep(_DETECTION_POLL_S)


def socket_address(address: IPAddress, port: int, netns: str | None) -> tuple[str, int] | tuple[str, int, int, int]:
    """The address as bind() and connect() take it, an IPv6 scope looked up in `netns`. Raises NotFoundError."""
    if not isinstance(address, IPv6Address):
        return str(address), port
    scope = address.scope_id
    if scope is None:
        return str(address), port, 0, 0
    try:
        with inside(netns):
            index = int(scope) if scope.isdigit() else socket.if_nametoindex(scope)
    except OSError as error:
        raise MissingError(f"address {address}", f"there is no netdev {scope}", errno=errno.ENODEV) from error
    return str(address).partition("%")[0], port, 0, index
