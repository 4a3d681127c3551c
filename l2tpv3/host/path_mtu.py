"""What fits through a tunnel: each byte of overhead, what the route and the path take, what a full frame costs."""

from __future__ import annotations

import dataclasses
from typing import Final

from l2tpv3.errors import from_errno
from l2tpv3.linux.echo_probe import EchoProbe
from l2tpv3.linux.netns import inside
from l2tpv3.model.mtu import ip_fragments, overhead_parts
from l2tpv3.model.path_mtu import PathMtu, SessionFit
from l2tpv3.model.spec import Encrypt, SessionSpec, TunnelSpec
from l2tpv3.model.status import TunnelStatus
from l2tpv3.resolve.route import find_route
from l2tpv3.resolve.route_defaults import inner_mtu

FULL: Final = 1500
"""Bytes of payload of an ethernet frame of full size (IEEE 802.3)."""
_LEAST: Final = {4: 68, 6: 1280}
"""What each path takes in one piece (RFC 791, RFC 8200 section 5)."""


def examine(status: TunnelStatus, *, probe: bool, timeout_s: float) -> PathMtu:
    """Look at a tunnel's path. probe: also by echo requests, which wait `timeout_s` for each answer.

    Raises NoRouteError, NoAddressError, MissingError, NotPermittedError.
    """
    spec = dataclasses.replace(status.spec, local=status.local or status.spec.local)
    route = find_route(spec).mtu
    path = _probed(spec, route, timeout_s) if probe else None
    known = min(route, path) if path is not None else route
    sessions = tuple(_fit(spec, one.spec, one.mtu, known) for one in status.sessions)
    return PathMtu(tunnel=status.name, remote=str(spec.remote), route=route, path=path, probed=probe, sessions=sessions)


def _probed(spec: TunnelSpec, route: int, timeout_s: float) -> int | None:
    least = min(_LEAST[spec.remote.version], route)
    try:
        with (
            inside(spec.netns),
            EchoProbe(spec.endpoint, spec.remote, mark=spec.fwmark, device=spec.bind_device) as echo,
        ):
            return echo.longest(least, route, timeout_s)
    except OSError as error:
        raise from_errno(f"tunnel {spec.name}", f"probe the path to {spec.remote}", error.errno or 0) from error


def _fit(tunnel: TunnelSpec, session: SessionSpec, mtu: int | None, known: int) -> SessionFit:
    """What fits through a session. known: the bytes that the path takes in one piece, as far as is known."""
    tagged, version = session.vlan is not None, tunnel.ip_version
    parts = overhead_parts(tunnel.encap, version, len(session.tx_cookie), session.sublayer, tagged=tagged)
    around, room = sum(size for _, size in parts), inner_mtu(tunnel, known)
    fits = room - around
    if session.fragment:
        packets = -(-(FULL + _FRAME[tagged]) // max(1, fits + _FRAME[tagged]))
    else:
        packets = ip_fragments(FULL + around, room, version)
    parts = _with_encryption(tunnel, parts, known - room)
    return SessionFit(
        name=session.name, mtu=mtu, parts=tuple(parts), fits=fits, full_packets=packets,
        in_fragments=packets > 1 and not session.fragment and not tunnel.is_inside, clamp_mss=session.clamp_mss,
    )  # fmt: skip


def _with_encryption(tunnel: TunnelSpec, parts: list[tuple[str, int]], size: int) -> list[tuple[str, int]]:
    """The parts with that of encryption, of `size` bytes: around all others, or after the IP header."""
    match tunnel.encrypt:
        case Encrypt.NONE:
            return parts
        case Encrypt.WIREGUARD:
            return [(f"WireGuard over UDP and IPv{tunnel.remote.version}", size), *parts]
        case Encrypt.IPSEC:
            name = "ESP in UDP, with padding" if tunnel.esp_in_udp else "ESP, with padding"
            return [parts[0], (name, size), *parts[1:]]


_FRAME: Final = {False: 14, True: 18}
"""Bytes of a frame's ethernet header, without and with a VLAN tag."""
