"""How long a packet a path takes in one piece, found by ICMP echo requests that must not be fragmented (RFC 792, 4443).

Only an answer counts. ICMP errors are passed over, since anybody can forge them; over IPv4 the host learns nothing of
them either (IP_PMTUDISC_INTERFACE), so that they change nothing for others.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from ipaddress import IPv4Address, IPv6Address

from l2tpv3.linux.path_options import choose_path

_ECHO_HEADER = 8
_IP_HEADER = {4: 20, 6: 40}
_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT, _PMTUDISC_INTERFACE, _IPV6_DONTFRAG = (
    10,
    23,
    0,
    4,
    62,
)  # linux/in.h, in6.h
_DF = 0x4000
_HOPS = 64
_FIRST_TRIES = 6
"""Of the shortest packet: hosts on the way may have to look for their neighbours first."""

_Address = IPv4Address | IPv6Address


class EchoProbe:
    """Asks one host. Use it in a `with` block. Raises OSError when it is made (EPERM: raw sockets take CAP_NET_RAW)."""

    def __init__(
        self, local: _Address, remote: _Address, *, mark: int = 0, device: str | None = None, cut: bool = False
    ) -> None:
        """mark, device: as for choose_path. cut: long packets go in IP fragments, as the kernel cuts them.

        It is made in the calling thread's network namespace.
        """
        self._cut = cut
        self.version, self._local, self._remote = remote.version, local, remote
        self._id, self._number = os.getpid() & 0xFFFF, 0
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_RAW, 1 if self.version == 4 else socket.IPPROTO_ICMPV6)
        try:
            self._set_up(mark, device)
        except BaseException:
            self._socket.close()
            raise

    def _set_up(self, mark: int, device: str | None) -> None:
        choose_path(self._socket, mark, device)
        if self._cut and self.version == 4:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)
        elif self._cut:
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT)
        elif self.version == 4:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_INTERFACE)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)  # which lets us set DF ourselves
        else:
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_INTERFACE)
            self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_DONTFRAG, 1)
        scope = getattr(self._remote, "scope_id", None)
        index = 0 if not scope else int(scope) if scope.isdigit() else socket.if_nametoindex(scope)
        for connect, address in ((self._socket.bind, self._local), (self._socket.connect, self._remote)):
            plain = str(address).partition("%")[0]
            connect((plain, 0) if self.version == 4 else (plain, 0, 0, index))

    def __enter__(self) -> EchoProbe:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def answers(self, length: int, timeout_s: float) -> bool:
        """Whether a packet of `length` bytes, IP header and all, is answered in time. Raises OSError (no route)."""
        self._number += 1
        body = struct.pack("!HH", self._id, self._number) + bytes(length - _IP_HEADER[self.version] - _ECHO_HEADER)
        echo = struct.pack("!BBH", _REQUEST[self.version], 0, 0) + body
        if self.version == 4:
            echo = echo[:2] + internet_checksum(echo).to_bytes(2, "big") + echo[4:]  # that of ICMPv6 is the kernel's
        if self.version == 4 and not self._cut:
            ends = self._local.packed + self._remote.packed
            # The kernel fills in the length, the identification and the checksum (raw(7)).
            echo = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, _DF, _HOPS, 1, 0) + ends + echo
        deadline = time.monotonic() + timeout_s
        for _ in range(2):  # an ICMP error to an earlier one is told instead of sending
            try:
                self._socket.send(echo)
                break
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    return False  # the netdev's own MTU is less
                if error.errno not in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EPROTO):
                    raise
        return self._heard(deadline)

    def _heard(self, deadline: float) -> bool:
        wanted = struct.pack("!HH", self._id, self._number)
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(OSError):  # a timeout, or an ICMP error, which is no answer
                packet = self._socket.recv(65536)
                at = (packet[0] & 0x0F) * 4 if self.version == 4 else 0
                if packet[at : at + 1] == bytes([_REPLY[self.version]]) and packet[at + 4 : at + 8] == wanted:
                    return True
        return False

    def longest(self, least: int, most: int, timeout_s: float, tries: int = 2) -> int | None:
        """The longest packet from `least` to `most` bytes that is answered; None where not even `least` is.

        A length counts as too long after `tries` without an answer, `timeout_s` each. Halves the range each time.
        """

        def passes(length: int, tries: int = tries) -> bool:
            return any(self.answers(length, timeout_s) for _ in range(tries))

        if not passes(least, _FIRST_TRIES):
            return None
        if passes(most):
            return most
        while most - least > 1:
            middle = (least + most) // 2
            if passes(middle):
                least = middle
            else:
                most = middle
        return least


def internet_checksum(data: bytes) -> int:
    """The internet checksum of some bytes (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF
