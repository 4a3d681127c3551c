"""ICMP echo requests to one address by one netdev, without waiting for the answers (RFC 792, RFC 4443)."""

from __future__ import annotations

import errno
import secrets
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from l2tpv3.linux.echo_probe import internet_checksum
from l2tpv3.linux.netns import inside

_REQUEST: Final = {4: 8, 6: 128}
_REPLY: Final = {4: 0, 6: 129}
_HEADER: Final = struct.Struct("!BBHHH")
_SOL_RAW, _ICMP_FILTER = 255, 1  # linux/icmp.h
_ICMP6_FILTER: Final = 1  # linux/icmpv6.h
_AT_ONCE: Final = 64
"""Packets that are read at most before others have their turn."""
_NOT_SENT: Final = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EPROTO, errno.EAGAIN, errno.ENOBUFS)
"""Errors that tell of an ICMP error to an earlier request, or of a neighbour that does not answer: as a lost one."""


class EchoSocket:
    """Sends and takes answers that only who got the request can have made: they repeat random bytes.

    identifier: that of all its requests, by which answers are told from those to other programs.
    """

    def __init__(self, netns: str | None, ifname: str, address: IPv4Address | IPv6Address) -> None:
        """Raises OSError (ENODEV: no such netdev; EPERM: it takes CAP_NET_RAW), L2tpError (no such namespace)."""
        self._version = address.version
        self.identifier, self._secret = secrets.randbits(16), secrets.token_bytes(8)
        family = socket.AF_INET if self._version == 4 else socket.AF_INET6
        protocol = socket.IPPROTO_ICMP if self._version == 4 else socket.IPPROTO_ICMPV6
        with inside(netns):
            self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ifname.encode())
                self._take_replies_alone()
                index = socket.if_nametoindex(ifname)
                plain = str(address).partition("%")[0]
                self._socket.connect((plain, 0) if self._version == 4 else (plain, 0, 0, index))
            except BaseException:
                self._socket.close()
                raise

    def _take_replies_alone(self) -> None:
        """Both filters have a bit for each type of message, which is set for those that are not wanted."""
        if self._version == 4:
            blocked = ~(1 << _REPLY[4]) & 0xFFFF_FFFF
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", blocked))
        else:
            words = [0xFFFF_FFFF] * 8
            words[_REPLY[6] // 32] &= ~(1 << _REPLY[6] % 32)
            self._socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))

    def fileno(self) -> int:
        """Readable when an answer may have come."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, number: int) -> None:
        """Send the request with that sequence number. Raises OSError where it can't be sent."""
        body = self._secret
        echo = _HEADER.pack(_REQUEST[self._version], 0, 0, self.identifier, number) + body
        if self._version == 4:  # that of ICMPv6 is the kernel's
            echo = _HEADER.pack(_REQUEST[4], 0, internet_checksum(echo), self.identifier, number) + body
        try:
            self._socket.send(echo)
        except OSError as error:
            if error.errno not in _NOT_SENT:
                raise

    def answers(self) -> Iterator[int]:
        """The sequence numbers of the answers that have come."""
        for _ in range(_AT_ONCE):
            try:
                packet = self._socket.recv(2048)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error, told once, is no answer
                continue
            at = (packet[0] & 0x0F) * 4 if self._version == 4 and packet else 0
            echo = packet[at:]
            if len(echo) < _HEADER.size + len(self._secret):
                continue
            kind, _code, _sum, ident, number = _HEADER.unpack_from(echo)
            if (kind, ident) == (_REPLY[self._version], self.identifier) and echo[_HEADER.size :] == self._secret:
                yield number
