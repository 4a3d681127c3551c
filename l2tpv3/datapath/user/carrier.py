"""One socket of a worker, and the sessions that are reached through it."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from itertools import repeat
from typing import Final

from l2tpv3.datapath.user.batch import BATCH, RUN_MAX, ReceiveLayout, Slots
from l2tpv3.datapath.user.offloads import Offloads
from l2tpv3.datapath.user.outlet import Outlet
from l2tpv3.datapath.user.session import WorkerSession
from l2tpv3.wire.data import CONTROL, Buffer, classify_ip, classify_udp

_RECEIVE: Final = Slots()  # one for all: packets are done with before the next are read
_FIRST: Final = _RECEIVE.slots[0]
_VIEW: Final = _RECEIVE.slots[0][0]
_IPV4_HEADER: Final = 20
_PLAIN_IPV4: Final = b"\x45"  # version 4, a header without options
_ROUNDS: Final = 3
"""Datagrams that are taken at most, before the others have their turn; each may hold BATCH packets (UDP_GRO)."""

_SOL_UDP, _UDP_GRO = 17, 104  # linux/udp.h, Linux 5.0


class Carrier:
    """A connected socket: UDP, or raw IP of protocol 115. Counts what belongs to no session; see TunnelCounters.

    sessions: by the session id in the packet, ours. users: how many tunnels share it (over UDP one).
    """

    def __init__(self, encap: str, fd: int, offloads: Offloads, *, ipv4: bool) -> None:
        """Takes the file over. ipv4: over IP, packets then come with their header in front, as raw(7) has it."""
        self._socket = socket.socket(fileno=fd)
        self._socket.settimeout(0)
        self.fd = fd
        self.users = 0
        self.sessions: dict[int, WorkerSession] = {}
        self.rx_unknown_session = self.rx_control = self.rx_invalid = 0
        udp = encap == "udp"
        self._classify = classify_udp if udp else classify_ip
        self._skip = _IPV4_HEADER if ipv4 and not udp else 0
        self._recvmsg_into = self._socket.recvmsg_into
        self.outlet = Outlet(self._socket, segment=udp and offloads.gso)
        self.merges = udp and offloads.gro and self._merge()
        self.receive_packets = self._receive_merged if self.merges else self._receive_each

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _merge(self) -> bool:
        """Have the kernel hand over packets of one length together, as far as it can; it checks each checksum first."""
        try:
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        except OSError:
            return False
        return True

    def _receive_merged(self, _events: int) -> None:
        """Take what waits at the socket: a datagram is a packet, or several of one length, the last perhaps shorter."""
        for _ in range(_ROUNDS):
            try:
                length, ancillary, _, _ = self._recvmsg_into(_FIRST, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error to something that we sent: told once, and no packet
            stride = _stride(ancillary)
            if 0 < stride < length:
                self._receive_run(length, stride)
            else:
                self.receive(_VIEW, _VIEW, length)

    def _receive_run(self, length: int, stride: int) -> None:
        count, done = length // stride, 0
        session = self.sessions.get(self._classify(_VIEW, stride))
        if session is not None and count <= RUN_MAX and session.takes_runs(stride):
            layout = merged_layout(stride, len(session.head), session.header_length)
            if layout.heads(count).count(session.head) == count:
                session.deliver_run(layout.frames[:count], stride)
                done = count * stride
        for start in range(done, length, stride):
            piece = _VIEW[start : start + stride]
            self.receive(piece, piece, min(stride, length - start))

    def _receive_each(self, _events: int) -> None:
        """Take the packets that wait at the socket, each with a call of its own: over IP, and on old kernels."""
        lengths: list[int] = []
        for _ in range(BATCH):
            try:
                for length in map(os.readv, repeat(self.fd), _RECEIVE.slots[len(lengths) :]):
                    lengths.append(length)  # those before an error count
                break
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error to something that we sent: told once, and no packet
        if lengths:
            self._receive_slots(lengths)

    def _receive_slots(self, lengths: list[int]) -> None:
        count, length, skip = len(lengths), lengths[0], self._skip
        session = None
        if count > 1 and lengths.count(length) == count and length > skip:
            session = self.sessions.get(self._classify(_VIEW[skip:], length - skip))
        if session is not None and session.takes_runs(length - skip):
            layout = slots_layout(length, skip, len(session.head), session.header_length)
            plain = not skip or _RECEIVE.buffer[_RECEIVE.starts[0] :: _RECEIVE.stride][:count] == _PLAIN_IPV4 * count
            if plain and layout.heads(count).count(session.head) == count:
                session.deliver_run(layout.frames[:count], length - skip)
                return
        for (view,), each in zip(_RECEIVE.slots, lengths, strict=False):
            if skip:
                self._receive_ipv4(view, each)
            else:
                self.receive(view, view, each)

    def _receive_ipv4(self, view: memoryview, length: int) -> None:
        """Skip the header; with IP options it is longer."""
        skip = (view[0] & 0x0F) * 4 if length >= _IPV4_HEADER else length
        if skip > length:
            self.rx_invalid += 1
            return
        payload = view[skip:]
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


def _stride(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Bytes of a packet in a datagram that holds several; 0 when it is one."""
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_UDP, _UDP_GRO):
            return memoryview(data).cast("i")[0] if len(data) == 4 else 0
    return 0


@lru_cache(maxsize=32)
def merged_layout(stride: int, head: int, header: int) -> ReceiveLayout:
    """For packets of `stride` bytes behind each other in the receive buffer."""
    return ReceiveLayout(_VIEW, stride, 0, head, slice(header, stride))


@lru_cache(maxsize=32)
def slots_layout(length: int, skip: int, head: int, header: int) -> ReceiveLayout:
    """For packets of `length` bytes in a slot each, `skip` of them an IPv4 header."""
    view = _RECEIVE.view[_RECEIVE.starts[0] :]
    return ReceiveLayout(view, _RECEIVE.stride, skip, head, slice(skip + header, length))
