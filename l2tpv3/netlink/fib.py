"""By which netdev an address is reached: a request to rtnetlink and its answer, no I/O."""

from __future__ import annotations

import socket
from struct import Struct
from typing import Final

from l2tpv3.netlink.message import Answer, attribute, attributes, unsigned
from l2tpv3.netlink.route import LINK_HEADER
from l2tpv3.words import IPAddress

GET_ROUTE: Final = 26  # RTM_GETROUTE
_ROUTE: Final = Struct("=BBBBBBBBI")  # struct rtmsg
_OUT, _TARGET, _SOURCE = 4, 1, 2  # RTA_OIF, RTA_DST, RTA_SRC


def route_to(target: IPAddress, source: IPAddress) -> bytes:
    """GET_ROUTE: the route of packets from `source`, an address of this host, to `target`."""
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    bits = 8 * len(target.packed)
    attributes_ = attribute(_TARGET, target.packed) + attribute(_SOURCE, source.packed)
    return _ROUTE.pack(family, bits, bits, 0, 0, 0, 0, 0, 0) + attributes_


def read_route(answer: Answer) -> int:
    """The index of the netdev in an answer to `route_to`; 0 where none is told."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            # The answer's offsets are for ifinfomsg, which is longer than rtmsg.
            return unsigned(datagram, attributes(datagram, begin - LINK_HEADER + _ROUTE.size, end).get(_OUT))
    return 0
