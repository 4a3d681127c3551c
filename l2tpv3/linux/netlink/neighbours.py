"""Reads which hosts the kernel knows: neighbours by their IP addresses, and what bridges have learnt. rtnetlink."""

from __future__ import annotations

import os
import socket
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.message import attributes, unsigned
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket

_NEIGHBOUR = Struct("=BxxxiHBB")  # struct ndmsg
_CACHE = Struct("=IIII")  # struct nda_cacheinfo: confirmed, used, updated (in clock ticks ago), references
_GET_NEIGHBOUR: Final = 30
_DST, _LLADDR, _CACHEINFO, _MASTER = 1, 2, 3, 9  # NDA_*
_INCOMPLETE, _FAILED, _NOARP, _PERMANENT = 0x01, 0x20, 0x40, 0x80  # NUD_*


class KnownHost(NamedTuple):
    """ifindex: of the netdev behind which it is. address: its IP address, b"" of an entry of a bridge. ago_s: since it
    was heard; None where that is not known. bridge: the index of the bridge that has the entry, 0 for neighbours."""

    ifindex: int
    bridge: int
    mac: bytes
    address: bytes
    ago_s: float | None


def known_hosts(netns: str | None) -> tuple[list[KnownHost], list[KnownHost]]:
    """The neighbours of a network namespace, and the hosts that its bridges have learnt. Raises OSError, L2tpError."""
    with RouteSocket(netns) as route:
        return _hosts(route, socket.AF_UNSPEC), _hosts(route, socket.AF_BRIDGE)


class Unheard(NamedTuple):
    """asked: by the index of a netdev, the IP addresses that are asked for there, and nobody has answered yet.

    fixed: by IP address, the MAC addresses that somebody has set by hand, which nobody was asked for.
    """

    asked: dict[int, set[bytes]]
    fixed: dict[bytes, bytes]


def unheard(route: RouteSocket) -> Unheard:
    """The neighbours that have told nothing of themselves. Raises OSError."""
    found = Unheard({}, {})
    for datagram, spans in route.dump(_GET_NEIGHBOUR, _NEIGHBOUR.pack(socket.AF_UNSPEC, 0, 0, 0, 0)).datagrams:
        for begin, end in spans:
            kind, index, state, _, _ = _NEIGHBOUR.unpack_from(datagram, begin - LINK_HEADER)
            told = attributes(datagram, begin - LINK_HEADER + _NEIGHBOUR.size, end)
            if kind not in (socket.AF_INET, socket.AF_INET6) or _DST not in told:
                continue
            address = bytes(datagram[slice(*told[_DST])])
            if state & _INCOMPLETE:
                found.asked.setdefault(index, set()).add(address)
            elif state & _PERMANENT and _LLADDR in told:
                found.fixed[address] = bytes(datagram[slice(*told[_LLADDR])])
    return found


def _hosts(route: RouteSocket, family: int) -> list[KnownHost]:
    found = []
    for datagram, spans in route.dump(_GET_NEIGHBOUR, _NEIGHBOUR.pack(family, 0, 0, 0, 0)).datagrams:
        for begin, end in spans:
            kind, index, state, _, _ = _NEIGHBOUR.unpack_from(datagram, begin - LINK_HEADER)
            told = attributes(datagram, begin - LINK_HEADER + _NEIGHBOUR.size, end)
            mac = bytes(datagram[slice(*told[_LLADDR])]) if _LLADDR in told else b""
            unusable = state & (_INCOMPLETE | _FAILED | _NOARP) or (family == socket.AF_BRIDGE and state & _PERMANENT)
            if len(mac) != 6 or unusable or (kind == socket.AF_BRIDGE) != (family == socket.AF_BRIDGE):
                continue
            bridge = unsigned(datagram, told.get(_MASTER)) if family == socket.AF_BRIDGE else 0
            if family == socket.AF_BRIDGE and not bridge:
                continue
            address = bytes(datagram[slice(*told[_DST])]) if _DST in told and family != socket.AF_BRIDGE else b""
            found.append(KnownHost(index, bridge, mac, address, _ago_s(datagram, told)))
    return found


def _ago_s(datagram: bytes, told: dict[int, tuple[int, int]]) -> float | None:
    """How long ago a host was heard: a bridge's entry is updated by each of its frames, and used by it."""
    span = told.get(_CACHEINFO)
    if span is None or span[1] - span[0] < _CACHE.size:
        return None
    _, used, updated, _ = _CACHE.unpack_from(datagram, span[0])
    return float(min(used, updated)) / os.sysconf("SC_CLK_TCK")
