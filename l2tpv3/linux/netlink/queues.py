"""Reads what the queues of netdevs have dropped, by rtnetlink."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.message import attributes, text_of
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket

_QDISC = Struct("=BxxxiIII")  # struct tcmsg
_GET_QDISC: Final = 38
_KIND, _STATS2, _STATS_QUEUE = 1, 7, 3  # TCA_*
_QUEUE = Struct("=IIIII")  # struct gnet_stats_queue: queue length, backlog, drops, requeues, overlimits


class Queue(NamedTuple):
    """A queueing discipline. kind: as tc(8) calls it. handle: its number on that netdev."""

    ifindex: int
    handle: int
    kind: str


def queue_drops(route: RouteSocket) -> dict[Queue, int]:
    """How many packets each queueing discipline of a network namespace has dropped. Raises OSError."""
    found = {}
    for body in _bodies(route):
        _, index, handle, _, _ = _QDISC.unpack_from(body)
        told = attributes(body, _QDISC.size, len(body))
        stats = attributes(body, *told[_STATS2]) if _STATS2 in told else {}
        if _KIND in told and _STATS_QUEUE in stats:
            drops = _QUEUE.unpack_from(body, stats[_STATS_QUEUE][0])[2]
            found[Queue(index, handle, text_of(body, told[_KIND]))] = drops
    return found


def _bodies(route: RouteSocket) -> Iterator[bytes]:
    for datagram, spans in route.dump(_GET_QDISC, _QDISC.pack(0, 0, 0, 0, 0)).datagrams:
        for begin, end in spans:
            yield datagram[begin - LINK_HEADER : end]
