"""The kernel's refusals → our errors: which object, which value, what to do. The l2tp family says little itself.

Its EEXIST means a tunnel id, a session id here or elsewhere, or a netdev's name: which one is found by looking, after
the refusal, at what exists. Use as `raise tunnel_refused(...) from error`.
"""

from __future__ import annotations

import errno

from l2tpv3.datapath.kernel.decode import read_sessions
from l2tpv3.datapath.kernel.genl import L2tpSocket
from l2tpv3.datapath.kernel.uapi import Command
from l2tpv3.datapath.kernel.wait import find
from l2tpv3.errors import (
    ConflictError,
    ExistsError,
    L2tpError,
    NoAddressError,
    NoRouteError,
    NotFoundError,
    UnavailableError,
    from_errno,
)
from l2tpv3.model.spec import Encap, SessionSpec, TunnelSpec

NO_PROTOCOL = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)
"""inet_create() without l2tp_ip or l2tp_ip6; SESSION_CREATE without l2tp_eth."""


def ip_module(tunnel: TunnelSpec) -> str:
    """The module that carries a tunnel over IP protocol 115."""
    return "l2tp_ip" if tunnel.remote.version == 4 else "l2tp_ip6"


def tunnel_refused(netlink: L2tpSocket, tunnel: TunnelSpec, error: OSError) -> L2tpError:
    """The error for a TUNNEL_CREATE that the kernel refused (net/l2tp/l2tp_core.c)."""
    subject, number = f"tunnel {tunnel.name}", error.errno or 0
    # Some kernels bind the socket before they look at the id, so a duplicate can say EADDRINUSE too.
    if number in (errno.EEXIST, errno.EADDRINUSE) and netlink.has_tunnel(tunnel.tunnel_id):
        return ExistsError(subject, f"tunnel id {tunnel.tunnel_id} is taken", "give another --id", errno=number)
    if number == errno.EADDRINUSE:
        return _address_taken(subject, tunnel, number)
    if number == errno.EADDRNOTAVAIL:
        late = ", or wait until duplicate address detection is done" if tunnel.remote.version == 6 else ""
        problem = f"{tunnel.endpoint} is not an address of this host"
        remedy = f"give one that `ip addr` shows, or leave --local out{late}"
        return NoAddressError(subject, problem, remedy, errno=number)
    if number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES):  # EACCES: prohibit route, broadcast address
        remedy = f"`ip route get {tunnel.remote} from {tunnel.endpoint}` shows what is missing"
        return NoRouteError(subject, f"no route from {tunnel.endpoint} to {tunnel.remote}", remedy, errno=number)
    if number in NO_PROTOCOL:
        module = ip_module(tunnel)
        remedy = "use --encap udp or --datapath user"
        return UnavailableError(subject, f"this kernel has no {module}", remedy, errno=number)
    if number == errno.EAFNOSUPPORT:
        family = f"IPv{tunnel.remote.version}"
        return UnavailableError(subject, f"this kernel has no {family}", f"use a peer without {family}", errno=number)
    return other_refusal(subject, "make it", error)


def _address_taken(subject: str, tunnel: TunnelSpec, number: int) -> ConflictError:
    if tunnel.encap is Encap.UDP:
        problem = f"UDP port {tunnel.local_port} of {tunnel.endpoint} is taken by another tunnel or program"
        return ConflictError(subject, problem, "give another --local-port", errno=number)
    problem = f"another program receives L2TP over IP for id {tunnel.tunnel_id} at {tunnel.endpoint}"
    return ConflictError(subject, problem, "give another --id", errno=number)


def session_refused(netlink: L2tpSocket, tunnel: TunnelSpec, session: SessionSpec, error: OSError) -> L2tpError:
    """The error for a SESSION_CREATE that the kernel refused (net/l2tp/l2tp_core.c)."""
    subject, number = f"session {session.name}", error.errno or 0
    if number == errno.EEXIST:
        return _session_exists(netlink, tunnel, session, number)
    if number == errno.ENODEV:
        return no_tunnel(tunnel, number)
    if number in NO_PROTOCOL:
        return UnavailableError(subject, "this kernel has no l2tp_eth", "use --datapath user", errno=number)
    return other_refusal(subject, "make it", error)


def _session_exists(netlink: L2tpSocket, tunnel: TunnelSpec, session: SessionSpec, number: int) -> ConflictError:
    """The error for EEXIST. The id was free a moment ago, so it is most likely something else that exists.

    And if it is not free now, it can be what is left for a moment of this very attempt.
    """
    subject = f"session {session.name}"
    if find([(tunnel.netns, session.ifname)]):
        return ConflictError(subject, f"netdev {session.ifname} exists", "give another --ifname", errno=number)
    # Over IP a packet names only the session, so its id has to be unique in the namespace; older kernels: over UDP too.
    for other, sessions in read_sessions(netlink.list(Command.SESSION_GET)).items():
        if any(there.session_id == session.session_id for there in sessions):
            problem = f"session id {session.session_id} is taken in the tunnel with id {other}"
            return ConflictError(subject, problem, "give another --id", errno=number)
    return ConflictError(subject, "its session id or netdev name was taken a moment ago", "try again", errno=number)


def session_taken(session: SessionSpec) -> ExistsError:
    """The tunnel has a session with that id."""
    problem = f"session id {session.session_id} is taken"
    return ExistsError(f"session {session.name}", problem, "give another --id", errno=errno.EEXIST)


def no_tunnel(tunnel: TunnelSpec, number: int = errno.ENODEV) -> NotFoundError:
    """There is no tunnel with that id in its namespace."""
    return NotFoundError(f"tunnel {tunnel.name}", f"no tunnel with id {tunnel.tunnel_id}", errno=number)


def no_session(session: SessionSpec, number: int = errno.ENODEV) -> NotFoundError:
    """There is no session with that id in its tunnel."""
    return NotFoundError(f"session {session.name}", f"no session with id {session.session_id}", errno=number)


def other_refusal(subject: str, doing: str, error: OSError) -> L2tpError:
    """The error for any other refusal, with the kernel's own words (extended acknowledgement) where it sent some."""
    refusal = from_errno(subject, doing, error.errno or 0)
    if error.strerror and error.strerror not in refusal.problem:
        refusal.problem += f", the kernel says {error.strerror!r}"
    return refusal
