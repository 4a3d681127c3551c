"""Whether a bridge carries a tunnel's own packets: a session of that tunnel in it would be a loop.

Each frame that the bridge floods would go into the session, and come back to the bridge as the tunnel's packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.fib import GET_ROUTE, read_route, route_to
from l2tpv3.linux.netlink.message import attributes, unsigned
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket, read_links
from l2tpv3.model.spec import IPAddress, TunnelSpec

_GETLINK = 18
_LINK = Struct("=BxHiII")  # struct ifinfomsg
_BELOW, _BELOW_NETNSID = 5, 37  # IFLA_LINK, IFLA_LINK_NETNSID
_MASTERS: Final = ("bridge", "bond", "team")


class _Netdev(NamedTuple):
    """below: the index of what it lies on, or of its other end (veth); 0 where that is in another namespace."""

    ifname: str
    kind: str
    master: int
    below: int


def way_through(tunnel: TunnelSpec, bridge: str) -> tuple[str, ...]:
    """The netdevs by which the tunnel's packets leave, from that of the route down to `bridge`; () if it is not passed.

    tunnel: with its local address. A VLAN on a port of the bridge does not pass it: its frames are taken off before.
    Raises OSError (no route, for instance), NotFoundError, NotPermittedError (the tunnel's namespace).
    """
    with RouteSocket(tunnel.netns) as route:
        netdevs = _netdevs(route)
        scope = getattr(tunnel.remote, "scope_id", None)
        if scope:
            index = int(scope) if scope.isdigit() else route.link(scope).ifindex
        else:
            index = read_route(route.request(GET_ROUTE, outer_route(route, tunnel, tunnel.endpoint)))
    return next(_ways(netdevs, index, bridge, (), port=True), ())


def outer_route(route: RouteSocket, tunnel: TunnelSpec, local: IPAddress) -> bytes:
    """GET_ROUTE: the route of a tunnel's outer packets, which have its mark and go by its netdev. Raises OSError."""
    out = route.link(tunnel.bind_device).ifindex if tunnel.bind_device is not None else 0
    return route_to(tunnel.remote, local, out=out, mark=tunnel.fwmark)


def _ways(
    netdevs: Mapping[int, _Netdev],
    index: int,
    bridge: str,
    path: tuple[int, ...],
    *,
    port: bool,
) -> Iterator[tuple[str, ...]]:
    """port: whether frames that go out there pass the bridge that it is a port of."""
    one = netdevs.get(index)
    if one is None or index in path:
        return
    path = (*path, index)
    if (one.ifname, one.kind) == (bridge, "bridge"):
        yield tuple(netdevs[step].ifname for step in path)
        return
    if port and one.master:
        yield from _ways(netdevs, one.master, bridge, path, port=False)
    if one.kind in _MASTERS:
        for other, link in netdevs.items():
            if link.master == index:
                yield from _ways(netdevs, other, bridge, path, port=False)
    yield from _ways(netdevs, one.below, bridge, path, port=one.kind == "veth")


def _netdevs(route: RouteSocket) -> dict[int, _Netdev]:
    answer = route.dump(_GETLINK, _LINK.pack(0, 0, 0, 0, 0))
    below: dict[int, int] = {}
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            found = attributes(datagram, begin, end)
            if _BELOW_NETNSID not in found:
                index = _LINK.unpack_from(datagram, begin - LINK_HEADER)[2]
                below[index] = unsigned(datagram, found.get(_BELOW))
    return {
        link.ifindex: _Netdev(link.ifname, link.kind, link.master, below.get(link.ifindex, 0))
        for link in read_links(answer)
    }
