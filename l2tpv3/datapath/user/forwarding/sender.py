"""The sending side of a tunnel's socket: many packets in one call where the kernel can cut them apart (UDP_SEGMENT)."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from operator import length_hint
from typing import Final

from l2tpv3.datapath.user.forwarding.buffers import FRAMES, PAYLOAD_MAX
from l2tpv3.datapath.user.heard import Heard
from l2tpv3.datapath.user.outer_header import Inheritance
from l2tpv3.linux.sendmmsg import SOL_UDP, UDP_SEGMENT, BatchSender, available
from l2tpv3.linux.slots import BATCH

_SO_NO_CHECK, _UDP_NO_CHECK6_TX = 11, 101
_IP_MTU, _IPV6_MTU = 14, 24  # linux/in.h, linux/in6.h
_IPV4_HEADER, _IPV6_HEADER, _UDP_HEADER = 20, 40, 8
_ETHERNET_MTU: Final = 1500

# A retry helps with none of these: too long for IP, or a queue that is full.
_NO_RETRY: Final = frozenset((errno.EMSGSIZE, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM))
# What the kernel says when it can't cut this batch up: packets longer than the route takes without fragments
# (EMSGSIZE, EINVAL before Linux 6.12), no checksum or IPsec on the route (EINVAL, EIO: net/ipv4/udp.c udp_send_skb).
_CANNOT_CUT: Final = frozenset((errno.EINVAL, errno.EMSGSIZE, errno.EIO, errno.EOPNOTSUPP))
_AGAIN_AFTER: Final = 1000
_LONG_RUN: Final = 8  # one that is worth a look at all of it
_RUN_MIN: Final = 4  # shorter runs are sent as quickly one by one

Failed = tuple[int, int]
"""Packets that were not sent, and their bytes."""

_NONE: Final[Failed] = (0, 0)
_Control = list[tuple[int, int, bytes]]

_OUTBOX: Final = BatchSender(FRAMES) if available() else None


class TunnelSender:
    """Sends the packets of all sessions of a tunnel. What was not sent is told, in packets and bytes, never raised.

    An ICMP error to an earlier packet is told by the kernel instead of sending (ECONNREFUSED): then once more.
    """

    def __init__(
        self,
        sock: socket.socket,
        heard: Heard,
        *,
        segment: bool,
        batched: bool,
        df: str = "off",
        inherits: Inheritance | None = None,
    ) -> None:
        """heard: told of ICMP errors. segment: have the kernel cut up many packets that are handed over as one, if it
        can. batched: hand over those that it does not cut with one call, if libc has that. df: see TunnelSettings.
        inherits: sets the socket to what is inherited, which sessions see to before they send.

        The socket stays its owner's."""
        self._fd = sock.fileno()
        self._heard = heard
        self.write = partial(os.write, sock.fileno())
        self._sendmsg = sock.sendmsg
        self.segments = segment and _can_segment(sock)
        self._box = _OUTBOX if batched else None
        udp, v6 = sock.type == socket.SOCK_DGRAM, sock.family == socket.AF_INET6
        self._outer_headers_bytes = (_IPV6_HEADER if v6 else _IPV4_HEADER) + (_UDP_HEADER if udp else 0)
        self._route_mtu = partial(
            sock.getsockopt, *((socket.IPPROTO_IPV6, _IPV6_MTU) if v6 else (socket.IPPROTO_IP, _IP_MTU))
        )
        self._limit = PAYLOAD_MAX  # packets of this length are sent one by one: cutting these was refused
        self._until_cut_again = 0
        self.inherits = inherits
        self.too_long = 0  # packets that were not sent for their length
        # Where packets may not be fragmented an ICMP error, maybe forged, is told as EMSGSIZE too: then once more.
        told = {errno.EMSGSIZE} if df != "off" else set[int]()
        self._no_retry, self._cannot_cut = _NO_RETRY - told, _CANNOT_CUT - told
        self._control: tuple[int, _Control] = (0, [])

    def payload_limit(self) -> int:
        """Give how many bytes of UDP or IP payload fit in one packet on the present route, at most PAYLOAD_MAX.

        Over IP the kernel answers (IP_MTU) for the route of the time when the socket was opened, with the present MTU
        of that route's netdev. Where it has no answer, 1500 bytes are assumed, as of ethernet.
        """
        try:
            mtu: int = self._route_mtu()
        except OSError:
            mtu = _ETHERNET_MTU
        return min(mtu - self._outer_headers_bytes, PAYLOAD_MAX)

    def send_alike(self, begin: int, length: int, count: int) -> Failed:
        """Do what send_slots does, for `count` packets of one length."""
        box = self._box
        if box is not None and self.segments and count > 1 and length * count <= PAYLOAD_MAX and self._may_cut(length):
            box.aim_alike(begin, length)
            if self._is_cut(box.send_cut(self._fd, 0, count, length), length):
                return _NONE
        return self.send_slots(begin, array("Q", (length,)) * count)

    def send_slots(self, begin: int, lengths: array[int]) -> Failed:
        """Send packets of these lengths that begin `begin` bytes before the slots of FRAMES, in order. Gives what was
        not sent."""
        box = self._box
        if box is None:
            paths = zip(FRAMES.starts, lengths, strict=False)
            return self.send_mixed([FRAMES.view[start - begin :][:length] for start, length in paths])
        box.aim(begin, lengths)

        def apart(start: int, end: int) -> Failed:
            return self._send_apart(box, begin, lengths, start, end)

        def cut(start: int, end: int) -> bool:
            stride = lengths[start]
            return self._may_cut(stride) and self._is_cut(box.send_cut(self._fd, start, end - start, stride), stride)

        return self._send_in_runs(lengths, cut, apart)

    def _send_apart(self, box: BatchSender, begin: int, lengths: array[int], start: int, end: int) -> Failed:
        failed = lost = 0
        while start < end:
            sent = box.send(self._fd, start, end - start)
            if sent < 1:
                self._heard.send_failed(ctypes.get_errno())
                refused = self._send_each([FRAMES.view[FRAMES.starts[start] - begin :][: lengths[start]]])
                failed, lost, sent = failed + refused[0], lost + refused[1], 1
            start += sent
        return failed, lost

    def send_piece(self, piece: memoryview, stride: int) -> Failed:
        """Send packets of `stride` bytes that lie one behind the other. Gives what was not sent."""
        if self.segments and len(piece) > stride and len(piece) <= PAYLOAD_MAX and self._send_cut([piece], stride):
            return _NONE
        return self.send_mixed([piece[start : start + stride] for start in range(0, len(piece), stride)])

    def send_mixed(self, packets: Sequence[memoryview]) -> Failed:
        """Send packets of any lengths, wherever they lie, in order. Gives what was not sent."""
        lengths = array("Q", map(len, packets))

        def apart(start: int, end: int) -> Failed:
            return self._send_each(packets[start:end])

        def cut(start: int, end: int) -> bool:
            return self._send_cut(packets[start:end], lengths[start])

        return self._send_in_runs(lengths, cut, apart)

    def _send_in_runs(
        self, lengths: array[int], cut: Callable[[int, int], bool], apart: Callable[[int, int], Failed]
    ) -> Failed:
        """Send what makes a run by `cut`, and what does not, or is refused, by `apart`, in order."""
        failed = lost = done = start = 0
        while self.segments and start < len(lengths):
            end = _run_end(lengths, start)
            if end - start >= _RUN_MIN:
                before = apart(done, start) if done < start else _NONE
                now = _NONE if cut(start, end) else apart(start, end)
                failed, lost, done = failed + before[0] + now[0], lost + before[1] + now[1], end
            start = end
        rest = apart(done, len(lengths)) if done < len(lengths) else _NONE
        return failed + rest[0], lost + rest[1]

    def _send_cut(self, pieces: Sequence[memoryview], stride: int) -> bool:
        if not self._may_cut(stride):
            return False
        if self._control[0] != stride:
            self._control = (stride, [(SOL_UDP, UDP_SEGMENT, stride.to_bytes(2, sys.byteorder))])
        try:
            self._sendmsg(pieces, self._control[1])
        except OSError as error:
            return self._is_cut(error.errno or errno.EINVAL, stride)
        return True

    def _may_cut(self, stride: int) -> bool:
        if stride >= self._limit:
            self._until_cut_again -= 1
            if self._until_cut_again > 0:
                return False
            self._limit = PAYLOAD_MAX  # the route may have another MTU by now
        return True

    def _is_cut(self, number: int, stride: int) -> bool:
        """number: the errno; whatever it is, they go one by one then, each with its own outcome."""
        if number:
            self._heard.send_failed(number)
        if number in self._cannot_cut:
            self._limit, self._until_cut_again = stride, _AGAIN_AFTER
        return not number

    def _send_each(self, packets: Sequence[memoryview]) -> Failed:
        failed, lost, waiting = 0, 0, iter(packets)
        while True:
            try:
                deque(map(self.write, waiting), 0)
            except OSError as error:
                packet = packets[len(packets) - length_hint(waiting) - 1]
                if not self._sent_again(error, packet):
                    failed, lost = failed + 1, lost + len(packet)
            else:
                return failed, lost

    @property
    def batched(self) -> bool:
        """Whether one call sends many that are not cut."""
        return self._box is not None

    def send_failed(self, error: OSError, packet: memoryview) -> Failed:
        """After `write` failed: once more, if that may help."""
        return _NONE if self._sent_again(error, packet) else (1, len(packet))

    def _sent_again(self, error: OSError, packet: memoryview) -> bool:
        self._heard.send_failed(error.errno)
        if error.errno not in self._no_retry:
            try:
                self.write(packet)
                return True
            except OSError as again:
                error = again
        self.too_long += error.errno == errno.EMSGSIZE
        return False


def _can_segment(sock: socket.socket) -> bool:
    """Whether the kernel cuts what this socket sends: not where it leaves checksums out."""
    try:
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
        if sock.family == socket.AF_INET6:
            return not sock.getsockopt(SOL_UDP, _UDP_NO_CHECK6_TX)
        return not sock.getsockopt(socket.SOL_SOCKET, _SO_NO_CHECK)
    except OSError:
        return False
    return True


def _run_end(lengths: array[int], start: int) -> int:
    """Find the end of a run that UDP_SEGMENT takes: packets of one length, the last of which may be shorter."""
    stride, count = lengths[start], len(lengths)
    most = min(count, start + min(PAYLOAD_MAX // stride, BATCH))
    ahead = start + _LONG_RUN
    if ahead < most and lengths[ahead] == stride and lengths[start:most].count(stride) == most - start:
        return most
    end = start + 1
    while end < most and lengths[end] <= stride:
        end += 1
        if lengths[end - 1] < stride:
            break
    return end
