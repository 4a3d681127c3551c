"""Specs → the attributes of the l2tp family's commands: (pyroute2's name, value) pairs. No I/O.

The kernel checks little (tunnel id 0 or a cookie of 5 bytes pass), so what comes here has been checked by the spec.
"""

from __future__ import annotations

from typing import Any

from l2tpv3.datapath.kernel.uapi import PROTOCOL_VERSION, PWTYPE_ETH, EncapType, SublayerType
from l2tpv3.spec import Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec

Attributes = list[tuple[str, Any]]


def tunnel_key(tunnel_id: int) -> Attributes:
    """What TUNNEL_GET and TUNNEL_DELETE need."""
    return [("L2TP_ATTR_CONN_ID", tunnel_id)]


def session_key(tunnel_id: int, session_id: int) -> Attributes:
    """What SESSION_GET and SESSION_DELETE need. Not by ifname: that is the netdev's first name, not its present one."""
    return [("L2TP_ATTR_CONN_ID", tunnel_id), ("L2TP_ATTR_SESSION_ID", session_id)]


def tunnel_create(tunnel: TunnelSpec) -> Attributes:
    """TUNNEL_CREATE of an unmanaged tunnel: the kernel makes the socket, so that nobody has to hold it open."""
    udp = tunnel.encap is Encap.UDP
    version = "6" if tunnel.remote.version == 6 else ""
    attributes: Attributes = [
        *tunnel_key(tunnel.tunnel_id),
        ("L2TP_ATTR_PEER_CONN_ID", tunnel.peer_tunnel_id),
        ("L2TP_ATTR_PROTO_VERSION", PROTOCOL_VERSION),
        ("L2TP_ATTR_ENCAP_TYPE", EncapType.UDP if udp else EncapType.IP),
        (f"L2TP_ATTR_IP{version}_SADDR", str(tunnel.endpoint)),
        (f"L2TP_ATTR_IP{version}_DADDR", str(tunnel.remote)),
    ]
    if udp:
        attributes += [("L2TP_ATTR_UDP_SPORT", tunnel.local_port), ("L2TP_ATTR_UDP_DPORT", tunnel.remote_port)]
        attributes += _checksums(tunnel)
    return attributes


def _checksums(tunnel: TunnelSpec) -> Attributes:
    """All of these count by presence, whatever their value: UDP_CSUM 0 would switch checksums on.

    IPv4 has none unless asked, IPv6 has them unless both exceptions of RFC 6935 are made.
    """
    if tunnel.remote.version == 4:
        return [("L2TP_ATTR_UDP_CSUM", 1)] if tunnel.udp_checksum else []
    if tunnel.udp_checksum:
        return []
    return [("L2TP_ATTR_UDP_ZERO_CSUM6_TX", True), ("L2TP_ATTR_UDP_ZERO_CSUM6_RX", True)]


def session_create(tunnel: TunnelSpec, session: SessionSpec) -> Attributes:
    """SESSION_CREATE. The MTU is not in it: the kernel ignores L2TP_ATTR_MTU and computes one itself."""
    sublayer = SublayerType.DEFAULT if session.sublayer is Sublayer.DEFAULT else SublayerType.NONE
    attributes: Attributes = [
        *session_key(tunnel.tunnel_id, session.session_id),
        ("L2TP_ATTR_PEER_SESSION_ID", session.peer_session_id),
        ("L2TP_ATTR_PW_TYPE", PWTYPE_ETH),
        ("L2TP_ATTR_IFNAME", session.ifname),
        ("L2TP_ATTR_L2SPEC_TYPE", sublayer),
        *_sequencing(session),
    ]
    # L2TP_ATTR_COOKIE is what this end sends (l2tp_netlink.c copies it to cfg.cookie, which l2tp_core.c transmits).
    if session.tx_cookie:
        attributes.append(("L2TP_ATTR_COOKIE", session.tx_cookie))
    if session.rx_cookie:
        attributes.append(("L2TP_ATTR_PEER_COOKIE", session.rx_cookie))
    return attributes


def session_modify(tunnel: TunnelSpec, session: SessionSpec) -> Attributes:
    """SESSION_MODIFY: everything that the kernel can change in place, always said in full, so that off means off."""
    return [*session_key(tunnel.tunnel_id, session.session_id), *_sequencing(session)]


def _sequencing(session: SessionSpec) -> Attributes:
    """Sequencing as l2tp_recv_common() can do it. See KernelDatapath for what that means to the user.

    none: LNS_MODE, for without it the first numbered packet that comes in switches SEND_SEQ on.
    send: no LNS_MODE, for with it every unnumbered packet that comes in is dropped.
    recv: SEND_SEQ too, for a Linux peer without LNS_MODE stops numbering when it gets an unnumbered packet, and
    then nothing passes any more.
    """
    return [
        ("L2TP_ATTR_SEND_SEQ", int(session.sequencing is not Sequencing.NONE)),
        ("L2TP_ATTR_RECV_SEQ", int(session.sequencing.recv)),
        ("L2TP_ATTR_LNS_MODE", int(session.sequencing is Sequencing.NONE)),
        ("L2TP_ATTR_RECV_TIMEOUT", session.reorder_timeout_ms),
    ]
