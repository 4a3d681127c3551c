"""One session in a worker: frames from its netdev to the tunnel's socket, and packets to its netdev.

Nothing here raises for what a peer sends, or builds more for a packet than the slices that cannot be avoided.
"""

from __future__ import annotations

import errno
import math
import time
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import length_hint
from typing import Final, TypeVar

from l2tpv3.datapath.user.feedback import OwnPackets
from l2tpv3.datapath.user.forwarding.batch_reader import read_each
from l2tpv3.datapath.user.forwarding.buffers import FRAMES, LOW_BYTES, PAYLOAD_MAX, ReceiveLayout
from l2tpv3.datapath.user.forwarding.parts import PARTS, ROOM_MIN
from l2tpv3.datapath.user.forwarding.sender import Failed, TunnelSender
from l2tpv3.datapath.user.forwarding.tap_port import Port
from l2tpv3.datapath.user.outer_header import Inheritance
from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.linux.slots import BATCH, HEADROOM, LONGEST
from l2tpv3.model.hearing import ReceptionTracker
from l2tpv3.wire.data import (
    BAD_COOKIE,
    CHANNEL,
    FIRST,
    LAST,
    MIN_FRAME_BYTES,
    S_BIT,
    SEQUENCE_MASK,
    SUBLAYER,
    Buffer,
    ChannelHeader,
    Framing,
    ReceiveHeader,
    SendHeader,
    encode_header,
    read_sequence,
)
from l2tpv3.wire.fragments import TIMEOUT_S, Reassembler, part_length
from l2tpv3.wire.sequence import ReceiveSequence
from l2tpv3.wire.vccv import SUBLAYER_OF_CHANNEL

FRAME_OVERHEAD: Final = 18
"""Bytes of a frame beyond the MTU: the ethernet header and one VLAN tag (net/core/dev.c is_skb_forwardable)."""

OLD_COOKIE_S: Final = 60.0
"""How long the cookie before is taken, after another one of that length is to be expected."""

_LONE: Final = bytearray(HEADROOM + LONGEST)  # for one frame, whose header is written each time
_LONE_VIEW: Final = memoryview(_LONE)
_LONE_SLOT: Final = [_LONE_VIEW[HEADROOM:]]
_NO_MORE: Final = (0, errno.EAGAIN)
_YIELDS: Final = 4  # how often the CPU is left to the netdev's thread before a frame is dropped
_YIELD_S: Final = 0.00005
_WATCHFUL: Final = 256
"""Batches after one with a packet of the tunnel's own of which each frame is looked at; of others the first is."""
_GONE: Final = (errno.EBADFD, errno.EBADF)
_PAIR_FLAGS: Final = bytes(((S_BIT | FIRST) >> 24, (S_BIT | LAST) >> 24))
_LAST_FLAGS: Final = _PAIR_FLAGS[1]
"""The first byte of the sublayer of a frame's two parts."""
_MANY_PAIRS_MIN: Final = 4  # packets; fewer are as quick one by one

Piece = TypeVar("Piece")
Schedule = Callable[[float, Callable[[float], None]], None]
"""Have a function called with the time when a time of time.monotonic() has come."""


def _nothing() -> None:
    pass


def _either(new: Callable[[Buffer, int], int], old: Callable[[Buffer, int], int]) -> Callable[[Buffer, int], int]:
    """Checks a packet's header as ReceiveHeader.check does, for one of two cookies."""

    def check(packet: Buffer, length: int) -> int:
        start = new(packet, length)
        return start if start != BAD_COOKIE else old(packet, length)

    return check


class WorkerSession:
    """One session. `receive` takes what the carrier found to be this session's; `send_frames` is called when the
    netdev has frames. `reception`: to be looked at now and then. `own_packets`: the tunnel's, which are no frames to
    be sent; None until they are known.
    `rx_channel`: packets of the control channel that tell that the other end is there.
    `on_channel` gets what is behind the sublayer of a packet of the control channel, where the session has one.
    `gone` once the netdev has vanished under it (its namespace was deleted), which `on_gone` tells.
    """

    def __init__(
        self, settings: SessionSettings, encap: str, port: Port, outlet: TunnelSender, schedule: Schedule
    ) -> None:
        """Raises EncodeError when the settings can't be put on the wire."""
        self.port = port
        self.gone = False
        self.on_gone: Callable[[], None] = _nothing
        self.on_channel: Callable[[memoryview], None] | None = None
        self.tx_packets = self.tx_bytes = self.tx_errors = 0
        self.rx_packets = self.rx_bytes = self.rx_errors = 0
        self.rx_cookie_discards = self.rx_invalid = 0
        self.rx_channel = 0
        self.tx_fragments = 0
        self._seq_discards = self._oos_packets = 0
        self.reception = ReceptionTracker()
        self._encap = encap
        self._outlet = outlet
        self._batch = BATCH
        self._schedule = schedule
        self._timer_set = False
        self._watchful = 0
        self.own_packets: OwnPackets | None = None
        self._ns = 0
        self._expected: ReceiveHeader | None = None
        self._sequence: ReceiveSequence | None = None
        self._fragments = False
        self.reassembler = Reassembler(0)
        self._expiry_set = False
        self._carrier_lost: set[str] = set()
        self._primary: WorkerSession | None = None
        self._use(port)
        self.configure(settings)

    def configure(self, settings: SessionSettings) -> None:
        """Take other settings in the midst of traffic; sequence numbers go on. Raises EncodeError, changing nothing."""
        tx_framing = Framing(self._encap, len(settings.tx_cookie), settings.sublayer)
        rx_framing = Framing(self._encap, len(settings.rx_cookie), settings.sublayer)
        prefix = SendHeader(tx_framing, settings.peer_session_id, settings.tx_cookie).prefix
        shortest = 1 if settings.fragment else MIN_FRAME_BYTES  # the last part of a frame may be short
        expects = ChannelHeader if settings.probe_interval_ms else ReceiveHeader
        expected = expects(rx_framing, settings.rx_cookie, shortest=shortest)
        self._expect(expected)
        self.settings = settings
        self._prefix = prefix
        self.header_length = expected.header_length
        self._shortest = expected.minimum
        self._longest = settings.mtu + FRAME_OVERHEAD
        self._longest_packet = self.header_length + self._longest
        # recv implies numbering what we send: see the package's docstring.
        self._numbering = settings.send_seq or settings.recv_seq
        self._configure_sequence(settings)
        self._configure_fragments(settings)
        self.head = _head(self._encap, settings, plain=bool(settings.probe_interval_ms) and self._sequence is None)
        # Of packets that deliver and deliver_run may be given: the shortest, the longest; none where numbers matter.
        self.lengths = (self._shortest, self._longest_packet) if self._sequence is None else (0, -1)

    def _expect(self, expected: ReceiveHeader) -> None:
        """Check packets for this header; for a while also for the one before, if it has another cookie and no more.

        So a cookie can be changed at one end after the other, and no packet is lost.
        """
        before, self._expected = self._expected, expected
        self._check: Callable[[Buffer, int], int] = expected.check
        if before is None or not expected.differs_in_cookie(before):
            return
        self._check = _either(expected.check, before.check)

        def forget_the_old(_: float) -> None:
            if self._expected is expected:
                self._check = expected.check

        self._schedule(time.monotonic() + OLD_COOKIE_S, forget_the_old)

    def _use(self, port: Port) -> None:
        self._write, self._gather, self._read = port.write, port.gather, port.read

    def serve(self, primary: WorkerSession | None) -> None:
        """Take frames from another session's netdev, and have what comes come out there. None: its own again."""
        self._primary = primary
        self._use(self.port if primary is None else primary.port)

    def move(self, encap: str, outlet: TunnelSender) -> None:
        """Go on through another socket, with whatever headers that takes; sequence numbers go on.

        Raises EncodeError for a header that can't be made.
        """
        self._encap, self._outlet = encap, outlet
        self._batch = BATCH
        self.configure(self.settings)

    def _configure_sequence(self, settings: SessionSettings) -> None:
        timeout_s = settings.reorder_timeout_ms / 1000
        old = self._sequence
        if old and not (settings.recv_seq and timeout_s):
            for released in old.flush(math.inf):
                self._release(released)
        if old and not settings.recv_seq:
            self._seq_discards += old.seq_discards
            self._oos_packets += old.oos_packets
            self._sequence = None
        elif old:
            old.reorder_timeout_s = timeout_s
        elif settings.recv_seq:
            # Taking gaps: a lost packet costs nothing more, where with the kernel's rule it costs the next five.
            self._sequence = ReceiveSequence(timeout_s, accept_gaps=True)

    def _configure_fragments(self, settings: SessionSettings) -> None:
        self._fragments = settings.fragment
        self.reassembler.longest = self._longest
        # A part may be waited for in the sequence before it comes here.
        self.reassembler.timeout_s = settings.reorder_timeout_ms / 1000 + TIMEOUT_S
        if not settings.fragment:
            self.reassembler.expire(math.inf)

    def set_carrier(self, by: str, *, up: bool) -> None:
        """Have the netdev show a carrier, or none while anything says so. by: what says it."""
        if up:
            self._carrier_lost.discard(by)
        else:
            self._carrier_lost.add(by)
        self.port.set_carrier(up=not self._carrier_lost)

    @property
    def rx_seq_discards(self) -> int:
        """Dropped for their number, or for having none."""
        return self._seq_discards + (self._sequence.seq_discards if self._sequence else 0)

    @property
    def rx_oos_packets(self) -> int:
        """Delivered in their place, having come after a later one."""
        return self._oos_packets + (self._sequence.oos_packets if self._sequence else 0)

    def send_frames(self, _events: int) -> None:
        """Send the frames that wait at the netdev, a batch at most."""
        lengths, ended_by = read_each(self._read, FRAMES, self._batch)
        if lengths and (self._watchful or self._is_own(FRAMES.slots[0][0][: lengths[0]])):
            lengths = self._without_own(lengths)
        if lengths:
            inherits = self._outlet.inherits
            if inherits is None:
                self._send_slots(lengths)
            else:
                self._send_marked(inherits, lengths)
        if ended_by not in _NO_MORE:
            self._read_failed(ended_by)

    def _is_own(self, frame: Buffer) -> bool:
        return self.own_packets is not None and self.own_packets.are_in(frame)

    def _without_own(self, lengths: list[int]) -> list[int]:
        """Have those frames in FRAMES close up that are not packets of this tunnel, which would go round in it."""
        self._watchful = max(0, self._watchful - 1)
        kept: list[int] = []
        for place, length in enumerate(lengths):
            if self._is_own(FRAMES.slots[place][0][:length]):
                self._watchful = _WATCHFUL
                continue
            if place != len(kept):
                FRAMES.move(place, len(kept), length)
            kept.append(length)
        self.tx_errors += len(lengths) - len(kept)
        return kept

    def _send_marked(self, inherits: Inheritance, lengths: list[int]) -> None:
        """Send the frames of these lengths in FRAMES; in one go those in a row that give the same to inherit."""
        markings = [inherits.of(FRAMES.slots[place][0][:length]) for place, length in enumerate(lengths)]
        place = 0
        for marking, same in groupby(markings):
            count = len(list(same))
            run = lengths[place : place + count]
            if place:  # what was in the first slots is sent
                for to, length in enumerate(run):
                    FRAMES.move(place + to, to, length)
            inherits.set(marking)
            self._send_slots(run)
            place += count

    def send_frame(self, _events: int) -> None:
        """Send one frame as soon as can be: while there is little to do."""
        try:
            length = self._read(_LONE_SLOT)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                self._read_failed(error.errno)
            return
        if self._is_own(_LONE_VIEW[HEADROOM : HEADROOM + length]):
            self.tx_errors += 1
            return
        if (inherits := self._outlet.inherits) is not None:
            inherits.set(inherits.of(_LONE_VIEW[HEADROOM : HEADROOM + length]))
        if self._fragments and length > (room := self._frame_limit()):
            self._send_parts([_LONE_VIEW[HEADROOM : HEADROOM + length]], room)
            return
        start = HEADROOM - len(self._prefix)
        _LONE[start:HEADROOM] = self._prefix
        if self._numbering:
            SUBLAYER.pack_into(_LONE, HEADROOM - SUBLAYER.size, S_BIT | self._ns)
            self._ns = self._ns + 1 & SEQUENCE_MASK
        packet = _LONE_VIEW[start : HEADROOM + length]
        try:
            self._outlet.write(packet)
        except OSError as error:
            self._sent(1, len(packet), self._outlet.send_failed(error, packet))
            return
        self.tx_packets += 1
        self.tx_bytes += len(packet)

    def _send_slots(self, lengths: list[int]) -> None:
        """Send the frames of these lengths in FRAMES."""
        self._send_as_they_are(lengths, 0)

    def _send_as_they_are(self, lengths: list[int], more: int) -> None:
        """Send frames that begin `more` bytes before the slots of FRAMES, and are as much longer."""
        if self._fragments and max(lengths) + more > (room := self._frame_limit()):
            starts = FRAMES.starts
            frames = [
                FRAMES.view[start - more : start + length] for start, length in zip(starts, lengths, strict=False)
            ]
            self._send_parts(frames, room)
            return
        count, prefix, first = len(lengths), self._prefix, lengths[0]
        begin = len(prefix) + more
        FRAMES.put_headers(prefix, count, more, numbered=self._numbering)
        if self._numbering:
            FRAMES.number(self._ns, count, more)
            self._ns = self._ns + count & SEQUENCE_MASK
        if lengths.count(first) == count:
            first += begin
            self._batch = min(BATCH, max(1, PAYLOAD_MAX // first))  # as many as one call sends
            self._sent(count, first * count, self._outlet.send_alike(begin, first, count))
        else:
            packets = array("Q", [length + begin for length in lengths])
            self._batch = BATCH
            self._sent(count, sum(packets), self._outlet.send_slots(begin, packets))

    def _frame_limit(self) -> int:
        """Bytes of a frame that one packet takes on the route that packets have now."""
        return max(self._outlet.payload_limit() - len(self._prefix), ROOM_MIN)

    def _send_parts(self, frames: Sequence[memoryview], room: int) -> None:
        """Send frames, those that are longer than `room` in several packets (RFC 4623)."""
        length = len(frames[0])
        size = part_length(length, room)
        prefix = self._prefix
        if PARTS.takes_alike(length, len(prefix), size) and all(len(frame) == length for frame in frames):
            self._send_alike_parts(frames, size)
            return
        for frame in frames:
            if not PARTS.has_room(frame, len(prefix), room):
                self._send_put()
            count = PARTS.put(frame, prefix, self._ns, room)
            self._ns = self._ns + count & SEQUENCE_MASK
            if count > 1:
                self.tx_fragments += count
        self._batch = max(1, BATCH * len(frames) // len(PARTS.packets)) if PARTS.packets else BATCH
        self._send_put()

    def _send_alike_parts(self, frames: Sequence[memoryview], size: int) -> None:
        """Send frames of one length, each in parts of `size` bytes, as many with one call as it takes."""
        prefix, length = self._prefix, len(frames[0])
        parts, stride = length // size, len(prefix) + size
        most = max(1, min(BATCH, PAYLOAD_MAX // stride) // parts)
        self._batch = min(BATCH, most)
        for start in range(0, len(frames), most):
            some = frames[start : start + most]
            packets = len(some) * parts
            piece = PARTS.put_alike(some, prefix, self._ns, size)
            self._ns = self._ns + packets & SEQUENCE_MASK
            self.tx_fragments += packets
            self._sent(packets, len(piece), self._outlet.send_piece(piece, stride))

    def _send_put(self) -> None:
        packets = PARTS.packets
        self._sent(len(packets), sum(map(len, packets)), self._outlet.send_mixed(packets))
        PARTS.clear()

    def send_channel(self, payload: bytes) -> None:
        """Send a packet of the control channel, if that can be now. payload: what is behind the sublayer.

        It takes no sequence number, and is not counted.
        """
        if self._outlet.inherits is not None:
            self._outlet.inherits.set()
        packet = memoryview(self._prefix[: -SUBLAYER.size] + SUBLAYER_OF_CHANNEL + payload)
        try:
            self._outlet.write(packet)
        except OSError as error:
            self._outlet.send_failed(error, packet)

    def _sent(self, packets: int, size: int, failed: Failed) -> None:
        self.tx_packets += packets - failed[0]
        self.tx_bytes += size - failed[1]
        self.tx_errors += failed[0]

    def _read_failed(self, number: int | None) -> None:
        if number in _GONE:
            self._lose()
        elif number != errno.EINTR:
            self.tx_errors += 1

    def receive(self, packet: Buffer, view: memoryview, length: int) -> None:
        """Take a packet with this session's id: `length` bytes of payload in `packet`, which `view` is a view of."""
        start = self._check(packet, length)
        if start < 0:
            self._refuse(start, view, length)
            return
        sequence = self._sequence
        if sequence is not None:
            self._receive_numbered(sequence, packet, view[start - SUBLAYER.size : length], start)
            return
        if length - start > self._longest:
            self.rx_errors += 1
            return
        self.deliver(view[start:length], length)

    def deliver(self, frame: memoryview, length: int) -> None:
        """Take a frame whose header and length were found right. length: bytes of both."""
        try:
            self._write(frame)
        except OSError as error:
            self._write_failed(error.errno)
            return
        self.rx_packets += 1
        self.rx_bytes += length

    def takes_runs(self, length: int) -> bool:
        """Whether packets of `length` bytes, whose headers are all `head`, can be delivered with deliver_run."""
        return self.lengths[0] <= length <= self.lengths[1]

    def deliver_merged(self, layout: ReceiveLayout, count: int, size: int) -> None:
        """Do what deliver_run does, for the first `count` frames of a layout."""
        frames = layout.frames[:count]
        self._write_run(self._write, frames, frames, size)

    @property
    def joins_runs(self) -> bool:
        """Whether packets of one length, whose headers are all `head` but for the sublayer, may go to deliver_parts."""
        return self._fragments

    def deliver_parts(self, layout: ReceiveLayout, count: int) -> int:
        """Take frames of two parts each, in the first `count` packets of a layout; give how many packets were taken.

        It stops at the first packet whose bits or number are not those of such a frame; 0 is given where it takes none.
        The packets that it has not taken have to be taken one by one.
        """
        sequence, at = self._sequence, self.header_length - SUBLAYER.size
        flags = layout.column(at, count)
        first = int(flags[0] == _LAST_FLAGS)  # of a frame whose other part came before
        if sequence is None or not count - first >= _MANY_PAIRS_MIN or flags[first] != _PAIR_FLAGS[0]:
            return 0
        high, middle, low = (layout.column(at + place, count)[first:] for place in (1, 2, 3))
        pairs = min(len(low), 0x100 - low[0]) // 2  # as many as leave the upper bytes of the number as they are
        packets, half = 2 * pairs, layout.frame_length
        if (
            flags[first : first + packets] != _PAIR_FLAGS * pairs
            or low[:packets] != LOW_BYTES[low[0] : low[0] + packets]
            or high.count(high[0], 0, packets) != packets
            or middle.count(middle[0], 0, packets) != packets
            or not MIN_FRAME_BYTES <= 2 * half <= self._longest
        ):
            return 0
        if first:
            self._receive_numbered(sequence, layout.behind(0, 0), layout.behind(0, at), self.header_length)
        ns = high[0] << 16 | middle[0] << 8 | low[0]
        if not sequence.in_order_run(ns, packets):
            return first
        if not self.reassembler.take_pairs(pairs):
            for number in range(first, first + packets):
                self._join(layout.behind(number, at))
            return first + packets
        before, size = self.rx_packets, self.rx_bytes
        frames = layout.pairs(first)[:pairs]
        self._write_run(self._gather, frames, layout.frames[:pairs], 0)
        delivered = self.rx_packets - before
        self.rx_packets += delivered
        self.rx_bytes = size + 2 * delivered * (self.header_length + half)
        self.rx_errors += pairs - delivered  # each counted once by then
        return first + packets

    def deliver_run(self, frames: Sequence[memoryview], size: int) -> None:
        """Take frames whose headers and lengths were found right. size: bytes of all of them, with these headers."""
        self._write_run(self._write, frames, frames, size)

    def _write_run(
        self, write: Callable[[Piece], object], pieces: Sequence[Piece], frames: Sequence[Buffer], size: int
    ) -> None:
        """Write frames to the netdev. pieces: what `write` takes of each, which may be the frame itself."""
        count, yields, waiting = len(frames), _YIELDS, iter(pieces)
        while True:
            try:
                deque(map(write, waiting), 0)
                break
            except OSError as error:
                failed = len(frames) - length_hint(waiting) - 1
                if isinstance(error, BlockingIOError) and yields:
                    # The netdev's thread lags behind, perhaps because it waits for this CPU.
                    yields -= 1
                    time.sleep(_YIELD_S)
                    frames, pieces = frames[failed:], pieces[failed:]
                    waiting = iter(pieces)
                    continue
                count -= 1
                size -= self.header_length + len(frames[failed])
                self._write_failed(error.errno)
        self.rx_packets += count
        self.rx_bytes += size

    def _refuse(self, code: int, view: memoryview, length: int) -> None:
        """Take a packet that has no frame for the netdev."""
        if code == CHANNEL:
            if self.on_channel is not None:
                self.on_channel(view[self.header_length : length])
        elif code == BAD_COOKIE:
            self.rx_cookie_discards += 1
        elif length < self.header_length:
            self.rx_invalid += 1
        else:
            self.rx_errors += 1  # all of our header, but not all of an ethernet header

    def _receive_numbered(self, sequence: ReceiveSequence, packet: Buffer, numbered: memoryview, start: int) -> None:
        """Take a packet with a number. numbered: its bytes from the sublayer on. start: where that ends in it."""
        ns = read_sequence(packet, start - SUBLAYER.size)
        if ns < 0:
            self._seq_discards += 1
        elif sequence.in_order(ns):
            if self._fragments:
                self._join(numbered)
            else:
                self._deliver(numbered[SUBLAYER.size :])
        else:
            # Frames that are too long keep their place in the sequence, but are not worth holding.
            each = numbered if len(numbered) - SUBLAYER.size <= self._longest else b""
            for released in sequence.accept(ns, each, time.monotonic()):
                self._release(released)
            self._set_timer(sequence)

    def _release(self, numbered: Buffer) -> None:
        """Take the packet that is next in the sequence, from the sublayer on; empty if the frame was too long."""
        if self._fragments and numbered:
            self._join(numbered)
        else:
            self._deliver(numbered[SUBLAYER.size :])

    def _join(self, numbered: Buffer) -> None:
        """Take the packet with the next number, which has a frame or a part of it; deliver a frame that is whole."""
        joined = self.reassembler
        word: int = SUBLAYER.unpack_from(numbered)[0]
        frame = joined.take(word, numbered[SUBLAYER.size :], time.monotonic())
        if frame is None:
            self._set_expiry()
            return
        before, more = self.rx_packets, joined.parts - 1
        self._deliver(frame)
        if self.rx_packets > before:
            self.rx_packets += more
            self.rx_bytes += more * self.header_length
        else:
            self.rx_errors += more

    def _deliver(self, frame: Buffer) -> None:
        if not 0 < len(frame) <= self._longest:
            self.rx_errors += 1
            return
        try:
            self._write(frame)
        except OSError as error:
            self._write_failed(error.errno)
            return
        self.rx_packets += 1
        self.rx_bytes += self.header_length + len(frame)

    def _write_failed(self, number: int | None) -> None:
        """The netdev is down (EIO), gone (EBADFD), or the kernel has no memory for it."""
        self.rx_errors += 1
        if number in _GONE:
            self._lose()

    def _lose(self) -> None:
        lost = self._primary or self  # whose netdev it was
        if not lost.gone:
            lost.gone = True
            lost.on_gone()

    def _set_timer(self, sequence: ReceiveSequence) -> None:
        if not self._timer_set and (deadline := sequence.deadline()) is not None:
            self._timer_set = True
            self._schedule(deadline, self._on_timer)

    def _on_timer(self, now: float) -> None:
        self._timer_set = False
        if self._sequence is not None and not self.gone:
            for released in self._sequence.flush(now):
                self._release(released)
            self._set_timer(self._sequence)

    def _set_expiry(self) -> None:
        if not self._expiry_set and (deadline := self.reassembler.deadline()) is not None:
            self._expiry_set = True
            self._schedule(deadline, self._on_expiry)

    def _on_expiry(self, now: float) -> None:
        self._expiry_set = False
        self.reassembler.expire(now)
        if not self.gone:
            self._set_expiry()

    def close(self) -> None:
        """Hold nothing any more; a timer that is still set finds nothing to do."""
        self.gone = True
        self._sequence = None


def _head(encap: str, settings: SessionSettings, *, plain: bool) -> bytes:
    """What a packet of this session begins with, in front of the sublayer. Others may be right too (reserved bits).

    plain: with the sublayer of a packet that has neither a number nor the V bit, so that others are looked at closely.
    """
    framing = Framing(encap, len(settings.rx_cookie), settings.sublayer if plain else "none")
    return encode_header(framing, settings.session_id, settings.rx_cookie)
