"""One session in a worker: frames from its netdev to the tunnel's socket, and packets to its netdev.

Nothing here raises for what a peer sends, or builds more for a packet than the slices that cannot be avoided.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable
from typing import Final

from l2tpv3.datapath.user.port import Port
from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.wire.data import (
    BAD_COOKIE,
    S_BIT,
    SEQUENCE_MASK,
    SUBLAYER,
    Buffer,
    Framing,
    ReceiveHeader,
    SendHeader,
    read_sequence,
)
from l2tpv3.wire.sequence import ReceiveSequence

BATCH: Final = 32
"""Frames taken from one file before the others have their turn: about half a millisecond."""

HEADROOM: Final = 32
"""Bytes before the frame in the send buffer: more than the longest header (20)."""

FRAME_OVERHEAD: Final = 18
"""Bytes of a frame beyond the MTU: the ethernet header and one VLAN tag (net/core/dev.c is_skb_forwardable)."""

_BUFFER: Final = bytearray(HEADROOM + 65536 + 64)  # one for all: a frame is sent before the next is read
_SEND_VIEW: Final = memoryview(_BUFFER)
_READ_INTO: Final = [_SEND_VIEW[HEADROOM:]]
_GONE: Final = (errno.EBADFD, errno.EBADF)
# A retry helps with none of these: too long for IP, or a queue that is full.
_NO_RETRY: Final = (errno.EMSGSIZE, errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM)

Schedule = Callable[[float, Callable[[float], None]], None]
"""Have a function called with the time when a time of time.monotonic() has come."""


def _nothing() -> None:
    pass


class WorkerSession:
    """One session. `receive` takes what the carrier found to be this session's; `send_frames` is called when the
    netdev has frames. `gone` once the netdev has vanished under it (its namespace was deleted), which `on_gone` tells.
    """

    def __init__(self, settings: SessionSettings, encap: str, port: Port, socket_fd: int, schedule: Schedule) -> None:
        """Raises EncodeError when the settings can't be put on the wire."""
        self.port = port
        self.gone = False
        self.on_gone: Callable[[], None] = _nothing
        self.tx_packets = self.tx_bytes = self.tx_errors = 0
        self.rx_packets = self.rx_bytes = self.rx_errors = 0
        self.rx_cookie_discards = self.rx_invalid = 0
        self._seq_discards = self._oos_packets = 0
        self._encap = encap
        self._socket_fd = socket_fd
        self._schedule = schedule
        self._timer_set = False
        self._ns = 0
        self._sequence: ReceiveSequence | None = None
        self._write = port.write
        self.configure(settings)

    def configure(self, settings: SessionSettings) -> None:
        """Take other settings in the midst of traffic; sequence numbers go on. Raises EncodeError, changing nothing."""
        tx_framing = Framing(self._encap, len(settings.tx_cookie), settings.sublayer)
        rx_framing = Framing(self._encap, len(settings.rx_cookie), settings.sublayer)
        prefix = SendHeader(tx_framing, settings.peer_session_id, settings.tx_cookie).prefix
        expected = ReceiveHeader(rx_framing, settings.rx_cookie)
        self.settings = settings
        self._prefix = prefix
        self._check = expected.check
        self._header_length = expected.header_length
        self._longest = settings.mtu + FRAME_OVERHEAD
        # recv implies numbering what we send: see the package's docstring.
        self._numbering = settings.send_seq or settings.recv_seq
        self._configure_sequence(settings)

    def _configure_sequence(self, settings: SessionSettings) -> None:
        timeout_s = settings.reorder_timeout_ms / 1000
        old = self._sequence
        if old and not (settings.recv_seq and timeout_s):
            for frame in old.flush(math.inf):
                self._deliver(frame)
        if old and not settings.recv_seq:
            self._seq_discards += old.seq_discards
            self._oos_packets += old.oos_packets
            self._sequence = None
        elif old:
            old.reorder_timeout_s = timeout_s
        elif settings.recv_seq:
            # Taking gaps: a lost packet costs nothing more, where with the kernel's rule it costs the next five.
            self._sequence = ReceiveSequence(timeout_s, accept_gaps=True)

    @property
    def rx_seq_discards(self) -> int:
        """Dropped for their number, or for having none."""
        return self._seq_discards + (self._sequence.seq_discards if self._sequence else 0)

    @property
    def rx_oos_packets(self) -> int:
        """Delivered in their place, having come after a later one."""
        return self._oos_packets + (self._sequence.oos_packets if self._sequence else 0)

    def send_frames(self, _events: int) -> None:
        """Send the frames that wait at the netdev, BATCH at most."""
        read, fd, numbering = self.port.read, self._socket_fd, self._numbering
        start = HEADROOM - len(self._prefix)
        _BUFFER[start:HEADROOM] = self._prefix
        packets = size = 0
        for _ in range(BATCH):
            try:
                end = HEADROOM + read(_READ_INTO)
            except BlockingIOError:
                break
            except OSError as error:
                self._read_failed(error)
                break
            if numbering:
                SUBLAYER.pack_into(_BUFFER, HEADROOM - 4, S_BIT | self._ns)
                self._ns = self._ns + 1 & SEQUENCE_MASK
            try:
                os.write(fd, _SEND_VIEW[start:end])
            except OSError as error:
                if not self._sent_again(error, start, end):
                    self.tx_errors += 1
                    continue
            packets += 1
            size += end - start
        self.tx_packets += packets
        self.tx_bytes += size

    def _sent_again(self, error: OSError, start: int, end: int) -> bool:
        """Try once more. An ICMP error to an earlier packet is told instead of sending this one (ECONNREFUSED)."""
        if error.errno in _NO_RETRY:
            return False
        try:
            os.write(self._socket_fd, _SEND_VIEW[start:end])
        except OSError:
            return False
        return True

    def _read_failed(self, error: OSError) -> None:
        if error.errno in _GONE:
            self._lose()
        elif error.errno != errno.EINTR:
            self.tx_errors += 1

    def receive(self, packet: Buffer, view: memoryview, length: int) -> None:
        """Take a packet with this session's id: `length` bytes of payload in `packet`, which `view` is a view of."""
        start = self._check(packet, length)
        if start < 0:
            self._refuse(start, length)
            return
        sequence = self._sequence
        if sequence is not None:
            self._receive_numbered(sequence, read_sequence(packet, start - 4), view[start:length])
            return
        if length - start > self._longest:
            self.rx_errors += 1
            return
        try:
            self._write(view[start:length])
        except OSError as error:
            self._write_failed(error)
            return
        self.rx_packets += 1
        self.rx_bytes += length

    def _refuse(self, code: int, length: int) -> None:
        if code == BAD_COOKIE:
            self.rx_cookie_discards += 1
        elif length < self._header_length:
            self.rx_invalid += 1
        else:
            self.rx_errors += 1  # all of our header, but not all of an ethernet header

    def _receive_numbered(self, sequence: ReceiveSequence, ns: int, frame: memoryview) -> None:
        if ns < 0:
            self._seq_discards += 1
        elif sequence.in_order(ns):
            self._deliver(frame)
        else:
            # Frames that are too long keep their place in the sequence, but are not worth holding.
            each = frame if len(frame) <= self._longest else b""
            for released in sequence.accept(ns, each, time.monotonic()):
                self._deliver(released)
            self._set_timer(sequence)

    def _deliver(self, frame: Buffer) -> None:
        if not 0 < len(frame) <= self._longest:
            self.rx_errors += 1
            return
        try:
            self._write(frame)
        except OSError as error:
            self._write_failed(error)
            return
        self.rx_packets += 1
        self.rx_bytes += self._header_length + len(frame)

    def _write_failed(self, error: OSError) -> None:
        """The netdev is down (EIO), gone (EBADFD), or the kernel has no memory for it."""
        self.rx_errors += 1
        if error.errno in _GONE:
            self._lose()

    def _lose(self) -> None:
        if not self.gone:
            self.gone = True
            self.on_gone()

    def _set_timer(self, sequence: ReceiveSequence) -> None:
        if not self._timer_set and (deadline := sequence.deadline()) is not None:
            self._timer_set = True
            self._schedule(deadline, self._on_timer)

    def _on_timer(self, now: float) -> None:
        self._timer_set = False
        if self._sequence is not None and not self.gone:
            for frame in self._sequence.flush(now):
                self._deliver(frame)
            self._set_timer(self._sequence)

    def close(self) -> None:
        """Hold nothing any more; a timer that is still set finds nothing to do."""
        self.gone = True
        self._sequence = None
