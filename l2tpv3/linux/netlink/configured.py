"""Reads what is configured on netdevs by rtnetlink, and makes requests of it that configure the same on another netdev.

A thing is kept as the body of the message that told it. Numbers from linux/rtnetlink.h, if_addr.h, neighbour.h and
pkt_sched.h.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from enum import StrEnum
from ipaddress import ip_address, ip_interface, ip_network
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.message import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Answer,
    attribute,
    attributes,
    text_of,
    u32,
    unsigned,
)
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket

_ADDR, _ROUTE, _NEIGHBOUR = Struct("=BBBBI"), Struct("=BBBBBBBBI"), Struct("=BxxxiHBB")
_LINK, _QDISC, _NEXTHOP = Struct("=BxHiII"), Struct("=BxxxiIII"), Struct("=HBBi")
_GET_LINK, _GET_ADDR, _GET_ROUTE, _GET_NEIGHBOUR, _GET_QDISC = 18, 22, 26, 30, 38
_FEW: Final = 8
"""Netdevs whose routes are asked for one by one; of more, all routes are listed."""

_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_TEMPORARY: Final = 0x01  # IFA_F_TEMPORARY, which the kernel makes from another address
_KEPT_OF_ADDRESS: Final = 0x02 | 0x10 | 0x100 | 0x200 | 0x400  # NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, …
_DST, _OIF, _GATEWAY, _MULTIPATH, _ROUTE_CACHE, _NH_ID = 1, 4, 5, 9, 12, 30  # RTA_*
_BY_KERNEL: Final = frozenset({1, 2, 9})  # RTPROT_REDIRECT, _KERNEL and _RA: the kernel makes these itself
_CLONED, _ONLINK = 0x200, 0x4
_NDA_DST, _NDA_LLADDR, _NDA_CACHE, _NDA_PROBES, _NDA_MASTER = 1, 2, 3, 4, 9
_PERMANENT, _STATIC = 0x80, 0x40  # NUD_PERMANENT, NUD_NOARP
_MASTER_FLAG, _PROXY_FLAG = 0x04, 0x08  # NTF_*
_IFNAME, _LOWER, _LOWER_NETNS, _TCA_KIND = 3, 5, 37, 1
_USUAL_SCHEDULERS: Final = frozenset({"noqueue", "mq", "pfifo_fast", "fq_codel", "fq", "pfifo", "cake", "sfq"})


class ItemKind(StrEnum):
    """The kinds of settings that can be configured again on another netdev."""

    ADDRESS = "address"
    ROUTE = "route"
    NEIGHBOUR = "neighbour"
    FDB = "bridge entry"


class ConfiguredItem(NamedTuple):
    """Something that is configured on a netdev. text: for people. body: of the message that tells it."""

    kind: ItemKind
    text: str
    body: bytes


_REQUESTS: Final[Mapping[ItemKind, tuple[int, int]]] = {
    ItemKind.ADDRESS: (20, NLM_F_CREATE | NLM_F_REPLACE),
    ItemKind.ROUTE: (24, NLM_F_CREATE | NLM_F_EXCL),
    ItemKind.NEIGHBOUR: (28, NLM_F_CREATE | NLM_F_REPLACE),
    ItemKind.FDB: (28, NLM_F_CREATE | NLM_F_REPLACE),
}


def configure(route: RouteSocket, thing: ConfiguredItem, old: int, new: int) -> None:
    """Configure on the netdev with index `new` what was on the one with index `old`. Raises OSError."""
    kind, flags = _REQUESTS[thing.kind]
    body = {
        ItemKind.ADDRESS: _address_for,
        ItemKind.ROUTE: _route_for,
        ItemKind.NEIGHBOUR: _neighbour_for,
        ItemKind.FDB: _neighbour_for,
    }[thing.kind](thing.body, old, new)
    route.request(kind, body, flags)


def _bodies(answer: Answer) -> Iterator[bytes]:
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            yield datagram[begin - LINK_HEADER : end]


# -- addresses -----------------------------------------------------------------------------------------------------


def addresses(route: RouteSocket) -> Iterator[tuple[int, ConfiguredItem]]:
    """Every address, with the index of its netdev, but for those that the kernel makes from others. Raises OSError."""
    for body in _bodies(route.dump(_GET_ADDR, _ADDR.pack(0, 0, 0, 0, 0))):
        family, length, flags, _, index = _ADDR.unpack_from(body)
        found = attributes(body, _ADDR.size, len(body))
        span = found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)
        if span is None or (family == socket.AF_INET6 and flags & _TEMPORARY):
            continue
        value = body[slice(*span)]
        yield index, ConfiguredItem(ItemKind.ADDRESS, str(ip_interface((value, length))), body)


def _address_for(body: bytes, _old: int, new: int) -> bytes:
    family, length, flags, scope, _ = _ADDR.unpack_from(body)
    found = attributes(body, _ADDR.size, len(body))
    flags = (unsigned(body, found.get(_IFA_FLAGS)) or flags) & _KEPT_OF_ADDRESS
    rest = _copied(body, {key: span for key, span in found.items() if key != _IFA_FLAGS})
    return _ADDR.pack(family, length, flags & 0xFF, scope, new) + rest + attribute(_IFA_FLAGS, u32(flags))


# -- routes --------------------------------------------------------------------------------------------------------


def routes(route: RouteSocket, netdevs: Collection[int]) -> Iterator[tuple[int, ConfiguredItem]]:
    """The routes by any of these netdevs, but for those that the kernel makes itself. Raises OSError."""
    for family in (socket.AF_INET, socket.AF_INET6):
        header = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        few = len(netdevs) <= _FEW
        asked = [header + attribute(_OIF, u32(index)) for index in netdevs] if few else [header]
        seen: set[tuple[int, bytes]] = set()
        for one in asked:
            with route.strict() if few else nullcontext():
                answer = route.dump(_GET_ROUTE, one)
            for body in _bodies(answer):
                for index in _netdevs_of(body) & {*netdevs}:
                    if (index, body) not in seen:
                        seen.add((index, body))
                        yield index, ConfiguredItem(ItemKind.ROUTE, _route_text(body), body)


def _netdevs_of(body: bytes) -> set[int]:
    """The netdevs of a route that somebody has configured; none of another route."""
    _, _, _, _, _, protocol, _, _, flags = _ROUTE.unpack_from(body)
    if protocol in _BY_KERNEL or flags & _CLONED:
        return set()
    found = attributes(body, _ROUTE.size, len(body))
    indices = {unsigned(body, found[_OIF])} if _OIF in found else set()
    if _MULTIPATH in found:
        indices |= {_NEXTHOP.unpack_from(body, at)[3] for at in _nexthops(body, *found[_MULTIPATH])}
    return indices


def _nexthops(body: bytes, begin: int, end: int) -> Iterator[int]:
    """Find where each of a route's several next hops begins."""
    while begin + _NEXTHOP.size <= end:
        length = _NEXTHOP.unpack_from(body, begin)[0]
        if length < _NEXTHOP.size:
            return
        yield begin
        begin += (length + 3) & ~3


def _route_text(body: bytes) -> str:
    family, length = body[0], body[1]
    found = attributes(body, _ROUTE.size, len(body))
    size = 4 if family == socket.AF_INET else 16
    where = body[slice(*found[_DST])] if _DST in found else bytes(size)
    text = f"route {ip_network((where, length), strict=False)}" if length else "the default route"
    if _GATEWAY in found:
        text += f" via {ip_address(body[slice(*found[_GATEWAY])])}"
    return text


def _route_for(body: bytes, old: int, new: int) -> bytes:
    """Raises OSError for one of a nexthop object, which goes with its netdev."""
    found = attributes(body, _ROUTE.size, len(body))
    if _NH_ID in found:
        raise OSError(0, "its nexthop object is gone")
    fields = _ROUTE.unpack_from(body)
    kept = {key: span for key, span in found.items() if key not in (_OIF, _MULTIPATH, _ROUTE_CACHE)}
    rest = _copied(body, kept)
    if _OIF in found:
        index = unsigned(body, found[_OIF])
        rest += attribute(_OIF, u32(new if index == old else index))
    if _MULTIPATH in found:
        hops, begin = bytearray(body[slice(*found[_MULTIPATH])]), found[_MULTIPATH][0]
        for at in _nexthops(body, *found[_MULTIPATH]):
            length, flags, weight, index = _NEXTHOP.unpack_from(body, at)
            place = new if index == old else index
            _NEXTHOP.pack_into(hops, at - begin, length, flags & _ONLINK, weight, place)
        rest += attribute(_MULTIPATH, bytes(hops))
    return _ROUTE.pack(*fields[:8], fields[8] & _ONLINK) + rest


# -- neighbours, and what a bridge has learnt by hand ----------------------------------------------------------------


def neighbours(route: RouteSocket) -> Iterator[tuple[int, ConfiguredItem]]:
    """Every neighbour, proxy and entry of a bridge that somebody has configured for good. Raises OSError."""
    for family, flags in ((0, 0), (0, _PROXY_FLAG), (socket.AF_BRIDGE, 0)):
        for body in _bodies(route.dump(_GET_NEIGHBOUR, _NEIGHBOUR.pack(family, 0, 0, flags, 0))):
            kind, index, state, has, _ = _NEIGHBOUR.unpack_from(body)
            found = attributes(body, _NEIGHBOUR.size, len(body))
            bridged = kind == socket.AF_BRIDGE
            if not index or (bridged and _NDA_MASTER not in found):
                continue
            if state & _PERMANENT or (bridged and state & _STATIC) or has & _PROXY_FLAG:
                yield (
                    index,
                    ConfiguredItem(ItemKind.FDB if bridged else ItemKind.NEIGHBOUR, _neighbour_text(body), body),
                )


def _neighbour_text(body: bytes) -> str:
    found = attributes(body, _NEIGHBOUR.size, len(body))
    mac = body[slice(*found[_NDA_LLADDR])].hex(":") if _NDA_LLADDR in found else ""
    if body[0] == socket.AF_BRIDGE or _NDA_DST not in found:
        return f"bridge entry {mac}"
    return f"neighbour {ip_address(body[slice(*found[_NDA_DST])])} {mac}".rstrip()


def _neighbour_for(body: bytes, _old: int, new: int) -> bytes:
    family, _, state, flags, kind = _NEIGHBOUR.unpack_from(body)
    found = attributes(body, _NEIGHBOUR.size, len(body))
    flags |= _MASTER_FLAG if family == socket.AF_BRIDGE else 0
    gone = (_NDA_CACHE, _NDA_PROBES, _NDA_MASTER)
    rest = _copied(body, {key: span for key, span in found.items() if key not in gone})
    return _NEIGHBOUR.pack(family, new, state, flags, kind) + rest


def mac_of(thing: ConfiguredItem) -> str:
    """The MAC address that a neighbour or an entry of a bridge has; "" for none."""
    span = attributes(thing.body, _NEIGHBOUR.size, len(thing.body)).get(_NDA_LLADDR)
    return thing.body[slice(*span)].hex(":") if span else ""


# -- what goes with a netdev ---------------------------------------------------------------------------------------


def bound(route: RouteSocket) -> Iterator[tuple[int, int, str]]:
    """Find what goes when a netdev goes: the netdev's index, that of a netdev over it or 0, and a description."""
    for body in _bodies(route.dump(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0))):
        found = attributes(body, _LINK.size, len(body))
        over, lower = _LINK.unpack_from(body)[2], unsigned(body, found.get(_LOWER))
        if lower and lower != over and _LOWER_NETNS not in found:
            yield lower, over, f"netdev {text_of(body, found[_IFNAME])} over it"
    for body in _bodies(route.dump(_GET_QDISC, _QDISC.pack(0, 0, 0, 0, 0))):
        index, handle = _QDISC.unpack_from(body)[1:3]
        found = attributes(body, _QDISC.size, len(body))
        kind = text_of(body, found[_TCA_KIND]) if _TCA_KIND in found else ""
        if handle and kind not in _USUAL_SCHEDULERS:
            yield index, 0, f"tc's {kind} and its filters"


def _copied(body: bytes, spans: Mapping[int, tuple[int, int]]) -> bytes:
    return b"".join(attribute(key, body[slice(*span)]) for key, span in spans.items())
