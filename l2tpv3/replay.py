"""Dumps on a tape asked for again: whether this host still is as it was, and where it is not.

Of each answer those bytes are kept that a plan may look at: all but counters and the like. What is cut out are values
of whole attributes, and what is left has every length and attribute number of the rest. So an answer of which the same
places hold the same bytes is made of the same attributes in the same places, and only what was cut out can differ.
"""

from __future__ import annotations

import dataclasses
import itertools
import socket
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple, TypeVar

from l2tpv3.datapath.kernel.netlink import FamilyMissing, L2tpSocket
from l2tpv3.datapath.kernel.reply import read_fixed, read_tunnels
from l2tpv3.datapath.kernel.uapi import Attribute, Command
from l2tpv3.errors import L2tpError
from l2tpv3.netlink.layout import Layouts
from l2tpv3.netlink.message import HEADER, Answer, Span
from l2tpv3.netlink.route import (
    ADDRESS_HEADER,
    ADDRESS_VOLATILE,
    UNPLANNED,
    UNPLANNED_OF_ADDRESSES,
    UP,
    RouteSocket,
    is_links,
    read_addresses,
    read_links,
)
from l2tpv3.netlink.sock import NetlinkSocket
from l2tpv3.netlink.tape import Take, taping
from l2tpv3.state import TunnelCounters

Item = tuple[object, ...]
"""What a message says as far as plans look at it: its kind, what it is about, the rest."""

_T = TypeVar("_T")
_Wait = Callable[[], list[_T] | None]

_NO_COUNTERS = TunnelCounters()
_LINK_HEADER, _L2TP_HEADER = 16, 4  # struct ifinfomsg, struct genlmsghdr


class Piece(NamedTuple):
    """A datagram in part. size: the whole one's. places: pairs of begin and end of what is kept, packed. kept: that."""

    size: int
    places: bytes
    kept: bytes


class Part(NamedTuple):
    """A Take of which only parts are kept."""

    protocol: int
    netns: str | None
    opening: int
    kind: int
    body: bytes
    pieces: list[Piece]


def replay(parts: Sequence[Part]) -> list[Take] | None:
    """The same dumps, now. None: they can't be had, or not in a way that can be compared."""
    return _for_each_socket(parts, _ask)()


def _ask(same_socket: Sequence[Part]) -> list[Take] | None:
    try:
        with taping(), _open(same_socket[0]) as one:
            return [Take(*part[:5], one.dump_bytes(part.kind, part.body)) for part in same_socket]
    except (OSError, L2tpError, FamilyMissing):
        return None


def _open(part: Part) -> NetlinkSocket:
    return RouteSocket(part.netns) if part.protocol == socket.NETLINK_ROUTE else L2tpSocket(part.netns)


def changes(parts: Sequence[Part]) -> Callable[[], list[Item] | None]:
    """`differences` between these and the same dumps now, begun at once: call what is returned for the answer."""

    def look(same_socket: Sequence[Part]) -> list[Item] | None:
        takes = _ask(same_socket)
        return None if takes is None else differences(same_socket, takes)

    return _for_each_socket(parts, look)


def _for_each_socket(parts: Sequence[Part], do: Callable[[Sequence[Part]], list[_T] | None]) -> _Wait[_T]:
    """Begin, and give what waits for the end and gives all results in order; None when one of them is.

    The kernel writes its answers while it is asked for them, so each socket has a thread, and the caller can go on.
    """
    groups = [list(some) for _, some in itertools.groupby(parts, key=lambda part: part.opening)]
    found: list[list[_T] | None] = [None] * len(groups)

    def work(number: int) -> None:
        found[number] = do(groups[number])

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(len(groups))]
    for one in threads:
        one.start()

    def wait() -> list[_T] | None:
        for one in threads:
            one.join()
        results: list[_T] = []
        for some in found:
            if some is None:
                return None
            results += some
        return results

    return wait


# -- what is kept ------------------------------------------------------------------------------------------------


def pare(take: Take) -> Part:
    """What is to be kept of a take."""
    return Part(*take[:5], [_pare(take, datagram) for datagram in take.datagrams])


def _pare(take: Take, datagram: bytes) -> Piece:
    volatile: tuple[Span, ...] = ()
    if take.protocol != socket.NETLINK_ROUTE:
        header, layouts = _L2TP_HEADER, _CUT_L2TP
    elif is_links(take.kind):
        header, layouts = _LINK_HEADER, _CUT_LINK
    else:
        header, layouts, volatile = ADDRESS_HEADER, _CUT_ADDRESS, ADDRESS_VOLATILE
    places, begin = array("I"), 0
    for _, spans in _answer(datagram, header).datagrams:
        for offset, end in spans:
            for start, stop in (*volatile, *layouts.spans(datagram, offset, end)):
                places.extend((begin, offset + start))
                begin = offset + stop
    places.extend((begin, len(datagram)))
    packed = places.tobytes()
    return Piece(len(datagram), packed, _keep(packed, datagram))


_NONE = (0x3FFF,)  # no attribute; Layouts takes two at least
_CUT_LINK = Layouts([], [(one,) for one in UNPLANNED])
_CUT_ADDRESS = Layouts([], [(one,) for one in UNPLANNED_OF_ADDRESSES])
_CUT_L2TP = Layouts([], [(Attribute.STATS,), _NONE])


def _keep(places: bytes, datagram: bytes) -> bytes:
    ends = array("I", places)
    if len(ends) == 2:
        return datagram[ends[0] : ends[1]]
    return b"".join(itemgetter(*map(slice, ends[::2], ends[1::2]))(datagram))


def _is_same(piece: Piece, datagram: bytes) -> bool:
    return piece.size == len(datagram) and piece.kept == _keep(piece.places, datagram)


def _filled(piece: Piece) -> bytes:
    """The datagram with zeros for what was cut out."""
    whole, at = bytearray(piece.size), 0
    ends = array("I", piece.places)
    for begin, end in zip(ends[::2], ends[1::2], strict=True):
        whole[begin:end] = piece.kept[at : at + end - begin]
        at += end - begin
    return bytes(whole)


# -- what differs ------------------------------------------------------------------------------------------------


def differences(old: Sequence[Part], new: Sequence[Take], now: list[Part] | None = None) -> list[Item] | None:
    """What is in one of the two and not in the other; None: too much to look at.

    Only datagrams of which other bytes were kept are read. now: takes what is to be kept of the new ones, see pare.
    """
    found: list[Item] = []
    for part, take in zip(old, new, strict=True):
        if [piece.size for piece in part.pieces] != list(map(len, take.datagrams)):
            return None
        read, pieces = _reader(part), list(part.pieces)
        for number, datagram in enumerate(take.datagrams):
            if not _is_same(part.pieces[number], datagram):
                found += _differing(read(_filled(part.pieces[number])), read(datagram))
                if now is not None:
                    pieces[number] = _pare(take, datagram)
        if now is not None:
            now.append(Part(*take[:5], pieces))
    return found


def _differing(were: list[Item], are: list[Item]) -> Iterator[Item]:
    if were != are:
        yield from (item for item in (*were, *are) if were.count(item) != are.count(item))


def _reader(part: Part) -> Callable[[bytes], list[Item]]:
    if part.protocol == socket.NETLINK_ROUTE:
        return _links if is_links(part.kind) else _addresses
    return _sessions if part.body[0] == Command.SESSION_GET else _tunnels


def _answer(datagram: bytes, family_header: int) -> Answer:
    answer = Answer(HEADER.unpack_from(datagram)[3], family_header)
    answer.feed(datagram)
    return answer


def _items(answer: Answer, items: list[Item]) -> list[Item]:
    # What the kernel says was interrupted is not to be trusted, and the same as nothing.
    return [("interrupted", id(answer))] if answer.interrupted else items


def _links(datagram: bytes) -> list[Item]:
    answer = _answer(datagram, _LINK_HEADER)
    return _items(answer, [("link", link._replace(flags=link.flags & UP)) for link in read_links(answer)])


def _addresses(datagram: bytes) -> list[Item]:
    answer = _answer(datagram, _LINK_HEADER)
    return _items(answer, [("address", index, address) for index, address in read_addresses(answer)])


def _sessions(datagram: bytes) -> list[Item]:
    answer = _answer(datagram, _L2TP_HEADER)
    return _items(answer, [("session", *item) for item in read_fixed(answer)])


def _tunnels(datagram: bytes) -> list[Item]:
    answer = _answer(datagram, _L2TP_HEADER)
    found = read_tunnels(answer, {})
    plain = [dataclasses.replace(one, counters=_NO_COUNTERS) for one in found]
    return _items(answer, [("tunnel", one.tunnel_id, one) for one in plain])
