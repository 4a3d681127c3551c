"""Reads what the queues of netdevs have dropped, and behind which ports bridges have learnt addresses. rtnetlink."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.message import attributes, text_of, unsigned
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket

_QDISC, _NEIGHBOUR = Struct("=BxxxiIII"), Struct("=BxxxiHBB")  # struct tcmsg, struct ndmsg
_GET_NEIGHBOUR, _GET_QDISC = 30, 38
_KIND, _STATS2, _STATS_QUEUE = 1, 7, 3  # TCA_*
_QUEUE = Struct("=IIIII")  # struct gnet_stats_queue: queue length, backlog, drops, requeues, overlimits
_LLADDR, _MASTER = 2, 9  # NDA_*
_PERMANENT: Final = 0x80  # NUD_PERMANENT: of the bridge's own ports


class Queue(NamedTuple):
    """A queueing discipline. kind: as tc(8) calls it. handle: its number on that netdev."""

    ifindex: int
    handle: int
    kind: str


def queue_drops(route: RouteSocket) -> dict[Queue, int]:
    """How many packets each queueing discipline of a network namespace has dropped. Raises OSError."""
    found = {}
    for body in _bodies(route, _GET_QDISC, _QDISC):
        _, index, handle, _, _ = _QDISC.unpack_from(body)
        told = attributes(body, _QDISC.size, len(body))
        stats = attributes(body, *told[_STATS2]) if _STATS2 in told else {}
        if _KIND in told and _STATS_QUEUE in stats:
            drops = _QUEUE.unpack_from(body, stats[_STATS_QUEUE][0])[2]
            found[Queue(index, handle, text_of(body, told[_KIND]))] = drops
    return found


def learnt(route: RouteSocket) -> dict[bytes, set[tuple[int, int]]]:
    """By MAC address, the indices of each bridge that has learnt it, and of the port behind which. Raises OSError."""
    found: dict[bytes, set[tuple[int, int]]] = {}
    for body in _bodies(route, _GET_NEIGHBOUR, _NEIGHBOUR, family=socket.AF_BRIDGE):
        _, index, state, _, _ = _NEIGHBOUR.unpack_from(body)
        told = attributes(body, _NEIGHBOUR.size, len(body))
        if _LLADDR in told and _MASTER in told and not state & _PERMANENT:
            place = unsigned(body, told[_MASTER]), index
            found.setdefault(bytes(body[slice(*told[_LLADDR])]), set()).add(place)
    return found


def _bodies(route: RouteSocket, kind: int, header: Struct, *, family: int = 0) -> Iterator[bytes]:
    for datagram, spans in route.dump(kind, header.pack(family, 0, 0, 0, 0)).datagrams:
        for begin, end in spans:
            yield datagram[begin - LINK_HEADER : end]
