"""Specs → the attributes of the l2tp family's commands, packed. No I/O.

The kernel checks little (tunnel id 0 or a cookie of 5 bytes pass), so what comes here has been checked by the spec.
"""

from __future__ import annotations

from struct import Struct

from l2tpv3.datapath.kernel.uapi import (
    PROTOCOL_VERSION,
    PWTYPE_ETH,
    Attribute,
    EncapType,
    SublayerType,
)
from l2tpv3.linux.netlink.message import attribute, u8, u16, u32, zero_terminated
from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec

# Attributes of which a session always has all, in one: thousands of sessions are made in a row. After each value,
# padding to four bytes; 6, 5, 8 and 12 are lengths with the header of four.
_SESSION_KEY = Struct("=HHI HHI")
_SESSION_KIND = Struct("=HHI HHH2x HHB3x")
_SEQUENCING = Struct("=HHB3x HHB3x HHB3x HHQ")


def tunnel_key(tunnel_id: int) -> bytes:
    """The attributes that name a tunnel, for TUNNEL_GET and TUNNEL_DELETE (linux/l2tp.h)."""
    return attribute(Attribute.CONN_ID, u32(tunnel_id))


def session_key(tunnel_id: int, session_id: int) -> bytes:
    """The attributes that name a session, for SESSION_GET and SESSION_DELETE: not its ifname, which can change."""
    return _SESSION_KEY.pack(8, Attribute.CONN_ID, tunnel_id, 8, Attribute.SESSION_ID, session_id)


def tunnel_create(tunnel: TunnelSpec) -> bytes:
    """TUNNEL_CREATE of an unmanaged tunnel: the kernel makes the socket, so that nobody has to hold it open."""
    udp, v6 = tunnel.encap is Encap.UDP, tunnel.remote.version == 6
    attributes = (
        tunnel_key(tunnel.tunnel_id)
        + attribute(Attribute.PEER_CONN_ID, u32(tunnel.peer_tunnel_id))
        + attribute(Attribute.PROTO_VERSION, u8(PROTOCOL_VERSION))
        + attribute(Attribute.ENCAP_TYPE, u16(EncapType.UDP if udp else EncapType.IP))
        + attribute(Attribute.IP6_SADDR if v6 else Attribute.IP_SADDR, tunnel.endpoint.packed)
        + attribute(Attribute.IP6_DADDR if v6 else Attribute.IP_DADDR, tunnel.remote.packed)
    )
    if udp:
        attributes += attribute(Attribute.UDP_SPORT, u16(tunnel.local_port))
        attributes += attribute(Attribute.UDP_DPORT, u16(tunnel.remote_port))
        attributes += _checksums(tunnel)
    return attributes


def _checksums(tunnel: TunnelSpec) -> bytes:
    """The attributes for UDP checksums. Their presence counts, not their value: UDP_CSUM 0 switches checksums on.

    IPv4 has none unless asked, IPv6 has them unless both exceptions of RFC 6935 are made.
    """
    if tunnel.remote.version == 4:
        return attribute(Attribute.UDP_CSUM, u8(1)) if tunnel.udp_checksum else b""
    if tunnel.udp_checksum:
        return b""
    return attribute(Attribute.UDP_ZERO_CSUM6_TX, b"") + attribute(Attribute.UDP_ZERO_CSUM6_RX, b"")


def session_create(tunnel: TunnelSpec, session: SessionSpec) -> bytes:
    """SESSION_CREATE. The MTU is not in it: the kernel ignores L2TP_ATTR_MTU and computes one itself."""
    sublayer = SublayerType.DEFAULT if session.sublayer is Sublayer.DEFAULT else SublayerType.NONE
    attributes = (
        session_key(tunnel.tunnel_id, session.session_id)
        + _SESSION_KIND.pack(
            8, Attribute.PEER_SESSION_ID, session.peer_session_id,
            6, Attribute.PW_TYPE, PWTYPE_ETH,
            5, Attribute.L2SPEC_TYPE, sublayer,
        )
        + attribute(Attribute.IFNAME, zero_terminated(session.ifname))
        + _sequencing(session)
    )  # fmt: skip
    # L2TP_ATTR_COOKIE is what this end sends (l2tp_netlink.c copies it to cfg.cookie, which l2tp_core.c transmits).
    if session.tx_cookie:
        attributes += attribute(Attribute.COOKIE, session.tx_cookie)
    if session.rx_cookie:
        attributes += attribute(Attribute.PEER_COOKIE, session.rx_cookie)
    return attributes


def session_modify(tunnel: TunnelSpec, session: SessionSpec) -> bytes:
    """SESSION_MODIFY: everything that the kernel can change in place, always said in full, so that off means off."""
    return session_key(tunnel.tunnel_id, session.session_id) + _sequencing(session)


def _sequencing(session: SessionSpec) -> bytes:
    """Sequencing as l2tp_recv_common() can do it. See KernelDatapath for what that means to the user.

    none: LNS_MODE, for without it the first numbered packet that comes in switches SEND_SEQ on.
    send: no LNS_MODE, for with it every unnumbered packet that comes in is dropped.
    recv: SEND_SEQ too, for a Linux peer without LNS_MODE stops numbering when it gets an unnumbered packet, and
    then nothing passes any more.
    """
    none = session.sequencing is Sequencing.NONE
    return _SEQUENCING.pack(
        5, Attribute.SEND_SEQ, not none,
        5, Attribute.RECV_SEQ, session.sequencing.recv,
        5, Attribute.LNS_MODE, none,
        12, Attribute.RECV_TIMEOUT, session.reorder_timeout_ms,
    )  # fmt: skip
