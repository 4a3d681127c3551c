"""The far end: what to type into `ip l2tp` so that it is the other end of a tunnel and a session of ours."""

from __future__ import annotations

from l2tpv3.model.spec import Encap, SessionSpec, Sublayer, TunnelSpec


def tunnel_line(tunnel: TunnelSpec) -> str:
    """`ip l2tp add tunnel` for the other end of `tunnel`."""
    line = f"l2tp add tunnel tunnel_id {tunnel.peer_tunnel_id} peer_tunnel_id {tunnel.tunnel_id} encap {tunnel.encap}"
    line += f" local {tunnel.remote} remote {tunnel.endpoint}"
    if tunnel.encap is Encap.UDP:
        line += f" udp_sport {tunnel.remote_port} udp_dport {tunnel.local_port}"
    return line


def session_line(tunnel: TunnelSpec, session: SessionSpec, seq: str = "none") -> str:
    """`ip l2tp add session` for the other end of `session`. seq: its own sequencing."""
    line = f"l2tp add session tunnel_id {tunnel.peer_tunnel_id} name {session.ifname} seq {seq}"
    line += f" session_id {session.peer_session_id} peer_session_id {session.session_id}"
    # iproute2's `cookie` is what it sends, `peer_cookie` what it expects
    if session.rx_cookie:
        line += f" cookie {session.rx_cookie.hex()}"
    if session.tx_cookie:
        line += f" peer_cookie {session.tx_cookie.hex()}"
    if session.sublayer is Sublayer.NONE:
        line += " l2spec_type none"
    return line
