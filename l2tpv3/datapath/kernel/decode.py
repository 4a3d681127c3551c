"""Bytes of the l2tp family's answers and dumps → values. No I/O, no pyroute2: a dump of 10,000 sessions must be quick.

Addresses are as on the wire. What the kernel leaves out, or a newer kernel adds, is no error here.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from l2tpv3.datapath.kernel.uapi import (
    PROTOCOL_VERSION,
    RX_INVALID,
    STATISTICS,
    Attribute,
    EncapType,
)
from l2tpv3.linux.netlink.compiled_parser import CompiledParser
from l2tpv3.linux.netlink.message import Answer, Span, attributes, unsigned
from l2tpv3.model.observed import Counters, Session, Tunnel, TunnelCounters
from l2tpv3.model.spec import Encap, IPAddress

_STATS_NAMES = tuple(STATISTICS.values())
_SESSIONS = CompiledParser(
    [
        (Attribute.CONN_ID,),
        (Attribute.SESSION_ID,),
        (Attribute.PEER_SESSION_ID,),
        (Attribute.SEND_SEQ,),
        (Attribute.RECV_SEQ,),
        (Attribute.RECV_TIMEOUT,),
        *((Attribute.STATS, kind) for kind in STATISTICS),
    ],
    [(Attribute.IFNAME,), (Attribute.COOKIE,), (Attribute.PEER_COOKIE,)],
)
_NO_COUNTERS = Counters()
_NO_TUNNEL_COUNTERS = TunnelCounters()


def read_sessions(answer: Answer) -> dict[int, list[Session]]:
    """A SESSION_GET answer or dump: tunnel id → its sessions.

    A concurrent change can make the kernel's dump tell a session twice (it counts, it holds no place): once is kept.
    """
    sessions: dict[int, dict[int, Session]] = {}
    for datagram, spans in answer.datagrams:
        for (
            tunnel_id,
            number,
            peer,
            send_seq,
            recv_seq,
            timeout,
            *statistics,
            name,
            tx_cookie,
            rx_cookie,
        ) in _SESSIONS.read(datagram, spans):
            sessions.setdefault(tunnel_id or 0, {})[number or 0] = Session(
                session_id=number or 0,
                peer_session_id=peer or 0,
                ifname=_name(name) if name else "",
                tx_cookie=tx_cookie,
                rx_cookie=rx_cookie,
                send_seq=bool(send_seq),
                recv_seq=bool(recv_seq),
                reorder_timeout_ms=timeout or 0,
                counters=_counters(statistics) if any(statistics) else _NO_COUNTERS,
            )
    return {tunnel_id: list(there.values()) for tunnel_id, there in sessions.items()}


def _counters(statistics: list[Any]) -> Counters:
    """A session's counters, each packet in one of them: the kernel adds what it discards to rx_errors as well."""
    counted = dict(zip(_STATS_NAMES, statistics, strict=True))
    if b"" in statistics:  # of a kernel that does not count everything
        counted = {name: value or 0 for name, value in counted.items()}
    discarded = counted["rx_seq_discards"] + counted["rx_cookie_discards"]
    counted["rx_errors"] = max(0, counted["rx_errors"] - discarded)  # they are not read all at one moment
    return Counters(**counted)


def _name(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def read_tunnels(answer: Answer, sessions: dict[int, list[Session]]) -> list[Tunnel]:
    """A TUNNEL_GET answer or dump, with the sessions that read_sessions gave."""
    tunnels: dict[int, Tunnel] = {}
    for datagram, spans in answer.datagrams:
        for offset, end in spans:
            tunnel = _tunnel(datagram, attributes(datagram, offset, end), sessions)
            tunnels[tunnel.tunnel_id] = tunnel
    return list(tunnels.values())


def _tunnel(datagram: bytes, found: dict[int, Span], sessions: dict[int, list[Session]]) -> Tunnel:
    get = found.get
    tunnel_id = unsigned(datagram, get(Attribute.CONN_ID))
    version = unsigned(datagram, get(Attribute.PROTO_VERSION))
    udp = unsigned(datagram, get(Attribute.ENCAP_TYPE)) == EncapType.UDP
    checksum = get(Attribute.UDP_CSUM)
    # IPv4 tells whether there are checksums, IPv6 that there are none, by presence (l2tp_nl_tunnel_send_addr4, 6).
    summed = unsigned(datagram, checksum) != 0 if checksum else Attribute.UDP_ZERO_CSUM6_TX not in found
    return Tunnel(
        tunnel_id=tunnel_id,
        peer_tunnel_id=unsigned(datagram, get(Attribute.PEER_CONN_ID)),
        encap=Encap.UDP if udp else Encap.IP,
        local=_address(datagram, get(Attribute.IP_SADDR) or get(Attribute.IP6_SADDR)),
        remote=_address(datagram, get(Attribute.IP_DADDR) or get(Attribute.IP6_DADDR)),
        local_port=unsigned(datagram, get(Attribute.UDP_SPORT)),
        remote_port=unsigned(datagram, get(Attribute.UDP_DPORT)),
        udp_checksum=summed if udp else None,
        sessions=tuple(sessions.get(tunnel_id, ())),
        counters=_tunnel_counters(datagram, get(Attribute.STATS)),
        notes=() if version == PROTOCOL_VERSION else (f"speaks L2TPv{version}: its sessions are no pseudowires",),
    )


def _tunnel_counters(datagram: bytes, stats: Span | None) -> TunnelCounters:
    """rx_invalid is all that there is: other packets of no session stay unread in the tunnel's socket, uncounted."""
    invalid = attributes(datagram, *stats).get(RX_INVALID) if stats else None
    return TunnelCounters(rx_invalid=unsigned(datagram, invalid)) if invalid else _NO_TUNNEL_COUNTERS


def _address(datagram: bytes, span: Span | None) -> IPAddress:
    """0.0.0.0 when the kernel tells none: a held socket that was never bound, or is just being closed."""
    return ip_address(datagram[span[0] : span[1]] if span and span[1] - span[0] in (4, 16) else bytes(4))
