"""The little of rtnetlink(7) that marking and finding TAPs needs: netdevs' names and ifaliases.

By hand and not through pyroute2: these four requests are made for each session, and thousands of netdevs are listed
in milliseconds where a full parse takes seconds.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

_NEWLINK, _DELLINK, _GETLINK, _ERROR, _DONE = 16, 17, 18, 2, 3
_REQUEST, _ACK, _DUMP = 1, 4, 0x300
_IFNAME, _LINKINFO, _IFALIAS, _EXT_MASK, _INFO_KIND = 3, 18, 20, 29, 1
_SKIP_STATS: Final = 1 << 3  # RTEXT_FILTER_SKIP_STATS
_TYPE_MASK: Final = 0x3FFF
_header = Struct("=IHHII")  # struct nlmsghdr
_link = Struct("=BxHiII")  # struct ifinfomsg
_attribute = Struct("=HH")
_number = Struct("=i")


class Link(NamedTuple):
    """A netdev: its index, name, alias and driver kind (`tun` for a TAP too)."""

    ifindex: int
    ifname: str
    alias: str
    kind: str


def links(kind: str = "") -> list[Link]:
    """The netdevs of the calling thread's network namespace; kind: only such (older kernels ignore that)."""
    attributes = _pack(_EXT_MASK, _SKIP_STATS.to_bytes(4, "little" if _little() else "big"))
    if kind:
        attributes += _pack(_LINKINFO, _pack(_INFO_KIND, kind.encode() + b"\0"))
    found = [_parse(body) for body in _ask(_GETLINK, _DUMP, _link.pack(0, 0, 0, 0, 0) + attributes)]
    return [link for link in found if not kind or link.kind == kind]


def set_alias(ifindex: int, alias: str) -> None:
    """Give a netdev an ifalias. Raises OSError."""
    list(_ask(_NEWLINK, _ACK, _link.pack(0, 0, ifindex, 0, 0) + _pack(_IFALIAS, alias.encode())))


def delete(ifindex: int) -> None:
    """Remove a netdev. Raises OSError."""
    list(_ask(_DELLINK, _ACK, _link.pack(0, 0, ifindex, 0, 0)))


def _little() -> bool:
    return _number.pack(1)[0] == 1


def _pack(kind: int, value: bytes) -> bytes:
    size = _attribute.size + len(value)
    return _attribute.pack(size, kind) + value + bytes(-size % 4)


def _ask(kind: int, flags: int, body: bytes) -> Iterator[bytes]:
    """Send one request; give the bodies of what is answered, up to the end or the acknowledgement."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as netlink:
        netlink.settimeout(10)
        netlink.bind((0, 0))
        netlink.send(_header.pack(_header.size + len(body), kind, flags | _REQUEST, 1, 0) + body)
        while True:
            data = netlink.recv(1 << 18)
            offset = 0
            while offset + _header.size <= len(data):
                size, answer, _, _, _ = _header.unpack_from(data, offset)
                content = data[offset + _header.size : offset + size]
                offset += size + -size % 4
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    _raise_error(content)
                    return
                yield content


def _raise_error(content: bytes) -> None:
    (number,) = _number.unpack_from(content)
    if number:
        raise OSError(-number, os.strerror(-number))


def _parse(body: bytes) -> Link:
    ifindex: int = _link.unpack_from(body)[2]
    values = dict(_attributes(body[_link.size :]))
    kind = dict(_attributes(values.get(_LINKINFO, b""))).get(_INFO_KIND, b"")
    return Link(ifindex, _text(values.get(_IFNAME, b"")), _text(values.get(_IFALIAS, b"")), _text(kind))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _attribute.size <= len(data):
        size, kind = _attribute.unpack_from(data, offset)
        if size < _attribute.size:
            return
        yield kind & _TYPE_MASK, data[offset + _attribute.size : offset + size]
        offset += size + -size % 4
