"""A session of one VLAN, which l2tp_eth (type 0x0005 alone) can't be, made of an l2tpeth netdev and other parts.

    --egress remove     session's netdev: a VLAN netdev       --egress rewrite   session's netdev: the l2tpeth netdev,
                        over `l2tpv` and eight digits,                           with these filters
                        an l2tpeth netdev with tc filters

The filters let nothing out but frames of this VLAN, give what comes in its number, whatever the number was, and drop
what comes without a tag. A VLAN netdev would else miss the frames of a peer that calls the VLAN another number, and the
l2tpeth netdev under it, which has to be up, would answer ARP and say things of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import zlib

from l2tpv3.errors import ConflictError, L2tpError, UnavailableError, from_errno
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.model.spec import MTU_MAX, Egress, SessionSpec, TunnelSpec

_MISSING = (errno.ENOENT, errno.EOPNOTSUPP, errno.EAFNOSUPPORT)
"""What a kernel says that has no such netdev, scheduler, filter or action."""
_FIRST = 11
"""Priority of the filters that let frames pass; what looks at all frames (netdev/clamp_mss.py) is before them."""


def on_wire(tunnel: TunnelSpec, session: SessionSpec) -> SessionSpec:
    """The session as l2tp_eth makes it: with the name that its l2tpeth netdev has."""
    if session.vlan is None or session.egress is Egress.REWRITE:
        return session
    identity = f"{tunnel.tunnel_id}/{session.session_id}"  # of which there is one in a network namespace
    return dataclasses.replace(session, ifname=f"l2tpv{zlib.crc32(identity.encode()):08x}")


def check(tunnel: TunnelSpec, session: SessionSpec) -> None:
    """Check that the name of the session's VLAN netdev is free, before anything is made. Raises ConflictError."""
    if session.vlan is not None and session.egress is Egress.REMOVE:
        with RouteSocket(tunnel.netns) as route, contextlib.suppress(OSError):
            route.link(session.ifname)
            raise _name_taken(session)


def complete(tunnel: TunnelSpec, session: SessionSpec) -> None:
    """Make the rest of a session of one VLAN, whose l2tpeth netdev there is. What was made goes with that netdev.

    Raises UnavailableError when this kernel lacks a part, ConflictError when the name is taken.
    """
    assert session.vlan is not None
    below = on_wire(tunnel, session).ifname
    with RouteSocket(tunnel.netns) as route:
        try:
            ifindex = route.link(below).ifindex
            _filter(route, ifindex, session.vlan)
            if session.egress is Egress.REMOVE:
                route.without_ipv6(ifindex)
                # The VLAN netdev's MTU can't be more than this one's, which nothing else depends on.
                alias = f"carries {session.ifname}, the VLAN of l2tpv3 session {tunnel.name}/{session.name}"
                route.set_link(ifindex, mtu=MTU_MAX, mac=session.mac, alias=alias, up=True)
                route.add_vlan(ifindex, session.ifname, session.vlan, session.mtu)
        except OSError as error:
            raise _refused(session, error) from error


def _filter(route: RouteSocket, ifindex: int, vlan: int) -> None:
    from l2tpv3.linux.netlink import tc
    from l2tpv3.linux.netlink.tc import Side

    route.make(tc.NEW_QDISC, tc.clsact(ifindex))
    for one in (
        tc.let_pass(ifindex, Side.EGRESS, _FIRST, vlan),
        tc.drop(ifindex, Side.EGRESS, _FIRST + 1),
        tc.renumber(ifindex, Side.INGRESS, _FIRST, vlan),
        tc.drop(ifindex, Side.INGRESS, _FIRST + 1),
    ):
        route.make(tc.NEW_FILTER, one)


def _refused(session: SessionSpec, error: OSError) -> L2tpError:
    subject = f"session {session.name}"
    if error.errno == errno.EEXIST:
        return _name_taken(session)
    if error.errno in _MISSING:
        parts = "8021q, sch_ingress, cls_bpf, cls_matchall, act_vlan, act_gact"
        problem = f"this kernel lacks a part of what a VLAN takes ({parts}): {error.strerror}"
        return UnavailableError(subject, problem, "use --datapath user", errno=error.errno)
    return from_errno(subject, f"make its VLAN {session.vlan}", error.errno or 0)


def _name_taken(session: SessionSpec) -> ConflictError:
    problem = f"netdev {session.ifname} exists"
    return ConflictError(f"session {session.name}", problem, "give another --ifname", errno=errno.EEXIST)
