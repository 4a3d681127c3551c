"""A session that is an ethernet VLAN pseudowire: frames get a tag on their way out, and lose or change it coming in.

No frame is copied for that where many of one kind come: room for the tag is left while a frame is read, it is written
around its tag, or the number is written over the old one in all frames of a run at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from l2tpv3.datapath.user.forwarding.buffers import FRAMES, ReceiveLayout
from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.wire.data import S_BIT, SEQUENCE_MASK, SUBLAYER, Buffer
from l2tpv3.wire.vlan import SHORTEST, TAG_AT, TAG_BYTES, TPID, number_of, tag_of

_NUMBER_AT: Final = TAG_AT + 2
_BEHIND: Final = TAG_AT + TAG_BYTES
_LOW_NIBBLES: Final = bytes(value & 0x0F for value in range(256))


class VlanSession(WorkerSession):
    """One VLAN pseudowire. settings.vlan is this end's number.

    To be removed at egress: frames from the netdev get a tag, or, where they have a priority alone, the number; frames
    from the tunnel lose their tag, or its number where it has a priority. To be rewritten: only frames of this VLAN
    are taken from the netdev, others count as tx_errors; frames from the tunnel get this number. Whatever number comes
    from the tunnel will do; what comes without a tag counts as rx_invalid.
    """

    def configure(self, settings: SessionSettings) -> None:
        """See WorkerSession.configure."""
        super().configure(settings)
        self._shortest += TAG_BYTES
        self._longest += TAG_BYTES
        self._longest_packet += TAG_BYTES
        self.reassembler.longest = self._longest
        if self._sequence is None:
            self.lengths = (self._shortest, self._longest_packet)
        vlan, self._rewrites = settings.vlan, settings.rewrite
        self._tag = tag_of(vlan)
        self._vlan = vlan
        inside = vlan if self._rewrites else 0  # the number of tags that the netdev sees
        self._low = bytes((inside & 0xFF,))
        self._upper = bytes(value & 0xF0 | inside >> 8 for value in range(256))
        self._numbers = [bytes((self._upper[nibble << 4],)) + self._low for nibble in range(16)]

    # -- to the tunnel -------------------------------------------------------------------------------------------------

    def send_frame(self, events: int) -> None:
        """See WorkerSession.send_frame: a lone frame is looked at as those of a batch are."""
        self.send_frames(events)

    def _next_header(self) -> bytes:
        if not self._numbering:
            return self._prefix
        header = self._prefix[:-4] + SUBLAYER.pack(S_BIT | self._ns)
        self._ns = self._ns + 1 & SEQUENCE_MASK
        return header

    def _send_slots(self, lengths: list[int]) -> None:
        if not self._is_plain(len(lengths)):
            self._send_unlike(lengths)
        elif self._rewrites:
            self._send_as_they_are(lengths, 0)
        else:
            self._make_room(len(lengths))
            self._send_as_they_are(lengths, TAG_BYTES)

    def _is_plain(self, count: int) -> bool:
        """Whether the same has to be done to all frames that were read: a tag, or nothing as theirs are right."""
        if not self._rewrites:
            return TPID[0] not in FRAMES.column(TAG_AT, count)
        return (
            FRAMES.column(TAG_AT, count).count(TPID[0]) == count
            and FRAMES.column(TAG_AT + 1, count).count(TPID[1]) == count
            and FRAMES.column(_NUMBER_AT, count).translate(_LOW_NIBBLES).count(self._vlan >> 8) == count
            and FRAMES.column(_NUMBER_AT + 1, count).count(self._vlan & 0xFF) == count
        )

    def _make_room(self, count: int) -> None:
        """Move the MAC addresses of all frames, and put the tag behind them."""
        for offset in range(TAG_AT):
            FRAMES.put_column(offset - TAG_BYTES, FRAMES.column(offset, count))
        for offset, value in enumerate(self._tag, TAG_AT - TAG_BYTES):
            FRAMES.put_column(offset, bytes((value,)) * count)

    def _send_unlike(self, lengths: list[int]) -> None:
        buffer, view, tag, header = FRAMES.buffer, FRAMES.view, self._tag, len(self._prefix)
        FRAMES.forget_headers()  # here they lie elsewhere
        frames: list[tuple[int, int]] = []
        for start, length in zip(FRAMES.starts, lengths, strict=False):
            number = number_of(view[start : start + length])
            begin = start
            if self._rewrites:
                if number != self._vlan:
                    self.tx_errors += 1
                    continue
            elif number:
                begin = start - TAG_BYTES
                buffer[begin : start + TAG_AT] = buffer[start : start + TAG_AT] + tag
            else:
                buffer[start + _NUMBER_AT] |= self._vlan >> 8
                buffer[start + _NUMBER_AT + 1] = self._vlan & 0xFF
            frames.append((begin, start + length))
        if self._fragments and any(end - begin > (room := self._frame_limit()) for begin, end in frames):
            self._send_parts([view[begin:end] for begin, end in frames], room)
            return
        packets: list[memoryview] = []
        for begin, end in frames:
            buffer[begin - header : begin] = self._next_header()
            packets.append(view[begin - header : end])
        self._sent(len(packets), sum(map(len, packets)), self._outlet.send_mixed(packets))

    # -- from the tunnel -----------------------------------------------------------------------------------------------

    def receive(self, packet: Buffer, view: memoryview, length: int) -> None:
        """See WorkerSession.receive."""
        start = self._check(packet, length)
        if start < 0:
            self._refuse(start, view, length)
        elif self._sequence is not None:
            self._receive_numbered(self._sequence, packet, view[start - SUBLAYER.size : length], start)
        else:
            self._deliver(view[start:length])

    def deliver(self, frame: memoryview, length: int) -> None:
        """See WorkerSession.deliver."""
        self._deliver(frame)

    @property
    def joins_runs(self) -> bool:
        """See WorkerSession.joins_runs: here the tag of each frame is looked at."""
        return False

    def deliver_merged(self, layout: ReceiveLayout, count: int, size: int) -> None:
        """See WorkerSession.deliver_merged."""
        at = self.header_length
        tagged = (
            layout.column(at + TAG_AT, count).count(TPID[0]) == count
            and layout.column(at + TAG_AT + 1, count).count(TPID[1]) == count
        )
        frames = layout.frames[:count]
        numbers = layout.column(at + _NUMBER_AT, count) if tagged else b""
        if not tagged or (not self._rewrites and min(numbers) < 0x10 <= max(numbers)):
            self.deliver_run(frames, size)
        elif not self._rewrites and max(numbers) < 0x10:
            self._write_run(self._gather, layout.split_frames(at + TAG_AT, at + _BEHIND)[:count], frames, size)
        else:
            layout.put_column(at + _NUMBER_AT, numbers.translate(self._upper))
            layout.put_column(at + _NUMBER_AT + 1, self._low * count)
            self._write_run(self._write, frames, frames, size)

    def deliver_run(self, frames: Sequence[memoryview], size: int) -> None:
        """See WorkerSession.deliver_run."""
        taken: list[memoryview] = []
        pieces: list[list[Buffer]] = []
        for frame in frames:
            if number_of(frame) < 0:
                self.rx_invalid += 1
                size -= self.header_length + len(frame)
            else:
                taken.append(frame)
                pieces.append(self._pieces(frame))
        if taken:
            self._write_run(self._gather, pieces, taken, size)

    def _pieces(self, frame: Buffer) -> list[Buffer]:
        """A frame as the netdev has to see it, in parts."""
        upper = frame[_NUMBER_AT]
        if self._rewrites or upper & 0xF0:
            return [frame[:_NUMBER_AT], self._numbers[upper >> 4], frame[_BEHIND:]]
        return [frame[:TAG_AT], frame[_BEHIND:]]

    def _deliver(self, frame: Buffer) -> None:
        if not SHORTEST <= len(frame) <= self._longest:
            self.rx_errors += 1
        elif number_of(frame) < 0:
            self.rx_invalid += 1
        else:
            self._write_run(self._gather, [self._pieces(frame)], [frame], self.header_length + len(frame))
