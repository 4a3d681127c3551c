"""veth(4): two netdevs of which one gets what is sent through the other. Requests to rtnetlink and answers, no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.message import NLA_F_NESTED, Answer, attribute, attributes, text_of, unsigned, zero_terminated
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER

NEW_LINK, GET_LINK = 16, 18  # RTM_*
_ADDRESS, _IFNAME, _PEER, _INFO, _ALIAS, _PEER_NETNS = 1, 3, 5, 18, 20, 37  # IFLA_*
_KIND, _DATA = 1, 2  # IFLA_INFO_*
_VETH_PEER: Final = 1  # VETH_INFO_PEER
_LINK: Final = Struct("=BxHiII")
_UP: Final = 1


class Pair(NamedTuple):
    """One end of a pair. other: the index of the other end, None where that is in another network namespace."""

    ifindex: int
    ifname: str
    alias: str
    up: bool
    other: int | None


def make(ifname: str, other: str, mac: str | None) -> bytes:
    """NEW_LINK: a pair, both ends down. mac: of the first one; None is one that the kernel makes up."""
    address = attribute(_ADDRESS, bytes.fromhex(mac.replace(":", ""))) if mac is not None else b""
    end = _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFNAME, zero_terminated(other))
    data = attribute(_VETH_PEER | NLA_F_NESTED, end)
    info = attribute(_KIND, zero_terminated("veth")) + attribute(_DATA | NLA_F_NESTED, data)
    head = _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFNAME, zero_terminated(ifname)) + address
    return head + attribute(_INFO | NLA_F_NESTED, info)


def all_pairs() -> bytes:
    """GET_LINK: a dump of the ends that are here (older kernels list all netdevs), which `read` takes."""
    return _LINK.pack(0, 0, 0, 0, 0) + attribute(_INFO | NLA_F_NESTED, attribute(_KIND, zero_terminated("veth")))


def pair_named(ifname: str) -> bytes:
    """GET_LINK: the netdev of that name, which `read` takes."""
    return _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFNAME, zero_terminated(ifname))


def read(answer: Answer) -> Iterator[Pair]:
    """The ends in an answer to `all_pairs` or `pair_named`."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            found = attributes(datagram, begin, end)
            info = attributes(datagram, *found[_INFO]) if _INFO in found else {}
            if _KIND not in info or text_of(datagram, info[_KIND]) != "veth":
                continue
            _, _, ifindex, flags, _ = _LINK.unpack_from(datagram, begin - LINK_HEADER)
            alias = text_of(datagram, found[_ALIAS]) if _ALIAS in found else ""
            other = None if _PEER_NETNS in found else unsigned(datagram, found.get(_PEER))
            yield Pair(ifindex, text_of(datagram, found[_IFNAME]), alias, bool(flags & _UP), other)
