"""The sending side of a tunnel's socket: many packets in one call where the kernel can cut them apart (UDP_SEGMENT)."""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Sequence
from functools import partial
from operator import length_hint
from typing import Final

from l2tpv3.datapath.user import outbox
from l2tpv3.datapath.user.batch import PAYLOAD_MAX, SendLayout

_SOL_UDP, _UDP_SEGMENT = 17, 103  # linux/udp.h, Linux 4.18
_SO_NO_CHECK, _UDP_NO_CHECK6_TX = 11, 101

# A retry helps with none of these: too long for IP, or a queue that is full.
_NO_RETRY: Final = (errno.EMSGSIZE, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)
# What the kernel says when it can't cut this batch up: packets longer than the route takes without fragments
# (EMSGSIZE, EINVAL before Linux 6.12), no checksum or IPsec on the route (EINVAL, EIO: net/ipv4/udp.c udp_send_skb).
_CANNOT_CUT: Final = (errno.EINVAL, errno.EMSGSIZE, errno.EIO, errno.EOPNOTSUPP)
_AGAIN_AFTER: Final = 1000
_RUN_MIN: Final = 4  # shorter runs are sent as quickly one by one

Failed = tuple[int, int]
"""Packets that were not sent, and their bytes."""

_NONE: Final[Failed] = (0, 0)
_Control = list[tuple[int, int, bytes]]


class Outlet:
    """Sends the packets of all sessions of a tunnel. What was not sent is told, in packets and bytes, never raised.

    An ICMP error to an earlier packet is told by the kernel instead of sending (ECONNREFUSED): then once more.
    """

    def __init__(self, sock: socket.socket, *, segment: bool, many: bool) -> None:
        """segment: have the kernel cut up many packets that are handed over as one, if it can. many: hand over those
        that it does not cut with one call, if libc has that. The socket stays its owner's."""
        self._fd = sock.fileno()
        self.write = partial(os.write, sock.fileno())
        self._sendmsg = sock.sendmsg
        self.segments = segment and _can_segment(sock)
        self.many = many and outbox.available()
        self._limit = PAYLOAD_MAX  # packets of this length are sent one by one: cutting these was refused
        self._left = 0
        self._control: tuple[int, _Control] = (0, [])

    def send_run(self, layout: SendLayout, count: int, last: int) -> Failed:
        """Send the first `count` packets of a layout, the last of which has `last` bytes. Gives what was not sent."""
        size = (count - 1) * layout.stride + last
        if self.segments and count > 1 and self._send_cut([layout.view[:size]], layout.stride):
            return _NONE
        if self.many and count > 1:
            layout.outbox.lengths[count - 1] = last
            failed = self._send_many(layout, count, last)
            layout.outbox.lengths[count - 1] = layout.stride
            return failed
        return self._send_each([*layout.packets[: count - 1], layout.view[size - last : size]])

    def _send_many(self, layout: SendLayout, count: int, last: int) -> Failed:
        failed = lost = done = 0
        while done < count:
            sent = layout.outbox.send(self._fd, done, count - done)
            if sent < 1:
                start = done * layout.stride
                refused = self._send_each([layout.view[start : start + (layout.stride if done < count - 1 else last)]])
                failed, lost, sent = failed + refused[0], lost + refused[1], 1
            done += sent
        return failed, lost

    def send_mixed(self, packets: Sequence[memoryview]) -> Failed:
        """Send packets of any lengths, in order. Gives what was not sent."""
        lengths = list(map(len, packets))
        failed = lost = done = start = 0
        if self.segments:
            while start < len(lengths):
                end = _run_end(lengths, start)
                if end - start >= _RUN_MIN:
                    before, now = self._send_each(packets[done:start]), packets[start:end]
                    after = _NONE if self._send_cut(now, lengths[start]) else self._send_each(now)
                    failed, lost, done = failed + before[0] + after[0], lost + before[1] + after[1], end
                start = end
        rest = self._send_each(packets[done:])
        return failed + rest[0], lost + rest[1]

    def _send_cut(self, pieces: Sequence[memoryview], stride: int) -> bool:
        if stride >= self._limit:
            self._left -= 1
            if self._left > 0:
                return False
            self._limit = PAYLOAD_MAX  # the route may have another MTU by now
        if self._control[0] != stride:
            self._control = (stride, [(_SOL_UDP, _UDP_SEGMENT, stride.to_bytes(2, "little" if _LITTLE else "big"))])
        try:
            self._sendmsg(pieces, self._control[1])
        except OSError as error:
            if error.errno in _CANNOT_CUT:
                self._limit, self._left = stride, _AGAIN_AFTER
            return False  # one by one then, each with its own outcome
        return True

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

    def send_failed(self, error: OSError, packet: memoryview) -> Failed:
        """After `write` failed: once more, if that may help."""
        return _NONE if self._sent_again(error, packet) else (1, len(packet))

    def _sent_again(self, error: OSError, packet: memoryview) -> bool:
        if error.errno in _NO_RETRY:
            return False
        try:
            self.write(packet)
        except OSError:
            return False
        return True


_LITTLE: Final = memoryview(b"\1\0").cast("H")[0] == 1


def _can_segment(sock: socket.socket) -> bool:
    """Whether the kernel cuts what this socket sends: not where it leaves checksums out."""
    try:
        sock.setsockopt(_SOL_UDP, _UDP_SEGMENT, 0)
        if sock.family == socket.AF_INET6:
            return not sock.getsockopt(_SOL_UDP, _UDP_NO_CHECK6_TX)
        return not sock.getsockopt(socket.SOL_SOCKET, _SO_NO_CHECK)
    except OSError:
        return False
    return True


def _run_end(lengths: Sequence[int], start: int) -> int:
    """Where a run that UDP_SEGMENT takes ends: packets of one length, the last of which may be shorter."""
    stride, end, total = lengths[start], start + 1, lengths[start]
    while end < len(lengths) and lengths[end] <= stride and total + stride <= PAYLOAD_MAX:
        total += lengths[end]
        end += 1
        if lengths[end - 1] < stride:
            break
    return end
