"""One socket of a worker, and the sessions that are reached through it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Final

from l2tpv3.datapath.user.forwarding.batch_reader import read_each
from l2tpv3.datapath.user.forwarding.buffers import RUN_MAX, ReceiveLayout
from l2tpv3.datapath.user.forwarding.sender import TunnelSender
from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.datapath.user.heard import Heard
from l2tpv3.datapath.user.offloads import Offloads
from l2tpv3.datapath.user.outer_header import inheritance
from l2tpv3.linux.path_options import bound_device
from l2tpv3.linux.recvmmsg import BatchReceiver, available
from l2tpv3.linux.slots import BATCH, HEADROOM, Slots
from l2tpv3.wire.data import CONTROL, Buffer, classify_ip, classify_udp

_RECEIVE: Final = Slots()  # one for all: packets are done with before the next are read
_FIRST: Final = _RECEIVE.slots[0]
_VIEW: Final = _RECEIVE.slots[0][0]
_IPV4_HEADER: Final = 20
_PLAIN_IPV4: Final = b"\x45"  # version 4, a header without options
_AFTER_IPV4: Final = [start + _IPV4_HEADER for start in _RECEIVE.starts]
_INBOX: Final = BatchReceiver(_RECEIVE) if available() else None
_MIXED_AFTER: Final = 32  # packets that came alone, less those that did not, after which many are asked for at once
_MIXED_MIN: Final = 3  # datagrams that one call gave; with fewer, one at a time is quicker again
_MIXED_MAX: Final = 6  # packets in a datagram, on average, from which on one datagram at a time is quicker again
_RUN_MIN: Final = 4  # packets of one length that are worth a look whether all are alike
_ROUNDS: Final = 3
"""Datagrams that are taken at most, before the others have their turn; each may hold BATCH packets (UDP_GRO)."""

_SOL_UDP, _UDP_GRO = 17, 104  # linux/udp.h, Linux 5.0


class TunnelReceiver:
    """A connected socket: UDP, or raw IP of protocol 115. Counts what belongs to no session; see TunnelCounters.

    sessions: by the session id in the packet, ours. users: how many tunnels share it (over UDP one). on_control: gets
    control messages, beside their being counted.
    """

    def __init__(self, encap: str, fd: int, offloads: Offloads, *, ipv4: bool, dscp: int = 0, df: str = "off") -> None:
        """Takes the file over. ipv4: over IP, packets then come with their header in front, as raw(7) has it.

        dscp, df: see TunnelSettings.
        """
        self._socket = socket.socket(fileno=fd)
        self._socket.settimeout(0)
        self.fd = fd
        self._read = partial(os.readv, fd)
        self.users = 0
        self.sessions: dict[int, WorkerSession] = {}
        self.rx_unknown_session = self.rx_control = self.rx_invalid = 0
        self.on_control: Callable[[memoryview], None] | None = None
        udp = encap == "udp"
        self._classify = classify_udp if udp else classify_ip
        self._mixed = 0
        self._last: WorkerSession | None = None  # the session of the packet before; it may be gone
        self._skip = _IPV4_HEADER if ipv4 and not udp else 0
        self._recvmsg_into = self._socket.recvmsg_into
        self.heard = Heard(lambda: sum(session.rx_packets for session in self.sessions.values()))
        self.outlet = TunnelSender(
            self._socket, self.heard, segment=udp and offloads.gso, batched=offloads.mmsg, df=df,
            inherits=inheritance(self._socket, dscp, df),
        )  # fmt: skip
        self._inbox = _INBOX if offloads.mmsg else None
        self.merges = udp and offloads.gro and self._merge()
        self.receive_packets = self._receive_merged if self.merges else self._receive_each

    @property
    def bound_device(self) -> str:
        """The netdev that the socket is bound to; see path_options.bound_device."""
        return bound_device(self._socket)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def take_counts(self, of: TunnelReceiver) -> None:
        """Add what another socket of the same tunnel has counted."""
        self.rx_unknown_session += of.rx_unknown_session
        self.rx_control += of.rx_control
        self.rx_invalid += of.rx_invalid
        self.outlet.too_long += of.outlet.too_long

    def send_control(self, payload: bytes) -> None:
        """Send a control message, if that can be now."""
        with contextlib.suppress(OSError):
            if self.outlet.inherits is not None:
                self.outlet.inherits.set()
            self._socket.send(payload)

    def _merge(self) -> bool:
        """Have the kernel hand over packets of one length together, as far as it can; it checks each checksum first."""
        try:
            self._socket.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        except OSError:
            return False
        return True

    def receive_packet(self, events: int) -> None:
        """Take one packet (or what was merged into one) as soon as can be: while there is little to do."""
        if self._skip or self._mixed > _MIXED_AFTER:
            self.receive_packets(events)
            return
        try:
            length, ancillary, _, _ = self._recvmsg_into(_FIRST, 64)
        except OSError as error:
            self.heard.receive_failed(error.errno)
            return  # nothing there, or an ICMP error to something that we sent: told once, and no packet
        session = self._last
        if (
            not ancillary
            and session is not None
            and not session.gone
            and session.lengths[0] <= length <= session.lengths[1]
            and _RECEIVE.buffer.startswith(session.head, HEADROOM)
        ):
            session.deliver(_VIEW[session.header_length : length], length)
            return
        stride = _stride(ancillary) if ancillary else 0
        if 0 < stride < length:
            self._receive_run(length, stride)
        else:
            self._last = self.sessions.get(self._classify(_VIEW, length))
            self.receive(_VIEW, _VIEW, length)

    def _receive_merged(self, events: int) -> None:
        """Take what waits at the socket: a datagram is a packet, or several of one length, the last perhaps shorter."""
        if self._mixed > _MIXED_AFTER and self._inbox is not None:
            self._receive_mixed(self._inbox)
            return
        for _ in range(_ROUNDS):
            try:
                length, ancillary, _, _ = self._recvmsg_into(_FIRST, 64)
            except BlockingIOError:
                return
            except OSError as error:
                self.heard.receive_failed(error.errno)
                continue  # an ICMP error to something that we sent: told once, and no packet
            stride = _stride(ancillary)
            if 0 < stride < length:
                self._mixed = max(0, self._mixed - length // stride)
                self._receive_run(length, stride)
            else:
                self._mixed += 1
                self.receive(_VIEW, _VIEW, length)

    def _receive_mixed(self, inbox: BatchReceiver) -> None:
        """Receive packets that mostly come alone (see _receive_merged): many datagrams with one call."""
        datagrams = inbox.receive(self.fd)
        if datagrams is None:
            self.heard.receive_failed(inbox.failed)
            return  # an ICMP error: told once, and no packet
        self._receive_pieces(_RECEIVE.starts, datagrams)
        packets = sum(length // stride for length, stride in datagrams if stride)
        if len(datagrams) < _MIXED_MIN or packets >= _MIXED_MAX * len(datagrams):
            self._mixed = 0

    def _receive_pieces(self, starts: Sequence[int], datagrams: Iterable[tuple[int, int]]) -> None:
        """Take datagrams, given by length and distance of the packets in them, that lie at `starts`.

        As long as headers are those of the session of the packet before, frames are gathered to be written together.
        """
        buffer, view = _RECEIVE.buffer, _RECEIVE.view
        session: WorkerSession | None = None
        head, header, shortest, longest = b"", 0, 0, -1
        frames: list[memoryview] = []
        size = 0
        for start, (length, stride) in zip(starts, datagrams, strict=False):
            self.rx_invalid += not length
            for at in range(start, start + length, stride or 1):
                end = min(at + stride, start + length)
                if shortest <= end - at <= longest and buffer[at : at + len(head)] == head:
                    frames.append(view[at + header : end])
                    size += end - at
                    continue
                if session is not None and frames:
                    session.deliver_run(frames, size)
                    frames, size = [], 0
                piece = view[at:end]
                self.receive(piece, piece, end - at)
                session = self.sessions.get(self._classify(piece, end - at))
                if session is not None:
                    head, header, (shortest, longest) = session.head, session.header_length, session.lengths
                else:
                    longest = -1
        if session is not None and frames:
            session.deliver_run(frames, size)

    def _receive_run(self, length: int, stride: int) -> None:
        count, done = length // stride, 0
        session = self.sessions.get(self._classify(_VIEW, stride))
        if session is not None and count <= RUN_MAX and session.takes_runs(stride):
            layout = merged_layout(stride, len(session.head), session.header_length)
            if layout.heads(count).count(session.head) == count:
                session.deliver_merged(layout, count, count * stride)
                done = count * stride
        elif session is not None and count <= RUN_MAX and session.joins_runs:
            layout = merged_layout(stride, len(session.head), session.header_length)
            if layout.heads(count).count(session.head) == count:
                done = session.deliver_parts(layout, count) * stride
        if done < length:
            self._receive_pieces([_RECEIVE.starts[0] + done], [(length - done, stride)])

    def _receive_each(self, _events: int) -> None:
        """Take the packets that wait at the socket, none of them merged: over IP, and on old kernels."""
        # What ends it, an ICMP error to something that we sent perhaps, is told once, and is no packet.
        lengths, failed = read_each(self._read, _RECEIVE, BATCH)
        if failed:
            self.heard.receive_failed(failed)
        if lengths:
            self._receive_slots(lengths)

    def _receive_slots(self, lengths: list[int]) -> None:
        starts, skip = _RECEIVE.starts, self._skip
        if len(lengths) >= _RUN_MIN and lengths.count(lengths[0]) == len(lengths) and self._receive_alike(lengths):
            return
        if skip:
            firsts = _RECEIVE.buffer[starts[0] :: _RECEIVE.stride][: len(lengths)]
            if firsts != _PLAIN_IPV4 * len(lengths) or min(lengths) <= skip:
                for (view,), length in zip(_RECEIVE.slots, lengths, strict=False):
                    self._receive_ipv4(view, length)
                return
            starts, lengths = _AFTER_IPV4, [length - skip for length in lengths]
        self._receive_pieces(starts, [(length, length) for length in lengths])

    def _receive_alike(self, lengths: list[int]) -> bool:
        """Take packets of one length that all are one session's, as they mostly are; False: they are not, look closer.

        Headers and, over IPv4, the first bytes of the IP headers are compared, all in one go."""
        count, skip, length = len(lengths), self._skip, lengths[0] - self._skip
        if length <= 0:
            return False
        start = _RECEIVE.starts[0] + skip
        session = self.sessions.get(self._classify(_RECEIVE.view[start : start + length], length))
        if session is None or not session.takes_runs(length):
            return False
        layout = slots_layout(length, skip, len(session.head), session.header_length)
        if layout.heads(count).count(session.head) < count:
            return False
        if skip and _RECEIVE.buffer[_RECEIVE.starts[0] :: _RECEIVE.stride][:count] != _PLAIN_IPV4 * count:
            return False
        session.deliver_merged(layout, count, count * length)
        return True

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
            self.heard.message(packet, length)
            if self.on_control is not None:
                self.on_control(view[:length])
        else:
            self.rx_invalid += 1
            if not self._skip:
                self.heard.message(packet, length)  # of L2TPv2, perhaps


def _stride(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Bytes of a packet in a datagram that holds several; 0 when it is one."""
    for level, kind, data in ancillary:
        if (level, kind) == (_SOL_UDP, _UDP_GRO):
            return memoryview(data).cast("i")[0] if len(data) == 4 else 0
    return 0


@lru_cache(maxsize=32)
def merged_layout(stride: int, head: int, header: int) -> ReceiveLayout:
    """The layout of packets of `stride` bytes that lie one behind the other in the receive buffer."""
    return ReceiveLayout(_VIEW, stride, 0, head, slice(header, stride))


@lru_cache(maxsize=32)
def slots_layout(length: int, skip: int, head: int, header: int) -> ReceiveLayout:
    """The layout of packets of `length` bytes that lie each in a slot, behind `skip` bytes of IP header."""
    skip += HEADROOM
    return ReceiveLayout(_RECEIVE.view, _RECEIVE.stride, skip, head, slice(skip + header, skip + length))
