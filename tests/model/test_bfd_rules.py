"""BFD's state machine, with the time as an argument: two ends and a link that loses and delays packets."""

from __future__ import annotations

import heapq
import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.model.bfd_rules import BfdRules
from l2tpv3.model.probe import ProbeState
from l2tpv3.wire.bfd import BfdPacket, BfdState, Diagnostic, read_bfd
from tests.properties import SOME

ALIVE, DEAD, STARTING = ProbeState.ALIVE, ProbeState.DEAD, ProbeState.STARTING
DELAY_S = 0.01


class Link:
    """Two ends, and the packets between them. loss: the part of them that is lost. cut: the ends that are not heard."""

    def __init__(self, *ends: tuple[float, int], seed: int = 0, loss: float = 0.0) -> None:
        self.chance, self.loss, self.now = random.Random(seed), loss, 0.0
        self.cut: set[int] = set()
        self.sent: list[tuple[float, int, BfdPacket]] = []
        self.ends = [self.end(number, *timing) for number, timing in enumerate(ends)]
        self._wire: list[tuple[float, int, int, BfdPacket]] = []

    def end(self, number: int, interval_s: float, multiplier: int) -> BfdRules:
        return BfdRules(
            interval_s, multiplier, self.now, discriminator=self.chance.randrange(1, 1 << 32), chance=self.chance.random
        )

    def run(self, until: float) -> None:
        """Let the time go on until then."""
        while True:
            arrival = self._wire[0][0] if self._wire else until
            self.now = max(self.now, min(until, arrival, *(one.next_at for one in self.ends)))
            if self.now >= until:
                return
            while self._wire and self._wire[0][0] <= self.now:
                _, _, sender, packet = heapq.heappop(self._wire)
                self.ends[1 - sender].received(packet, self.now)
            for number, one in enumerate(self.ends):
                due = one.due(self.now)
                if due is not None:
                    self.send(number, due)

    def send(self, number: int, packet: BfdPacket) -> None:
        assert read_bfd(packet.encode()) == packet, "the other end would discard it"
        self.sent.append((self.now, number, packet))
        if number not in self.cut and self.chance.random() >= self.loss:
            heapq.heappush(self._wire, (self.now + DELAY_S, len(self.sent), number, packet))

    @property
    def states(self) -> list[ProbeState]:
        return [one.state for one in self.ends]


def up(*ends: tuple[float, int], seed: int = 0) -> Link:
    link = Link(*(ends or ((0.1, 3), (0.1, 3))), seed=seed)
    link.run(5.0)
    assert link.states == [ALIVE, ALIVE]
    return link


def test_both_ends_come_up_and_then_send_as_often_as_both_can_take() -> None:
    link = up((0.1, 3), (0.3, 3))
    assert all(one.bfd_state is BfdState.UP for one in link.ends)
    times = [at for at, number, packet in link.sent if number == 0 and at > 4.0 and not packet.final]
    gaps = [late - early for early, late in pairwise(times)]
    assert min(gaps) >= 0.75 * 0.3 and max(gaps) <= 0.3 + DELAY_S, "the slower of the two, somewhat early at random"
    slow = [at for at, number, packet in link.sent if packet.state is BfdState.DOWN and number == 0]
    assert len(slow) <= 2, "once a second at most while it is not up"


def test_a_cut_link_is_dead_at_both_ends_within_the_detection_time() -> None:
    """1,000 trials of 3 x 100 ms, each with another phase."""
    link = up()
    for trial in range(1000):
        link.run(link.now + 0.5 + link.chance.random())
        assert link.states == [ALIVE, ALIVE], trial
        link.cut, cut_at = {0, 1}, link.now
        link.run(cut_at + 0.3 + 2 * DELAY_S)
        assert link.states == [DEAD, DEAD], trial
        assert all(cut_at < one.since <= cut_at + 0.3 + DELAY_S + 1e-6 for one in link.ends)
        link.cut = set()
        link.sent.clear()
        link.run(link.now + 2.5)
    assert link.ends[0].report(link.now).reason == ""


def test_a_link_that_passes_one_way_is_dead_at_both_ends() -> None:
    link = up()
    link.cut = {0}
    link.run(link.now + 0.4)
    assert link.states == [DEAD, DEAD]
    assert link.ends[1].report(link.now).reason == "no BFD packet came for 0.3 s"
    assert link.ends[0].report(link.now).reason == "the other end says that it hears nothing of this one"
    link.cut = set()
    link.run(link.now + 4.0)
    assert link.states == [ALIVE, ALIVE]


def test_who_was_suspended_does_not_take_that_for_silence() -> None:
    link = up()
    one, far = link.ends
    packet = replace(far.last(), state=BfdState.UP, diagnostic=0)
    one.received(packet, 5000.0)  # it waited in the socket
    one.due(5000.0)
    assert one.state is ALIVE


def test_an_end_that_nobody_watches_any_more_is_not_dead() -> None:
    link = up()
    link.ends[0].received(link.ends[1].last(), link.now)
    link.cut = {1}
    link.ends[1] = link.end(1, 0.1, 3)
    link.run(link.now + 3600.0)
    assert link.states[0] is STARTING
    link.cut = set()
    link.run(link.now + 5.0)
    assert link.states == [ALIVE, ALIVE], "with another discriminator"


def test_an_end_that_begins_anew_without_a_word_comes_up_again() -> None:
    link = up()
    link.ends[1] = link.end(1, 0.1, 3)
    link.run(link.now + 5.0)
    assert link.states == [ALIVE, ALIVE]


def test_nobody_there_is_dead_from_the_start_and_says_so() -> None:
    link = Link((0.1, 3), (0.1, 3))
    link.cut = {1}
    link.run(2.9)
    assert link.states[0] is STARTING
    link.run(3.1)
    assert link.ends[0].report(3.1).reason == "BFD has not come up: no packet came"
    link.ends[0].failed("pw0: Network is down")


def test_a_poll_is_answered_at_once_and_once() -> None:
    link = up()
    one, far = link.ends
    link.sent.clear()
    one.received(replace(far.last(), state=BfdState.UP, diagnostic=0, poll=True), link.now)
    assert one.next_at <= link.now
    answer = one.due(link.now)
    assert answer is not None and answer.final and not answer.poll
    later = one.due(link.now)
    assert later is None or not later.final


def test_polls_end_when_they_are_answered() -> None:
    link = up()
    assert any(packet.poll for _, _, packet in link.sent)
    assert not any(packet.poll for at, _, packet in link.sent if at > 4.0)


def test_a_packet_for_another_session_changes_nothing() -> None:
    link = up()
    one, far = link.ends
    wrong = replace(far.last(), state=BfdState.DOWN, diagnostic=0, yours=(far.last().yours % 0xFFFF_FFFE) + 1)
    before = one.report(0.0), one.next_at, one.bfd_state
    one.received(wrong, link.now)
    assert (one.report(0.0), one.next_at, one.bfd_state) == before


@pytest.mark.parametrize("quiet", [{"required_min_rx_us": 0}, {"demand": True}])
def test_an_end_that_wants_no_packets_gets_none(quiet: dict[str, int]) -> None:
    link = up()
    one, far = link.ends
    packet = replace(far.last(), state=BfdState.UP, diagnostic=0, **quiet)  # type: ignore[arg-type]
    now, sent = link.now, 0
    for _ in range(100):
        now += 0.1
        one.received(packet, now)
        sent += one.due(now) is not None
    assert sent <= 1 and one.state is ALIVE


def test_a_day_of_random_loss_raises_nothing_with_the_defaults() -> None:
    link = Link((2.0, 15), (2.0, 15), loss=0.2)
    link.run(120.0)
    assert link.states == [ALIVE, ALIVE]
    since = [one.since for one in link.ends]
    link.run(86_400.0)
    assert [one.since for one in link.ends] == since


PACKETS = st.builds(
    BfdPacket,
    state=st.sampled_from(BfdState),
    diagnostic=st.sampled_from(Diagnostic),
    poll=st.booleans(),
    final=st.booleans(),
    demand=st.booleans(),
    multiplier=st.integers(1, 255),
    mine=st.integers(1, 2**32 - 1),
    yours=st.sampled_from([0, 1, 2]),
    desired_min_tx_us=st.integers(0, 2**32 - 1),
    required_min_rx_us=st.integers(0, 2**32 - 1),
)


@SOME
@given(st.lists(st.tuples(st.integers(0, 5000), st.none() | PACKETS), max_size=60))
def test_whatever_comes_it_sends_what_is_good_and_never_too_often(steps: list[tuple[int, BfdPacket | None]]) -> None:
    rules, now = BfdRules(0.1, 3, 0.0, discriminator=1, chance=lambda: 1.0), 0.0
    for wait_ms, packet in steps:
        now += wait_ms / 1000
        if packet is not None and read_bfd(packet.encode()) == packet:
            rules.received(packet, now)
        sent = [one for _ in range(10) if (one := rules.due(now)) is not None]
        assert len(sent) <= 2, "an answer to a poll, and what was due"
        assert all(read_bfd(one.encode()) == one for one in sent)
        assert rules.next_at > now or (rules.next_at == now and not sent)
        assert (rules.state is ALIVE) == (rules.bfd_state is BfdState.UP)
