"""The parts of the outer IP header that a tunnel may take from the frames in its packets: the DSCP, and the DF bit.

A socket has one value of each for all that it sends. So a worker that is to inherit them looks at each frame, and sets
the socket before it sends one that differs from the one before; frames that are alike go together as ever.
"""

from __future__ import annotations

import socket
from typing import Final

from l2tpv3.datapath.user.settings import INHERIT

# linux/in.h, linux/in6.h
_MTU_DISCOVER: Final = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}
_TOS: Final = {socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TOS), socket.AF_INET6: (socket.IPPROTO_IPV6, 67)}
_PMTUDISC_PROBE, _PMTUDISC_OMIT = 3, 5

_ETHERTYPE_AT: Final = 12
_TAGS: Final = (b"\x81\x00", b"\x88\xa8", b"\x91\x00")
_TAGS_MAX: Final = 4
_TAG_BYTES: Final = 4
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_IPV4_HEADER: Final = 20
_DF: Final = 0x40  # in the byte that begins with the flags (RFC 791 section 3.1)

Marking = tuple[int, bool]
"""A DSCP, and whether an IP packet may not be fragmented."""
_NOTHING: Final[Marking] = (0, False)


def set_dscp(sock: socket.socket, dscp: int) -> None:
    """Have what a socket sends carry a DSCP. Its ECN bits are zero: nobody would read them at the far end."""
    sock.setsockopt(*_TOS[sock.family], dscp << 2)


def set_df(sock: socket.socket, *, on: bool) -> None:
    """Whether what a socket sends may be cut into IP fragments: by this host, and over IPv4 (DF) by any on the way.

    Either way what ICMP says of the path does not count: anybody can forge that, and one such packet would have every
    frame fragmented for ten minutes (ip_sk_accept_pmtu(), ip_sk_use_pmtu() in include/net/ip.h). What the netdev can't
    take in one piece is refused (EMSGSIZE) when `on`.
    """
    sock.setsockopt(*_MTU_DISCOVER[sock.family], _PMTUDISC_PROBE if on else _PMTUDISC_OMIT)


def marking_of(frame: memoryview) -> Marking:
    """The DSCP and the DF bit of the IP packet in an ethernet frame, found behind VLAN tags too.

    IPv6 packets are never fragmented on their way (RFC 8200 section 5). Frames of other kinds have neither.
    """
    at = _ETHERTYPE_AT
    kind = bytes(frame[at : at + 2])
    last = at + _TAGS_MAX * _TAG_BYTES
    while kind in _TAGS and at < last:
        at += _TAG_BYTES
        kind = bytes(frame[at : at + 2])
    if len(frame) < at + 2 + _IPV4_HEADER:
        return _NOTHING
    if kind == _IPV4:
        return frame[at + 3] >> 2, bool(frame[at + 8] & _DF)
    if kind == _IPV6:
        return (frame[at + 2] << 4 & 0xFF | frame[at + 3] >> 4) >> 2, True
    return _NOTHING


class Inheritance:
    """Sets a socket to what its next packets inherit from the frames in them."""

    def __init__(self, sock: socket.socket, *, dscp: bool, df: bool) -> None:
        """dscp, df: which of the two is inherited. The socket stays its owner's."""
        self._sock = sock
        self._dscp, self._df = dscp, df
        self._marking: Marking | None = None

    def of(self, frame: memoryview) -> Marking:
        """What the packet with that frame has to have; zeros for what is not inherited."""
        dscp, df = marking_of(frame)
        return dscp if self._dscp else 0, df and self._df

    def set(self, marking: Marking = _NOTHING) -> None:
        """Have the next packets carry it. A kernel that refuses leaves the socket as it was."""
        if marking == self._marking:
            return
        if self._dscp:
            set_dscp(self._sock, marking[0])
        if self._df:
            set_df(self._sock, on=marking[1])
        self._marking = marking


def inheritance(sock: socket.socket, dscp: int, df: str) -> Inheritance | None:
    """Give what a tunnel with these settings (TunnelSettings) inherits; None when that is nothing."""
    wanted = {"dscp": dscp == INHERIT, "df": df == "inherit"}
    return Inheritance(sock, **wanted) if any(wanted.values()) else None
