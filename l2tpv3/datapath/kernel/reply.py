"""Bytes of the l2tp family's answers and dumps → values. No I/O, no pyroute2: a dump of 10,000 sessions must be quick.

Netlink integers are in host order, addresses as on the wire (include/uapi/linux/netlink.h). What the kernel leaves
out, or a newer kernel adds, is no error here. Cost matters: nothing is built for an attribute that nobody reads.
"""

from __future__ import annotations

import errno
import os
from ipaddress import ip_address
from struct import Struct

from l2tpv3.datapath.kernel.uapi import (
    CTRL_ATTR_FAMILY_ID,
    NLA_TYPE_MASK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
    PROTOCOL_VERSION,
    RX_INVALID,
    STATISTICS,
    Attribute,
    EncapType,
)
from l2tpv3.spec import Encap, IPAddress
from l2tpv3.state import Counters, Session, Tunnel, TunnelCounters

_MESSAGE = Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, port id."""
_GENL_HEADER_BYTES = 4
_ATTRIBUTE = Struct("=HH")
_U16, _U32, _U64, _S32 = Struct("=H"), Struct("=I"), Struct("=Q"), Struct("=i")

_PLAIN_STATS = Struct("=" + "HHQ" * len(STATISTICS))
"""L2TP_ATTR_STATS as every kernel with unaligned access writes it: one unpack instead of ten."""
_PLAIN_STATS_KINDS = tuple(STATISTICS)
_STATS_NAMES = tuple(STATISTICS.values())
_NO_COUNTERS = Counters()
_NO_TUNNEL_COUNTERS = TunnelCounters()

Span = tuple[int, int]


class Answer:
    """The answer to one request, gathered datagram by datagram: feed until it says that it is complete.

    datagrams: those that hold payload; spans: per datagram, where each message's attributes begin and end.
    """

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self.datagrams: list[tuple[bytes, list[Span]]] = []

    def feed(self, datagram: bytes) -> bool:
        """Take one datagram; True when the kernel has said everything. OSError: it refused, with its own words."""
        spans: list[Span] = []
        complete = False
        offset, size = 0, len(datagram)
        while offset + _MESSAGE.size <= size:
            length, kind, flags, sequence, _ = _MESSAGE.unpack_from(datagram, offset)
            end = offset + length
            if length < _MESSAGE.size or end > size:
                raise OSError(errno.EBADMSG, "netlink message with a wrong length")
            if sequence == self._sequence:
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    complete = True
                    _raise_refusal(datagram, offset + _MESSAGE.size, end, kind, flags)
                else:
                    spans.append((offset + _MESSAGE.size + _GENL_HEADER_BYTES, end))
            offset = (end + 3) & ~3
        if spans:
            self.datagrams.append((datagram, spans))
        return complete


def _raise_refusal(datagram: bytes, offset: int, end: int, kind: int, flags: int) -> None:
    """OSError if an acknowledgement or the end of a dump carries an error number, with the extended text if any."""
    if end - offset < _S32.size or (number := -_S32.unpack_from(datagram, offset)[0]) <= 0:
        return
    text = ""
    if flags & NLM_F_ACK_TLVS and kind == NLMSG_ERROR:
        # nlmsgerr: the number, then the request: its header alone when capped.
        length = _MESSAGE.size if flags & NLM_F_CAPPED else _U32.unpack_from(datagram, offset + 4)[0]
        found = attributes(datagram, offset + 4 + ((length + 3) & ~3), end).get(NLMSGERR_ATTR_MSG)
        text = _text(datagram, found) if found else ""
    raise OSError(number, text or os.strerror(number))


def attributes(datagram: bytes, offset: int, end: int) -> dict[int, Span]:
    """Attribute number → where its value begins and ends. A malformed rest is left out."""
    found: dict[int, Span] = {}
    header, unpack = _ATTRIBUTE.size, _ATTRIBUTE.unpack_from
    while offset + header <= end:
        length, kind = unpack(datagram, offset)
        if length < header or offset + length > end:
            break
        found[kind & NLA_TYPE_MASK] = (offset + header, offset + length)
        offset += (length + 3) & ~3
    return found


def read_family(answer: Answer) -> int | None:
    """The number in a CTRL_CMD_GETFAMILY answer."""
    for datagram, spans in answer.datagrams:
        for offset, end in spans:
            found = attributes(datagram, offset, end).get(CTRL_ATTR_FAMILY_ID)
            if found:
                return int(_U16.unpack_from(datagram, found[0])[0])
    return None


def read_sessions(answer: Answer) -> dict[int, list[Session]]:
    """A SESSION_GET answer or dump: tunnel id → its sessions.

    A concurrent change can make the kernel's dump tell a session twice (it counts, it holds no place): once is kept.
    """
    sessions: dict[int, dict[int, Session]] = {}
    for datagram, spans in answer.datagrams:
        for offset, end in spans:
            found = attributes(datagram, offset, end)
            tunnel_id = _unsigned(datagram, found.get(Attribute.CONN_ID))
            session = _session(datagram, found)
            sessions.setdefault(tunnel_id, {})[session.session_id] = session
    return {tunnel_id: list(there.values()) for tunnel_id, there in sessions.items()}


def _session(datagram: bytes, found: dict[int, Span]) -> Session:
    get = found.get
    name = get(Attribute.IFNAME)
    tx_cookie, rx_cookie = get(Attribute.COOKIE), get(Attribute.PEER_COOKIE)
    return Session(
        session_id=_unsigned(datagram, get(Attribute.SESSION_ID)),
        peer_session_id=_unsigned(datagram, get(Attribute.PEER_SESSION_ID)),
        ifname=_text(datagram, name) if name else "",
        tx_cookie=datagram[tx_cookie[0] : tx_cookie[1]] if tx_cookie else b"",
        rx_cookie=datagram[rx_cookie[0] : rx_cookie[1]] if rx_cookie else b"",
        send_seq=_unsigned(datagram, get(Attribute.SEND_SEQ)) != 0,
        recv_seq=_unsigned(datagram, get(Attribute.RECV_SEQ)) != 0,
        reorder_timeout_ms=_unsigned(datagram, get(Attribute.RECV_TIMEOUT)),
        counters=_counters(datagram, get(Attribute.STATS)),
    )


def _counters(datagram: bytes, stats: Span | None) -> Counters:
    """A session's counters, each packet in one of them: the kernel adds what it discards to rx_errors as well."""
    if stats is None:
        return _NO_COUNTERS
    values = _plain_stats(datagram, stats)
    if values is None:
        found = attributes(datagram, *stats)
        values = tuple(_unsigned(datagram, found.get(kind)) for kind in STATISTICS)
    if not any(values):
        return _NO_COUNTERS
    counted = dict(zip(_STATS_NAMES, values, strict=True))
    discarded = counted["rx_seq_discards"] + counted["rx_cookie_discards"]
    counted["rx_errors"] = max(0, counted["rx_errors"] - discarded)  # they are not read all at one moment
    return Counters(**counted)


def _plain_stats(datagram: bytes, stats: Span) -> tuple[int, ...] | None:
    """The values in the order of STATISTICS, if the kernel wrote them in that order and nothing else."""
    if stats[1] - stats[0] != _PLAIN_STATS.size:
        return None
    plain = _PLAIN_STATS.unpack_from(datagram, stats[0])
    return plain[2::3] if plain[1::3] == _PLAIN_STATS_KINDS else None


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
    tunnel_id = _unsigned(datagram, get(Attribute.CONN_ID))
    version = _unsigned(datagram, get(Attribute.PROTO_VERSION))
    udp = _unsigned(datagram, get(Attribute.ENCAP_TYPE)) == EncapType.UDP
    checksum = get(Attribute.UDP_CSUM)
    # IPv4 tells whether there are checksums, IPv6 that there are none, by presence (l2tp_nl_tunnel_send_addr4, 6).
    summed = _unsigned(datagram, checksum) != 0 if checksum else Attribute.UDP_ZERO_CSUM6_TX not in found
    return Tunnel(
        tunnel_id=tunnel_id,
        peer_tunnel_id=_unsigned(datagram, get(Attribute.PEER_CONN_ID)),
        encap=Encap.UDP if udp else Encap.IP,
        local=_address(datagram, get(Attribute.IP_SADDR) or get(Attribute.IP6_SADDR)),
        remote=_address(datagram, get(Attribute.IP_DADDR) or get(Attribute.IP6_DADDR)),
        local_port=_unsigned(datagram, get(Attribute.UDP_SPORT)),
        remote_port=_unsigned(datagram, get(Attribute.UDP_DPORT)),
        udp_checksum=summed if udp else None,
        sessions=tuple(sessions.get(tunnel_id, ())),
        counters=_tunnel_counters(datagram, get(Attribute.STATS)),
        notes=() if version == PROTOCOL_VERSION else (f"speaks L2TPv{version}: its sessions are no pseudowires",),
    )


def _tunnel_counters(datagram: bytes, stats: Span | None) -> TunnelCounters:
    """rx_invalid is all that there is: other packets of no session stay unread in the tunnel's socket, uncounted."""
    invalid = attributes(datagram, *stats).get(RX_INVALID) if stats else None
    return TunnelCounters(rx_invalid=_unsigned(datagram, invalid)) if invalid else _NO_TUNNEL_COUNTERS


def _unsigned(datagram: bytes, span: Span | None) -> int:
    """An unsigned integer of the width that the attribute has; 0 when it is absent."""
    if span is None:
        return 0
    width = span[1] - span[0]
    if width == 1:
        return datagram[span[0]]
    layout = {2: _U16, 4: _U32, 8: _U64}.get(width)
    return int(layout.unpack_from(datagram, span[0])[0]) if layout else 0


def _text(datagram: bytes, span: Span) -> str:
    return datagram[span[0] : span[1]].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def _address(datagram: bytes, span: Span | None) -> IPAddress:
    """0.0.0.0 when the kernel tells none: a held socket that was never bound, or is just being closed."""
    return ip_address(datagram[span[0] : span[1]] if span and span[1] - span[0] in (4, 16) else bytes(4))
