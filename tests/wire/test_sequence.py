"""Sequence numbers: what the kernel does, what we do better, and properties over any order of arrival. No sleeping."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.wire.data import SEQUENCE_SPACE
from l2tpv3.wire.errors import EncodeError
from l2tpv3.wire.sequence import RESYNC_AFTER, ReceiveSequence, following
from tests.properties import MANY
from tests.wire.golden_cases import GOLDEN


def frame(ns: int) -> bytes:
    return b"frame %d" % ns


def take(seq: ReceiveSequence, ns: int, now: float = 0.0) -> list[int]:
    """Receive as a datapath does: the short way first. Gives the numbers of what was delivered."""
    if seq.in_order(ns):
        return [ns]
    return [int(bytes(f).split()[1]) for f in seq.accept(ns, frame(ns), now)]


def take_all(seq: ReceiveSequence, numbers: list[int], now: float = 0.0) -> list[int]:
    return [delivered for ns in numbers for delivered in take(seq, ns, now)]


def flushed(seq: ReceiveSequence, now: float) -> list[int]:
    return [int(bytes(f).split()[1]) for f in seq.flush(now)]


KERNEL = json.loads((GOLDEN / "sequence" / "kernel.json").read_text())["cases"]


@pytest.mark.parametrize("case", KERNEL, ids=lambda case: case["name"])
def test_the_kernel_delivers_the_same(case: dict[str, Any]) -> None:
    """What l2tp_core did with the same arrivals: the frames in their order, those not delivered, those out of order."""
    seq = ReceiveSequence(case["reorder_timeout_ms"] / 1000)
    delivered = take_all(seq, case["arrivals"])
    assert len(case["delivered"]) == case["rx_packets"]
    if case["name"] == "restart":
        # The one intended difference: the kernel goes on discarding, see the module's docstring.
        assert case["delivered"] == list(range(100, 110))
        assert delivered == [*range(100, 110), *range(RESYNC_AFTER, 40)]
        return
    assert delivered == case["delivered"]
    assert seq.seq_discards == case["rx_errors"] >= case["rx_seq_discards"]
    assert seq.oos_packets == case["rx_oos_packets"]
    assert seq.held == len(case["arrivals"]) - case["rx_packets"] - case["rx_errors"]


def test_in_order_takes_the_short_way() -> None:
    seq = ReceiveSequence(expected=0)
    assert all(seq.in_order(ns) for ns in range(1000))
    assert (seq.seq_discards, seq.oos_packets, seq.held, seq.expected) == (0, 0, 0, 1000)


def test_the_first_packet_sets_the_number_like_the_kernels_reorder_skip() -> None:
    seq = ReceiveSequence()
    assert seq.expected is None
    assert not seq.in_order(-1)  # what read_sequence says when there is no number
    assert take_all(seq, [0x900000, 0x900001]) == [0x900000, 0x900001]


def test_wrap() -> None:
    seq = ReceiveSequence(1.0, expected=SEQUENCE_SPACE - 2)
    top = SEQUENCE_SPACE - 1
    assert take_all(seq, [top, 0, top - 1, 2, 1]) == [top - 1, top, 0, 1, 2]
    assert following(top) == 0
    assert following(0) == 1


class TestNoReordering:
    """reorder_timeout_s = 0."""

    def test_old_and_duplicate_are_discarded(self) -> None:
        seq = ReceiveSequence(expected=5)
        assert take_all(seq, [5, 6, 5, 4, 7, 7]) == [5, 6, 7]
        assert (seq.seq_discards, seq.oos_packets) == (3, 0)

    def test_a_gap_discards_until_five_in_sequence_like_the_kernel(self) -> None:
        """nr_oos_count must exceed nr_oos_count_max = 4: five are lost, the sixth resynchronises."""
        seq = ReceiveSequence(expected=0)
        assert take_all(seq, [0, *range(10, 18)]) == [0, 15, 16, 17]
        assert seq.seq_discards == 5 == RESYNC_AFTER

    def test_only_packets_in_sequence_among_themselves_resynchronise(self) -> None:
        seq = ReceiveSequence(expected=0)
        assert take_all(seq, [10, 12, 14, 16, 18, 20, 22, 24, 26]) == []
        assert seq.seq_discards == 9
        assert take(seq, 0) == [0]

    def test_late_packets_between_good_ones_never_resynchronise(self) -> None:
        seq = ReceiveSequence(expected=100)
        delivered = take_all(seq, [ns for n in range(20) for ns in (100 + n, 50 + n)])
        assert delivered == list(range(100, 120))
        assert seq.seq_discards == 20

    def test_accept_gaps_is_appendix_c(self) -> None:
        seq = ReceiveSequence(expected=0, accept_gaps=True)
        assert take_all(seq, [0, 2, 1, 3, 10, 11]) == [0, 2, 3, 10, 11]
        assert (seq.seq_discards, seq.held) == (1, 0)

    def test_nothing_is_ever_held(self) -> None:
        seq = ReceiveSequence()
        take_all(seq, [3, 1, 9, 7])
        assert seq.deadline() is None
        assert seq.flush(1e9) == []


@pytest.mark.parametrize("timeout", [0.0, 0.1])
@pytest.mark.parametrize("accept_gaps", [False, True])
def test_a_peer_that_restarts_is_followed(timeout: float, accept_gaps: bool) -> None:  # noqa: FBT001
    """The kernel discards up to 2^23 packets then; RFC 3931 appendix C says one MUST resynchronise."""
    seq = ReceiveSequence(timeout, expected=5000, accept_gaps=accept_gaps)
    assert take_all(seq, list(range(20))) == list(range(RESYNC_AFTER, 20))
    assert seq.seq_discards == RESYNC_AFTER


def test_outside_the_half_window_is_old() -> None:
    seq = ReceiveSequence(1.0, expected=0)
    assert take(seq, 1 << 23) == []
    assert (seq.held, seq.seq_discards) == (0, 1)
    assert take(seq, (1 << 23) - 1) == []
    assert (seq.held, seq.seq_discards) == (1, 1)


class TestReordering:
    """reorder_timeout_s > 0."""

    def test_held_until_the_gap_fills(self) -> None:
        seq = ReceiveSequence(0.1, expected=0)
        assert take_all(seq, [0, 2, 3, 5]) == [0]
        assert (seq.held, seq.deadline()) == (3, 0.1)
        assert take(seq, 1) == [1, 2, 3]
        assert take(seq, 4) == [4, 5]
        assert (seq.held, seq.deadline(), seq.seq_discards, seq.oos_packets) == (0, None, 0, 2)

    def test_out_of_order_is_counted_as_the_kernel_counts(self) -> None:
        """l2tp_recv_queue_skb counts a packet that is put before another one, not the one that came early."""
        seq = ReceiveSequence(0.1, expected=0)
        take_all(seq, [3, 2, 1, 0])
        assert seq.oos_packets == 3

    def test_duplicate_of_a_held_one(self) -> None:
        seq = ReceiveSequence(0.1, expected=0)
        assert take_all(seq, [1, 1, 1, 0, 1]) == [0, 1]
        assert seq.seq_discards == 3

    def test_after_the_timeout_held_frames_are_delivered_not_thrown_away(self) -> None:
        seq = ReceiveSequence(0.1, expected=0)
        assert take_all(seq, [2, 3, 7], now=10.0) == []
        assert flushed(seq, 10.09) == []
        assert flushed(seq, 10.1) == [2, 3, 7]
        assert (seq.expected, seq.seq_discards) == (8, 0)
        assert take(seq, 1, now=10.2) == []
        assert seq.seq_discards == 1

    def test_no_frame_waits_longer_than_the_timeout(self) -> None:
        """9 came first and expires first; 5 has to go before it although its own time is not over, 12 stays."""
        seq = ReceiveSequence(0.1, expected=0)
        for ns, now in ((9, 0.0), (5, 0.05), (10, 0.06), (12, 0.07)):
            assert take(seq, ns, now) == []
        assert seq.deadline() == 0.1
        assert flushed(seq, 0.1) == [5, 9, 10]
        assert seq.deadline() == pytest.approx(0.17)
        assert flushed(seq, 0.17) == [12]

    def test_an_arrival_flushes_too(self) -> None:
        seq = ReceiveSequence(0.1, expected=0)
        assert take(seq, 2, now=0.0) == []
        assert take(seq, 3, now=0.2) == [2, 3]

    def test_what_fills_the_gap_late_but_before_the_flush_is_delivered(self) -> None:
        seq = ReceiveSequence(0.1, expected=0)
        assert take(seq, 1, now=0.0) == []
        assert take(seq, 0, now=5.0) == [0, 1]
        assert seq.seq_discards == 0

    def test_a_held_frame_is_a_copy(self) -> None:
        seq = ReceiveSequence(0.1, expected=0)
        buffer = bytearray(b"first")
        assert seq.accept(1, memoryview(buffer), 0.0) == []
        buffer[:] = b"other"
        assert seq.accept(0, memoryview(buffer), 0.0) == [b"other", b"first"]

    def test_a_restarted_peer_does_not_lose_what_was_held(self) -> None:
        seq = ReceiveSequence(10.0, expected=5000)
        assert take_all(seq, [5001, 5003]) == []
        assert take_all(seq, list(range(8))) == [5001, 5003, 5, 6, 7]
        assert (seq.held, seq.expected) == (0, 8)

    def test_memory_is_bounded(self) -> None:
        seq = ReceiveSequence(1e9, expected=0, max_held=64)
        delivered = []
        for ns in range(1, 200_000, 2):  # every second packet is lost and none ever expires
            delivered += take(seq, ns)
            assert seq.held <= 64
        assert delivered == list(range(1, 200_000, 2))[: len(delivered)]
        assert len(delivered) >= 99_000


@pytest.mark.parametrize("arguments", [{"reorder_timeout_s": -1}, {"max_held": 0}])
def test_the_callers_fault(arguments: dict[str, int]) -> None:
    with pytest.raises(EncodeError):
        ReceiveSequence(**arguments)  # type: ignore[arg-type]


starts = st.integers(0, SEQUENCE_SPACE - 1) | st.integers(SEQUENCE_SPACE - 40, SEQUENCE_SPACE - 1)


@MANY
@given(start=starts, order=st.permutations(range(40)))
def test_any_order_comes_out_in_order_none_lost_none_twice(start: int, order: list[int]) -> None:
    seq = ReceiveSequence(1e6, expected=start)
    delivered = take_all(seq, [(start + n) % SEQUENCE_SPACE for n in order])
    assert delivered == [(start + n) % SEQUENCE_SPACE for n in range(40)]
    assert (seq.seq_discards, seq.held) == (0, 0)


@MANY
@given(start=starts, order=st.lists(st.integers(0, 39), max_size=120))
def test_with_loss_and_duplicates_each_comes_once_and_in_order(start: int, order: list[int]) -> None:
    seq = ReceiveSequence(1e6, expected=start)
    delivered = take_all(seq, [(start + n) % SEQUENCE_SPACE for n in order]) + flushed(seq, 2e6)
    # More than RESYNC_AFTER old ones in sequence are, rightly, taken for a peer that restarted.
    if seq.seq_discards == len(order) - len(set(order)):
        assert delivered == [(start + n) % SEQUENCE_SPACE for n in sorted(set(order))]
    assert len(delivered) + seq.seq_discards == len(order)
    assert seq.held == 0


@MANY
@given(
    packets=st.lists(st.tuples(st.integers(0, SEQUENCE_SPACE - 1) | st.integers(0, 30), st.floats(0, 1)), max_size=60),
    timeout=st.sampled_from([0.0, 0.01, 0.5]),
    max_held=st.integers(1, 8),
)
def test_every_packet_is_delivered_once_or_counted(
    packets: list[tuple[int, float]], timeout: float, max_held: int
) -> None:
    seq, now, delivered = ReceiveSequence(timeout, max_held=max_held), 0.0, 0
    for ns, wait in packets:
        now += wait
        delivered += len(take(seq, ns, now))
        assert seq.held <= max_held
        deadline = seq.deadline()
        assert deadline is None or now < deadline <= now + timeout
    delivered += len(flushed(seq, now + timeout))
    assert seq.held == 0
    assert delivered + seq.seq_discards == len(packets)


def test_200_000_packets_with_loss_and_reordering_stay_in_order() -> None:
    """Seeded; 1% lost, 5% late by up to 20 places, a timeout of 50 packet times."""
    generator = random.Random(3931)
    arrivals = []
    for n in range(200_000):
        draw = generator.random()
        if draw > 0.01:
            arrivals.append((n + (generator.random() * 20 if draw < 0.06 else 0), n))
    arrivals.sort()
    seq, delivered = ReceiveSequence(50.0, expected=0), []
    for when, n in arrivals:
        delivered += take(seq, n, when)
    delivered += flushed(seq, 1e9)
    assert delivered == sorted(n for _, n in arrivals)
    assert seq.seq_discards == 0
