"""Frames that do not fit in one packet: cut into parts, and put together again (RFC 4623).

A part goes in a packet of its own, whose B and E bits (l2tpv3.wire.data) say whether it is the first, the last or one
in between. Every packet has a sequence number, whatever is in it, so the parts of one frame have numbers in sequence:
that alone tells which parts belong together. A part after a gap in the numbers is never joined to what came before.

No clock inside: `now` is any monotonic number of seconds, the same clock in each call.
"""

from __future__ import annotations

from typing import Final

from l2tpv3.wire.data import E_BIT, FIRST, INTERMEDIATE, LAST, SEQUENCE_MASK, WHOLE, Buffer

_PARTS: Final = INTERMEDIATE
"""The B and the E bit. A packet that has neither holds a whole frame."""

TIMEOUT_S: Final = 1.0
"""How long a frame's parts are waited for after the first one, by default. A network delivers them together, or never;
in this time a sender that numbers a million packets each second uses a sixteenth of all numbers."""


def part_length(length: int, room: int) -> int:
    """Give the length of the parts of a frame of `length` bytes, none longer than `room` (both at least 1).

    As few parts as will do, all of that length but the last, which may be shorter: such packets the kernel takes in one
    call (UDP_SEGMENT).
    """
    count = -(-length // room)
    return -(-length // count)


def part_bits(offset: int, end: int, length: int) -> int:
    """Give the B and E bits of the packet with bytes `offset` to `end` of a frame of `length` bytes."""
    if offset == 0:
        return WHOLE if end >= length else FIRST
    return LAST if end >= length else INTERMEDIATE


class Reassembler:
    """Puts the frames of one session together. It takes its packets in the order of their numbers; not thread-safe.

    longest: the most bytes of a frame; a longer one is dropped. A Reassembler takes no more memory than that, since it
    puts together one frame at a time. timeout_s: how many seconds it waits for a frame's parts after the first one.

    Counters, which only grow: `fragments` are the parts taken; `reassembled` the frames put together; `incomplete`
    the frames of which a part was missing (where several in a row were lost, at least one is counted); `too_long` the
    frames longer than `longest`; `dropped` the parts of frames that were incomplete or too long.
    """

    __slots__ = (
        "_began",
        "_expected",
        "_frame",
        "_parts",
        "_skipping",
        "dropped",
        "fragments",
        "incomplete",
        "longest",
        "reassembled",
        "timeout_s",
        "too_long",
    )

    def __init__(self, longest: int, timeout_s: float = TIMEOUT_S) -> None:
        self.longest = longest
        self.timeout_s = timeout_s
        self.fragments = self.reassembled = self.incomplete = self.too_long = self.dropped = 0
        self._frame: bytearray | None = None
        self._parts = 0
        self._expected = 0
        self._began = 0.0
        self._skipping = False  # until a frame ends that is counted as incomplete or too long already

    @property
    def parts(self) -> int:
        """The number of packets of the frame that `take` gave last."""
        return self._parts

    def take(self, word: int, piece: Buffer, now: float) -> Buffer | None:
        """Take a packet, and give the frame that it completes; None if it completes none.

        word: its L2-specific sublayer as a number, whose S bit is set. piece: the bytes behind the sublayer. The frame
        is `piece` itself if that is a whole frame, else it is in new memory.
        """
        bits = word & _PARTS
        if bits == WHOLE:
            self._give_up()
            self._skipping = False
            self._parts = 1
            return piece
        self.fragments += 1
        if bits == FIRST:
            self._begin(word, piece, now)
            return None
        return self._go_on(word, piece, now, ends=not bits & E_BIT)

    def take_pairs(self, count: int) -> bool:
        """Count `count` frames, each of two parts with numbers in sequence, which the caller has put together.

        Gives False, and counts nothing, while another frame is being put together: `take` each part then.
        """
        if self._frame is not None:
            return False
        self._skipping = False
        self.fragments += 2 * count
        self.reassembled += count
        return True

    def _begin(self, word: int, piece: Buffer, now: float) -> None:
        """Take the first part of a frame."""
        self._give_up()
        self._skipping = False
        if len(piece) > self.longest:
            self._refuse_long()
            return
        self._frame, self._parts = bytearray(piece), 1
        self._expected, self._began = word + 1 & SEQUENCE_MASK, now

    def _go_on(self, word: int, piece: Buffer, now: float, *, ends: bool) -> Buffer | None:
        """Take a part behind the first. ends: it is the last; then the frame is given, if no part is missing."""
        frame = self._frame
        if frame is not None and (word & SEQUENCE_MASK != self._expected or now > self._began + self.timeout_s):
            self._give_up()
            frame = None
        if frame is None:
            self.dropped += 1
            if not self._skipping:
                self.incomplete += 1
            self._skipping = not ends
            return None
        if len(frame) + len(piece) > self.longest:
            self._refuse_long()
            self._skipping = not ends
            return None
        frame += piece
        self._parts += 1
        self._expected = self._expected + 1 & SEQUENCE_MASK
        if not ends:
            return None
        self._frame = None
        self.reassembled += 1
        return frame

    def _refuse_long(self) -> None:
        """Drop the frame that is being put together, with the part that makes it too long, and pass over the others."""
        self.too_long += 1
        self.dropped += 1 + (self._parts if self._frame is not None else 0)
        self._frame, self._skipping = None, True

    def _give_up(self) -> None:
        """Drop the frame that is being put together, if any: the rest of it is lost."""
        if self._frame is not None:
            self.dropped += self._parts
            self.incomplete += 1
            self._frame, self._skipping = None, True

    def deadline(self) -> float | None:
        """Give the time from which `expire` has something to do, or None while no frame is being put together."""
        return self._began + self.timeout_s if self._frame is not None else None

    def expire(self, now: float) -> None:
        """Drop the frame that is being put together when its time is over."""
        if self._frame is not None and now >= self._began + self.timeout_s:
            self._give_up()
