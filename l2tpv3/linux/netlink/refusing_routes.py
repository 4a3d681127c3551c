"""Reads the routes and rules that let no packet leave for an address: blackhole, unreachable, prohibit. rtnetlink."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.fib import GET_ROUTE
from l2tpv3.linux.netlink.message import Answer, attributes, unsigned
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket

_GET_RULE: Final = 34
_HEADER: Final = Struct("=BBBBBBBBI")  # struct rtmsg, and struct fib_rule_hdr, which has an action in place of the type
_DST, _TABLE, _PRIORITY = 1, 15, 6  # RTA_DST and FRA_DST, RTA_TABLE, FRA_PRIORITY
_TYPES: Final = {6: "blackhole", 7: "unreachable", 8: "prohibit"}
"""RTN_* of routes, and FR_ACT_* of rules, which are the same numbers."""
_MAIN: Final = 254


class Refusal(NamedTuple):
    """What `ip` shows of it, and the command that takes it away."""

    shown: str
    remedy: str


def refusals(route: RouteSocket, target: IPv4Address | IPv6Address) -> list[Refusal]:
    """The rules and routes of that kind that an address is in, of any table, the closest first. Raises OSError."""
    family = socket.AF_INET if target.version == 4 else socket.AF_INET6
    asked = _HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
    six = "" if target.version == 4 else " -6"
    found: list[tuple[int, Refusal]] = []
    for kind, bits, to, told in _matching(route.dump(_GET_RULE, asked), target):
        priority = told.get(_PRIORITY, 0)
        shown = f"rule {priority}: to {to} {kind}" if bits else f"rule {priority}: {kind}"
        found.append((200, Refusal(shown, f"ip{six} rule del prio {priority}")))
    for kind, bits, to, told in _matching(route.dump(GET_ROUTE, asked), target):
        table = told.get(_TABLE, _MAIN)
        where = "" if table == _MAIN else f" table {table}"
        found.append((bits, Refusal(f"route {kind} {to}{where}", f"ip{six} route del {kind} {to}{where}")))
    found.sort(key=lambda one: -one[0])
    return [one for _, one in found]


def _matching(answer: Answer, target: IPv4Address | IPv6Address) -> Iterator[tuple[str, int, str, dict[int, int]]]:
    """Of the routes or rules that refuse the target: type, length of the prefix, the prefix, and numbers."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            start = begin - LINK_HEADER  # the answer's offsets are for ifinfomsg, which is longer than rtmsg
            _, bits, _, _, _, _, _, kind, _ = _HEADER.unpack_from(datagram, start)
            told = attributes(datagram, start + _HEADER.size, end)
            if kind not in _TYPES:
                continue
            packed = bytes(datagram[slice(*told[_DST])]) if _DST in told else bytes(len(target.packed))
            network = ip_network((packed, bits), strict=False)
            if target in network:
                numbers = {one: unsigned(datagram, told[one]) for one in (_TABLE, _PRIORITY) if one in told}
                yield _TYPES[kind], bits, str(network), numbers
