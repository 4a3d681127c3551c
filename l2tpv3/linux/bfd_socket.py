"""UDP sockets for BFD with one address by one netdev (RFC 5881)."""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from l2tpv3.linux.netns import inside
from l2tpv3.wire.bfd import HOPS, PORT, SOURCE_PORTS, BfdPacket, read_bfd

_IP_RECVTTL: Final = 12  # linux/in.h
_IPV6_HOPLIMIT: Final = 52  # linux/in6.h
_CONTROL: Final = 0xC0
"""The type of service of packets that keep a network running (RFC 2474: class selector 6)."""
_AT_ONCE: Final = 64
"""Packets that are read at most before others have their turn."""
_PORTS_TRIED: Final = 64
_NOT_SENT: Final = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EPROTO, errno.EAGAIN, errno.ENOBUFS)
"""Errors that tell of an ICMP error to an earlier packet, or of a neighbour that does not answer: as a lost one."""


class BfdSocket:
    """Sends to that address, and takes what it sent from the other end of the link, forwarded by nobody."""

    def __init__(self, netns: str | None, ifname: str, address: IPv4Address | IPv6Address) -> None:
        """Raises OSError (ENODEV: no such netdev; EADDRINUSE: another program has BFD's port), L2tpError."""
        self._version = address.version
        self._address = str(address).partition("%")[0]
        with contextlib.ExitStack() as stack, inside(netns):
            self._receiver = stack.enter_context(self._socket(ifname))
            self._receiver.bind(self._place(PORT))
            self._sender = stack.enter_context(self._socket(ifname))
            self._take_a_port()
            index = socket.if_nametoindex(ifname) if address.is_link_local else 0
            # Not connected: that would keep for good the source address that fits now, a link-local one while the
            # netdev's own is tentative, from which the other end takes nothing.
            self._far = (self._address, PORT) if self._version == 4 else (self._address, PORT, 0, index)
            stack.pop_all()

    def _socket(self, ifname: str) -> socket.socket:
        family = socket.AF_INET if self._version == 4 else socket.AF_INET6
        found = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ifname.encode())
            if self._version == 4:
                found.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, HOPS)
                found.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CONTROL)
                found.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
            else:
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, HOPS)
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _CONTROL)
                found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        except BaseException:
            found.close()
            raise
        return found

    def _place(self, port: int) -> tuple[str, int]:
        return ("0.0.0.0" if self._version == 4 else "::", port)

    def _take_a_port(self) -> None:
        low, high = SOURCE_PORTS
        for left in reversed(range(_PORTS_TRIED)):
            try:
                self._sender.bind(self._place(low + secrets.randbelow(high - low + 1)))
                return
            except OSError as error:
                if error.errno != errno.EADDRINUSE or not left:
                    raise

    def fileno(self) -> int:
        """Readable when a packet may have come."""
        return self._receiver.fileno()

    def close(self) -> None:
        """Close the sockets."""
        self._receiver.close()
        self._sender.close()

    def send(self, packet: BfdPacket) -> None:
        """Send a packet. Raises OSError where it can't be sent."""
        try:
            self._sender.sendto(packet.encode(), self._far)
        except OSError as error:
            if error.errno not in _NOT_SENT:
                raise

    def packets(self) -> Iterator[BfdPacket]:
        """The packets that have come from that address."""
        for _ in range(_AT_ONCE):
            try:
                payload, beside, _flags, sender = self._receiver.recvmsg(512, 64)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error, told once
                continue
            packet = read_bfd(payload)
            if packet and sender[0].partition("%")[0] == self._address and _hops(beside) == HOPS:
                yield packet


def _hops(beside: list[tuple[int, int, bytes]]) -> int | None:
    """The TTL or hop limit that a packet came with."""
    for level, kind, value in beside:
        if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)):
            return int.from_bytes(value[:4], sys.byteorder)
    return None
