"""Puts received data in the order of its sequence numbers: holds, gives up, discards (RFC 3931 s. 4.6.1, appendix C).

No clock inside: `now` is any monotonic number of seconds, the same clock in each call. Modelled on l2tp_recv_data_seq
and l2tp_recv_dequeue in net/l2tp/l2tp_core.c, with these differences, all on purpose:

- The kernel throws away what it held when the timeout passes, and only looks when another packet comes. Here held
  frames are delivered (what is missing is lost anyway) and `deadline` says when, so that an event loop can do it.
- The kernel discards "old" numbers for good: after the peer restarts from 0, up to 2^23 packets. Here a run of old
  packets that are in sequence among themselves resynchronises, as appendix C demands.
- The kernel counts no discard for an old number (only an error); here `seq_discards` has them all, duplicates too.
- The kernel's queue has no limit.

A receive loop, cheap in the usual case and copying nothing then:

    if seq.in_order(ns): deliver(frame)
    else: for each in seq.accept(ns, frame, now): deliver(each)
    ...
    when seq.deadline() passes: for each in seq.flush(now): deliver(each)
"""

from __future__ import annotations

from typing import Final

from l2tpv3.wire.data import SEQUENCE_MASK, SEQUENCE_SPACE, Buffer
from l2tpv3.wire.errors import EncodeError

WINDOW: Final = SEQUENCE_SPACE // 2
"""Numbers up to this far ahead of the expected one are new, the others old (RFC 3931 appendix C)."""

RESYNC_AFTER: Final = 5
"""Discarded packets in sequence among themselves after which the next is taken: nr_oos_count_max = 4 in the kernel."""

_NOTHING_YET: Final = -2  # not -1, which is what read_sequence gives for "unsequenced"

MAX_HELD: Final = 1024
"""Frames held at most, by default: 1.5 MB of full-size ethernet frames per session."""


def following(ns: int) -> int:
    """Give the sequence number after `ns`, which is all that a sender needs."""
    return ns + 1 & SEQUENCE_MASK


class ReceiveSequence:
    """The receiving end of one session's sequence numbers. Not thread-safe.

    reorder_timeout_s: 0 holds nothing and discards what is out of order; else how long a frame waits at most for those
        before it. expected: the first number (RFC 3931: 0), or None to go by the first packet, as the kernel does:
        for a receiver that may start later than its peer.
    max_held: frames held at most; one more and all of them are delivered in order, as if the timeout had passed.
    accept_gaps: with reorder_timeout_s 0, take a packet that is ahead, giving up those before it (appendix C), instead
        of discarding until RESYNC_AFTER (the kernel: each lost packet costs five more).

    `seq_discards` counts frames thrown away for their number; `oos_packets` those that came after one with a higher
    number and were still delivered in their place. Both only grow.
    """

    __slots__ = (
        "_ahead",
        "_expected",
        "_furthest",
        "_held",
        "_old",
        "_old_before",
        "accept_gaps",
        "max_held",
        "oos_packets",
        "reorder_timeout_s",
        "seq_discards",
    )

    def __init__(
        self,
        reorder_timeout_s: float = 0.0,
        *,
        expected: int | None = None,
        max_held: int = MAX_HELD,
        accept_gaps: bool = False,
    ) -> None:
        if reorder_timeout_s < 0:
            raise EncodeError(f"reorder timeout {reorder_timeout_s} s: must not be negative")
        if max_held < 1:
            raise EncodeError(f"max_held {max_held}: at least one frame must fit")
        self.reorder_timeout_s = reorder_timeout_s
        self.max_held = max_held
        self.accept_gaps = accept_gaps
        self.seq_discards = 0
        self.oos_packets = 0
        self._expected = _NOTHING_YET if expected is None else expected & SEQUENCE_MASK
        # By number; a dict keeps the order of arrival, so that its first entry is the one that expires first.
        self._held: dict[int, tuple[float, bytes]] = {}
        self._furthest = 0
        self._ahead, self._old = _Run(), _Run()
        self._old_before = _NOTHING_YET

    @property
    def expected(self) -> int | None:
        """The number that is in order next, or None before the first packet."""
        return None if self._expected < 0 else self._expected

    @property
    def held(self) -> int:
        """How many frames are being held."""
        return len(self._held)

    def in_order(self, ns: int) -> bool:
        """Say whether the packet numbered `ns` can be delivered with nothing else to do, and count it as received.

        When this says False it changed nothing: pass the packet to `accept`.
        """
        if ns == self._expected and not self._held:
            self._expected = ns + 1 & SEQUENCE_MASK
            return True
        return False

    def in_order_run(self, ns: int, count: int) -> bool:
        """Say whether `count` packets numbered from `ns` on are what in_order says of each, and count them as received.

        When this says False it changed nothing.
        """
        if ns == self._expected and not self._held:
            self._expected = ns + count & SEQUENCE_MASK
            return True
        return False

    def accept(self, ns: int, frame: Buffer, now: float) -> list[Buffer]:
        """Take the packet numbered `ns` (0 to 2^24 - 1); give the frames to deliver now, in order: none, one or many.

        A frame that is held is copied, so that `frame` may be a view into a buffer that is used again.
        """
        released: list[Buffer] = []
        self._place(ns, frame, now, released)
        if self._held:  # only now: what fills a gap is welcome as long as the gap was not given up
            released += self.flush(now)
        return released

    def _place(self, ns: int, frame: Buffer, now: float, released: list[Buffer]) -> None:
        if self._expected < 0:
            self._expected = ns  # the kernel's reorder_skip: go by the first packet's number
        ahead = ns - self._expected & SEQUENCE_MASK
        if ahead == 0:
            if self._held:
                self.oos_packets += 1
            released.append(frame)
            self._expected = ns + 1 & SEQUENCE_MASK
            self._drain(released)
        elif ahead >= WINDOW:
            self._discard_old(ns, frame, released)
        elif self.reorder_timeout_s == 0 and not self.accept_gaps:
            self._discard_ahead(ns, frame, released)
        elif self.reorder_timeout_s == 0:
            self._expected = ns + 1 & SEQUENCE_MASK
            released.append(frame)
        elif ns in self._held:
            self.seq_discards += 1
        else:
            self._hold(ns, ahead, frame, now)
            if len(self._held) > self.max_held:
                self._release_through(self._furthest, released)

    def deadline(self) -> float | None:
        """Give the time at which `flush` has something to do, or None while nothing is held."""
        for arrived, _ in self._held.values():
            return arrived + self.reorder_timeout_s
        return None

    def flush(self, now: float) -> list[Buffer]:
        """Give the frames whose wait is over, with those that belong before and directly after them, in order."""
        released: list[Buffer] = []
        expired, furthest = -1, -1
        for ns, (arrived, _) in self._held.items():
            if arrived + self.reorder_timeout_s > now:
                break
            ahead = ns - self._expected & SEQUENCE_MASK
            if ahead > furthest:
                expired, furthest = ns, ahead
        if expired >= 0:
            self._release_through(expired, released)
        return released

    def _hold(self, ns: int, ahead: int, frame: Buffer, now: float) -> None:
        if not self._held or ahead > (self._furthest - self._expected & SEQUENCE_MASK):
            self._furthest = ns
        else:
            self.oos_packets += 1
        self._held[ns] = (now, bytes(frame))

    def _drain(self, released: list[Buffer]) -> None:
        """Deliver what is held from the expected number on, up to the next gap."""
        while self._held and (entry := self._held.pop(self._expected, None)):
            released.append(entry[1])
            self._expected = self._expected + 1 & SEQUENCE_MASK

    def _release_through(self, last: int, released: list[Buffer]) -> None:
        """Deliver what is held up to number `last`, giving up what is missing before it; then go on without a gap."""
        start = self._expected
        limit = last - start & SEQUENCE_MASK
        for ns in sorted(self._held, key=lambda number: number - start & SEQUENCE_MASK):
            if ns - start & SEQUENCE_MASK > limit:
                break
            released.append(self._held.pop(ns)[1])
        self._expected = last + 1 & SEQUENCE_MASK
        self._drain(released)

    def _is_resync(self, run: _Run, ns: int) -> bool:
        """Count a discard, unless `ns` shows that enough came in sequence among themselves: then say so."""
        if run.extend(ns) < RESYNC_AFTER:
            self.seq_discards += 1
            return False
        return True

    def _discard_old(self, ns: int, frame: Buffer, released: list[Buffer]) -> None:
        if self._old_before != self._expected:  # something was accepted since: late packets, not a restarted peer
            self._old_before = self._expected
            self._old.restart()
        if self._is_resync(self._old, ns):
            if self._held:
                self._release_through(self._furthest, released)
            released.append(frame)
            self._expected = ns + 1 & SEQUENCE_MASK

    def _discard_ahead(self, ns: int, frame: Buffer, released: list[Buffer]) -> None:
        # The kernel does not begin a new count when something was accepted in between; neither does this.
        if self._is_resync(self._ahead, ns):
            released.append(frame)
            self._expected = ns + 1 & SEQUENCE_MASK


class _Run:
    """How many discarded packets in a row had numbers in sequence (nr_oos and nr_oos_count in the kernel)."""

    __slots__ = ("count", "last")

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.count, self.last = 0, -1

    def extend(self, ns: int) -> int:
        """Take the next discarded number; give how many before it were in sequence with it."""
        in_sequence = self.last >= 0 and ns == following(self.last)
        self.count = self.count + 1 if in_sequence else 0
        self.last = ns
        return self.count
