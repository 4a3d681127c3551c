"""Chooses the local address and the MTU from the route to the peer, where a spec leaves them open.

They change under a tunnel: a lease ends, a route leads another way. So what is on record is compared again with what
would be chosen now, by the same functions wherever that matters: plan, apply, restore and show.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from l2tpv3.errors import L2tpError, NoAddressError
from l2tpv3.model import ipsec, wireguard
from l2tpv3.model.mtu import session_mtu
from l2tpv3.model.record import SessionRecord, TunnelRecord, clamp_mtu, outer
from l2tpv3.model.spec import Encap, Encrypt, Sublayer, TunnelSpec
from l2tpv3.resolve.route import Route, find_route

_IPV6_MTU_MIN: Final = 1280


def route_now(record: TunnelRecord, *, patience_s: float = 0.0) -> Route:
    """The route to a tunnel's peer, from the local address that it should have now.

    That is the one on record as long as this host has it, however the routes lead, since the peer knows it. Else,
    where it was left open, the one that the route to the peer has now. patience_s: see find_route.
    Raises NoRouteError, NoAddressError (it was given, and is not here), MissingError.
    """
    if record.spec.local is not None:
        return find_route(record.spec, patience_s=patience_s)
    try:
        return find_route(outer(record), patience_s=patience_s)
    except NoAddressError:
        return find_route(record.spec)


def inner_mtu(spec: TunnelSpec, route_mtu: int) -> int:
    """The longest packet of the tunnel itself, in bytes, over a route of `route_mtu`: less where it is encrypted.

    Inside of WireGuard it is never less than the 1280 that IPv6 needs (RFC 8200, section 5): WireGuard's packets are
    then fragmented.
    """
    match spec.encrypt:
        case Encrypt.NONE:
            return route_mtu
        case Encrypt.IPSEC:
            return ipsec.inner_mtu(route_mtu, spec.remote.version, in_udp=spec.esp_in_udp)
        case Encrypt.WIREGUARD:
            return max(route_mtu - wireguard.overhead(spec.remote.version), _IPV6_MTU_MIN)


def encrypted_mtu(record: TunnelRecord) -> int | None:
    """The longest packet of an encrypted tunnel itself over the route of now, in bytes; None while there is none.

    Its WireGuard netdev has this MTU.
    """
    try:
        return inner_mtu(record.spec, route_now(record).mtu)
    except L2tpError:
        return None


def measured(record: TunnelRecord, route_mtu: int) -> TunnelRecord:
    """The tunnel with the MTUs that its sessions should have over a route of `route_mtu` bytes.

    MTUs that the user gave stay; what TCP's MSS is clamped to follows the route even so. Returns the same object when
    all are right.
    """
    sizes: dict[tuple[int, Sublayer, bool], int] = {}
    encap, version = record.spec.encap, record.spec.ip_version
    route_mtu = inner_mtu(record.spec, route_mtu)
    sessions = tuple(_measured(one, route_mtu, encap, version, sizes) for one in record.sessions)
    if all(one is other for one, other in zip(sessions, record.sessions, strict=True)):
        return record
    return dataclasses.replace(record, sessions=sessions)


def _measured(
    session: SessionRecord, route_mtu: int, encap: Encap, version: int, sizes: dict[tuple[int, Sublayer, bool], int]
) -> SessionRecord:
    """sizes: MTUs by a session's shape, of which thousands of sessions have one."""
    spec = session.spec
    if spec.mtu is not None and not spec.clamp_mss:
        return session
    shape = (len(spec.tx_cookie), spec.sublayer, spec.vlan is not None)
    if shape not in sizes:
        sizes[shape] = session_mtu(route_mtu, encap, version, shape[0], shape[1], tagged=shape[2])
    mtu = spec.mtu if spec.mtu is not None else sizes[shape]
    clamp = clamp_mtu(spec, mtu, sizes[shape])
    if (session.mtu, session.clamp_mtu) == (mtu, clamp):
        return session
    return dataclasses.replace(session, mtu=mtu, clamp_mtu=clamp)
