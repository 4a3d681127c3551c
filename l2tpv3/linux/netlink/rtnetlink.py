"""rtnetlink(7): netdevs and their addresses. One request for all that is set on a netdev at once."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import sys
from collections.abc import Collection, Iterator, Sequence
from ipaddress import IPv4Interface, IPv6Interface
from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.netlink.compiled_parser import CompiledParser
from l2tpv3.linux.netlink.message import (
    NLA_F_NESTED,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Answer,
    attribute,
    attributes,
    u8,
    u16,
    u32,
    zero_terminated,
)
from l2tpv3.linux.netlink.sock import NetlinkSocket
from l2tpv3.linux.netns import open_netns

UP: Final = 0x1
"""IFF_UP (linux/if.h)."""
CARRIER: Final = 0x10000
"""IFF_LOWER_UP."""

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _DELADDR, _GETADDR = 16, 17, 18, 20, 21, 22  # linux/rtnetlink.h
_ADDRESS, _IFNAME, _MTU, _MASTER, _LINKINFO, _IFALIAS, _NET_NS_FD, _EXT_MASK = 1, 3, 4, 10, 18, 20, 28, 29  # IFLA_*
_TXQLEN: Final = 13  # IFLA_TXQLEN
_BELOW, _AF_SPEC = 5, 26  # IFLA_LINK, IFLA_AF_SPEC
_ADDR_GEN_MODE: Final = 8  # IFLA_INET6_ADDR_GEN_MODE
_INET_CONF, _IPV4_FORWARDING = 1, 1  # IFLA_INET_CONF, IPV4_DEVCONF_FORWARDING
_INFO_KIND, _INFO_DATA = 1, 2
_VLAN_ID, _VLAN_EGRESS_QOS, _VLAN_INGRESS_QOS, _VLAN_QOS_MAPPING = 1, 3, 4, 1  # IFLA_VLAN_*
_PAIR = Struct("=II")
_STATS64: Final = 23  # IFLA_STATS64
_TX_DROPPED: Final = slice(7 * 8, 8 * 8)  # in struct rtnl_link_stats64 (linux/if_link.h)
UNPLANNED: Final = (7, 23, 26)
"""IFLA_STATS, IFLA_STATS64, IFLA_AF_SPEC: what changes by itself about a netdev, and nothing here reads."""
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_GETNSID, _NETNSA_NSID, _NETNSA_FD = 90, 1, 3  # linux/net_namespace.h
_GENERAL_BYTES: Final = 4  # struct rtgenmsg, padded
_NUMBER = Struct("=i")
UNPLANNED_OF_ADDRESSES: Final = (6, 8)
"""IFA_CACHEINFO, IFA_FLAGS: how long an address lasts, and whether it is tentative still."""
_NO_DETECTION: Final = 0x02  # IFA_F_NODAD (linux/if_addr.h)
_SKIP_STATS: Final = 1 << 3  # RTEXT_FILTER_SKIP_STATS
_LINK = Struct("=BxHiII")  # struct ifinfomsg
_ADDR = Struct("=BBBBI")  # struct ifaddrmsg
LINK_HEADER: Final = _LINK.size
"""Bytes of struct ifinfomsg, which the offsets of this family's answers count."""
ADDRESS_HEADER: Final = _ADDR.size
ADDRESS_VOLATILE: Final = ((2 - _ADDR.size, 3 - _ADDR.size),)
"""The place of ifa_flags in that header, from the attributes behind it: the lower half of IFA_FLAGS."""


class Link(NamedTuple):
    """A netdev: index, flags (UP, CARRIER), name, MTU in bytes, MAC address, alias, its driver's kind.

    Whoever has the namespace may give names and aliases that are not UTF-8: they have `\\xff` in place of such bytes.
    They are shown and compared, and the netdev is addressed by its index.
    kind: `tun` for a TAP too. master: the index of the bridge or bond that it is a port of, or 0. below: of the netdev
    that it is over (IFLA_LINK), or 0; it may be in another network namespace.
    """

    ifindex: int
    flags: int
    ifname: str
    mtu: int
    mac: str
    alias: str
    kind: str
    master: int
    below: int = 0


class RouteSocket(NetlinkSocket):
    """rtnetlink in one network namespace (None: the calling thread's). Use it in a `with` block.

    Methods raise OSError with the kernel's errno: ENODEV for an absent netdev.
    """

    def __init__(self, netns: str | None = None) -> None:
        super().__init__(socket.NETLINK_ROUTE, netns, _LINK.size)

    def links(self, kind: str = "") -> list[Link]:
        """Every netdev. kind: only such (older kernels ignore that)."""
        body = _LINK.pack(0, 0, 0, 0, 0) + attribute(_EXT_MASK, u32(_SKIP_STATS))
        if kind:
            body += attribute(_LINKINFO | NLA_F_NESTED, attribute(_INFO_KIND, zero_terminated(kind)))
        return [link for link in read_links(self.dump(_GETLINK, body)) if not kind or link.kind == kind]

    def dropped(self) -> dict[int, int]:
        """How many frames each netdev has dropped instead of sending them (tx_dropped), by its index."""
        body = _LINK.pack(0, 0, 0, 0, 0)
        return dict(read_dropped(self.dump(_GETLINK, body)))

    def knows(self, kind: str) -> bool:
        """Whether the kernel has the driver of such netdevs now: else it lists them all, the loopback among them."""
        body = _LINK.pack(0, 0, 0, 0, 0) + attribute(_EXT_MASK, u32(_SKIP_STATS))
        body += attribute(_LINKINFO | NLA_F_NESTED, attribute(_INFO_KIND, zero_terminated(kind)))
        return all(link.kind == kind for link in read_links(self.dump(_GETLINK, body)))

    def link(self, which: int | str) -> Link:
        """A netdev by its index or its name."""
        index, name = (which, b"") if isinstance(which, int) else (0, attribute(_IFNAME, zero_terminated(which)))
        body = _LINK.pack(0, 0, index, 0, 0) + attribute(_EXT_MASK, u32(_SKIP_STATS)) + name
        return next(read_links(self.request(_GETLINK, body)))

    def set_link(
        self,
        which: int | str,
        *,
        up: bool | None = None,
        ifname: str | None = None,
        alias: str | None = None,
        mtu: int | None = None,
        mac: str | None = None,
        master: int | None = None,
        netns_fd: int | None = None,
        queue: int | None = None,
    ) -> None:
        """Set what is given of a netdev, all in one request. When one is refused, others may be set.

        which: its index; or its name, which saves asking for the index, and can't be combined with `ifname`. Whatever
        the order here, the kernel (do_setlink() in net/core/rtnetlink.c) moves it to the namespace first, then sets MAC
        address, MTU, name and alias, and at last master and state: so all but these two are set on a netdev that is
        still down, and a new one is not seen up with a wrong MTU.
        """
        index, attributes = (which, b"") if isinstance(which, int) else (0, attribute(_IFNAME, zero_terminated(which)))
        if ifname is not None:
            attributes += attribute(_IFNAME, zero_terminated(ifname))
        if alias is not None:
            attributes += attribute(_IFALIAS, alias.encode())
        if mtu is not None:
            attributes += attribute(_MTU, u32(mtu))
        if mac is not None:
            attributes += attribute(_ADDRESS, bytes.fromhex(mac.replace(":", "")))
        if master is not None:
            attributes += attribute(_MASTER, u32(master))
        if queue is not None:
            attributes += attribute(_TXQLEN, u32(queue))
        if netns_fd is not None:
            attributes += attribute(_NET_NS_FD, u32(netns_fd))
        flags, mask = (UP if up else 0, UP) if up is not None else (0, 0)
        self.request(_NEWLINK, _LINK.pack(0, 0, index, flags, mask) + attributes)

    def set_up(self, ifnames: Sequence[str]) -> list[tuple[str, OSError]]:
        """Set netdevs up by their names, in one go. Gives what was refused."""
        body = _LINK.pack(0, 0, 0, UP, UP)
        bodies = [body + attribute(_IFNAME, zero_terminated(ifname)) for ifname in ifnames]
        refusals = self.requests(_NEWLINK, bodies)
        return [(ifname, refused) for ifname, refused in zip(ifnames, refusals, strict=True) if refused is not None]

    def add_vlan(self, below: int, ifname: str, vlan: int, mtu: int | None) -> None:
        """Make a VLAN netdev (802.1Q) over the one with index `below`, down. 802.1p priorities are those of packets.

        mtu: in bytes; None is that of the other one.
        """
        # Priority 0 is 0 by itself. 8 to 15 are none in a tag.
        maps = b"".join(attribute(_VLAN_QOS_MAPPING, _PAIR.pack(one, one)) for one in range(1, 8))
        data = (
            attribute(_VLAN_ID, u16(vlan))
            + attribute(_VLAN_EGRESS_QOS | NLA_F_NESTED, maps)
            + attribute(_VLAN_INGRESS_QOS | NLA_F_NESTED, maps)
        )
        info = attribute(_INFO_KIND, zero_terminated("vlan")) + attribute(_INFO_DATA | NLA_F_NESTED, data)
        body = _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFNAME, zero_terminated(ifname)) + attribute(_BELOW, u32(below))
        body += attribute(_MTU, u32(mtu)) if mtu is not None else b""
        self.make(_NEWLINK, body + attribute(_LINKINFO | NLA_F_NESTED, info))

    def without_ipv6(self, ifindex: int) -> None:
        """Have a netdev get no link-local address by itself. Nothing happens in a kernel without IPv6."""
        mode = attribute(_ADDR_GEN_MODE, u8(1))  # IN6_ADDR_GEN_MODE_NONE
        family = attribute(socket.AF_INET6 | NLA_F_NESTED, mode)
        with contextlib.suppress(OSError):
            self.request(_NEWLINK, _LINK.pack(0, 0, ifindex, 0, 0) + attribute(_AF_SPEC | NLA_F_NESTED, family))

    def forward_ipv4(self, ifindex: int) -> None:
        """Have a netdev's packets be forwarded: net.ipv4.conf.NETDEV.forwarding, without a writable /proc/sys."""
        forwarding = attribute(_IPV4_FORWARDING, u32(1))
        family = attribute(socket.AF_INET | NLA_F_NESTED, attribute(_INET_CONF | NLA_F_NESTED, forwarding))
        self.request(_NEWLINK, _LINK.pack(0, 0, ifindex, 0, 0) + attribute(_AF_SPEC | NLA_F_NESTED, family))

    def make(self, kind: int, body: bytes) -> None:
        """Send a request that makes something new. Raises OSError with EEXIST where it exists already."""
        self.request(kind, body, NLM_F_CREATE | NLM_F_EXCL)

    def make_together(self, *requests: tuple[int, bytes]) -> list[OSError | None]:
        """Make several things by one call: kind and body of each. Gives the error of each, or None, in their order.

        Raises OSError where the kernel's answers were lost.
        """
        return self.together([(kind, NLM_F_CREATE | NLM_F_EXCL, body) for kind, body in requests])

    def make_marked(self, kind: str, ifname: str, alias: str) -> None:
        """Make a netdev of that kind, down and with that alias. A kill comes before both, or after both.

        Raises OSError, with EOPNOTSUPP where the kernel has no such kind.
        """
        named = attribute(_IFNAME, zero_terminated(ifname))
        header = _LINK.pack(0, 0, 0, 0, 0)
        info = attribute(_LINKINFO | NLA_F_NESTED, attribute(_INFO_KIND, zero_terminated(kind)))
        made, marked = self.together([
            (_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header + named + info),
            (_NEWLINK, 0, header + named + attribute(_IFALIAS, alias.encode())),
        ])  # fmt: skip
        for refused in (made, marked):
            if refused is not None:
                raise refused

    def delete_link(self, ifindex: int) -> None:
        """Remove the netdev with that index. Raises OSError."""
        self.request(_DELLINK, _LINK.pack(0, 0, ifindex, 0, 0))

    def addresses(self, of: Collection[int] | None = None) -> Iterator[tuple[int, IPv4Interface | IPv6Interface]]:
        """Every address with the index of its netdev. of: only of these netdevs; one is asked for alone."""
        only = next(iter(of)) if of is not None and len(of) == 1 else 0
        with self.strict() if only else contextlib.nullcontext():
            try:
                answer = self.dump(_GETADDR, _ADDR.pack(0, 0, 0, 0, only))
            except OSError as error:
                if not only or error.errno != errno.ENODEV:
                    raise
                return iter(())  # it went meanwhile
        return read_addresses(answer, of)

    def put_address(self, ifindex: int, address: IPv4Interface | IPv6Interface, *, detect: bool = True) -> None:
        """Give a netdev an address, unless it has it.

        detect: False: without duplicate address detection, so that it can be used at once.
        """
        body = _address_body(ifindex, address, 0 if detect else _NO_DETECTION)
        self.request(_NEWADDR, body, NLM_F_CREATE | NLM_F_REPLACE)

    def delete_address(self, ifindex: int, address: IPv4Interface | IPv6Interface) -> None:
        """Take an address from a netdev. EADDRNOTAVAIL: it has no such."""
        self.request(_DELADDR, _address_body(ifindex, address))


def number_of_netns(netns: str | None, seen_from: str | None) -> int | None:
    """The number by which IFLA_LINK_NETNSID calls a network namespace in another; None where it has none there.

    RTM_GETNSID (net/core/net_namespace.c). Raises OSError, NotFoundError, NotPermittedError.
    """
    file = open_netns(netns if netns is not None else "/proc/thread-self/ns/net")
    try:
        with RouteSocket(seen_from) as route:
            answer = route.request(_GETNSID, bytes(_GENERAL_BYTES) + attribute(_NETNSA_FD, u32(file)))
    finally:
        os.close(file)
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            # The answer's offsets are for ifinfomsg, which is longer than rtgenmsg.
            found = attributes(datagram, begin - _LINK.size + _GENERAL_BYTES, end)
            if _NETNSA_NSID in found:
                (number,) = _NUMBER.unpack_from(datagram, found[_NETNSA_NSID][0])
                return int(number) if number >= 0 else None  # NETNSA_NSID_NOT_ASSIGNED is -1
    return None


def _address_body(ifindex: int, address: IPv4Interface | IPv6Interface, flags: int = 0) -> bytes:
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    body = _ADDR.pack(family, address.network.prefixlen, flags, 0, ifindex)
    return body + attribute(_IFA_LOCAL, address.ip.packed) + attribute(_IFA_ADDRESS, address.ip.packed)


_link_layouts = CompiledParser(
    [(_MTU,), (_MASTER,), (_BELOW,)], [(_IFNAME,), (_ADDRESS,), (_IFALIAS,), (_LINKINFO, _INFO_KIND)]
)
_address_layouts = CompiledParser([], [(_IFA_ADDRESS,), (_IFA_LOCAL,)])


def read_links(answer: Answer) -> Iterator[Link]:
    """The netdevs in an answer to RTM_GETLINK."""
    header, before = _LINK.unpack_from, _LINK.size
    for datagram, spans in answer.datagrams:
        for (begin, _), found in zip(spans, _link_layouts.read(datagram, spans), strict=True):
            _, _, ifindex, flags, _ = header(datagram, begin - before)
            mtu, master, below, ifname, mac, alias, kind = found
            names = _text(ifname), mtu or 0, mac.hex(":"), _text(alias), _text(kind)
            yield Link(ifindex, flags, *names, master or 0, below or 0)


def read_dropped(answer: Answer) -> Iterator[tuple[int, int]]:
    """The index and tx_dropped of each netdev in an answer to RTM_GETLINK."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            _, _, ifindex, _, _ = _LINK.unpack_from(datagram, begin - _LINK.size)
            start, stop = attributes(datagram, begin, end).get(_STATS64, (0, 0))
            if stop - start >= _TX_DROPPED.stop:
                yield ifindex, int.from_bytes(datagram[start:stop][_TX_DROPPED], sys.byteorder)


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "backslashreplace") if value else ""


def read_addresses(
    answer: Answer, of: Collection[int] | None = None
) -> Iterator[tuple[int, IPv4Interface | IPv6Interface]]:
    """The addresses in an answer to RTM_GETADDR, as `RouteSocket.addresses` gives them."""
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            # The answer's offsets are for ifinfomsg, which is longer than ifaddrmsg.
            start = begin - _LINK.size
            family, length, _, _, ifindex = _ADDR.unpack_from(datagram, start)
            if of is not None and ifindex not in of:
                continue
            ((peer, local),) = _address_layouts.read(datagram, [(start + _ADDR.size, end)])
            value = local or peer
            if value:
                kind = IPv6Interface if family == socket.AF_INET6 else IPv4Interface
                yield ifindex, kind((value, length))


def is_links(kind: int) -> bool:
    """Whether a dump of that kind lists netdevs; else it is addresses."""
    return kind == _GETLINK
