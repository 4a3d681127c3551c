"""One socket of a worker, and the sessions that are reached through it."""

from __future__ import annotations

import os
from typing import Final

from l2tpv3.datapath.user.session import BATCH, WorkerSession
from l2tpv3.wire.data import CONTROL, Buffer, classify_ip, classify_udp

_RECEIVE: Final = bytearray(65536 + 64)  # one for all: a packet is done with before the next is read
_VIEW: Final = memoryview(_RECEIVE)
_INTO: Final = [_VIEW]
_IPV4_HEADER: Final = 20


class Carrier:
    """A connected socket: UDP, or raw IP of protocol 115. Counts what belongs to no session; see TunnelCounters.

    sessions: by the session id in the packet, ours. users: how many tunnels share it (over UDP one).
    """

    def __init__(self, encap: str, fd: int, *, ipv4_header: bool = False) -> None:
        """ipv4_header: packets come with the IPv4 header in front, as raw(7) has it; IPv6 never does that."""
        self.fd = fd
        self.users = 0
        self.sessions: dict[int, WorkerSession] = {}
        self.rx_unknown_session = self.rx_control = self.rx_invalid = 0
        self._classify = classify_udp if encap == "udp" else classify_ip
        self._ipv4_header = ipv4_header

    def receive_packets(self, _events: int) -> None:
        """Take the packets that wait at the socket, BATCH at most."""
        fd = self.fd
        for _ in range(BATCH):
            try:
                length = os.readv(fd, _INTO)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error to something that we sent: told once, and no packet
            if self._ipv4_header:
                self._receive_ipv4(length)
            else:
                self.receive(_RECEIVE, _VIEW, length)

    def _receive_ipv4(self, length: int) -> None:
        """Skip the header; with IP options it is longer."""
        skip = (_RECEIVE[0] & 0x0F) * 4 if length >= _IPV4_HEADER else length
        if skip > length:
            self.rx_invalid += 1
            return
        payload = _VIEW[skip:]
        self.receive(payload, payload, length - skip)

    def receive(self, packet: Buffer, view: memoryview, length: int) -> None:
        """Take one payload of UDP or IP: `length` bytes in `packet`, which `view` is a view of. Never raises."""
        code = self._classify(packet, length)
        session = self.sessions.get(code)
        if session is not None:
            session.receive(packet, view, length)
        elif code > 0:
            self.rx_unknown_session += 1
        elif code == CONTROL:
            self.rx_control += 1
        else:
            self.rx_invalid += 1
