"""When what is probed counts as dead, with the time as an argument."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.liveness.probe_rules import ProbeRules
from l2tpv3.model.fields import SESSION
from l2tpv3.model.probe import ProbeState

ALIVE, DEAD, STARTING = ProbeState.ALIVE, ProbeState.DEAD, ProbeState.STARTING
DEFAULTS = {one.word: one.default for one in SESSION if one.word.startswith("probe-")}
INTERVAL_S, MULTIPLIER = DEFAULTS["probe-interval-ms"] / 1000, DEFAULTS["probe-multiplier"]


def send(rules: ProbeRules, now: float) -> int:
    number = rules.due(now)
    assert number is not None
    return number


def alive(now: float = 0.0, *, interval_s: float = 1.0, multiplier: int = 3) -> ProbeRules:
    rules = ProbeRules(interval_s, multiplier, now)
    rules.answered(send(rules, now), now + 0.001)
    assert rules.state is ALIVE
    return rules


def test_it_is_dead_when_as_many_in_a_row_are_lost_and_alive_with_one_answer() -> None:
    rules = alive()
    assert rules.report(0.5).round_trip_s == pytest.approx(0.001)
    for at in (1.0, 2.0, 3.0):
        assert rules.due(at - 0.001) is None
        send(rules, at)
        assert rules.state is ALIVE
    last = send(rules, 4.0)
    assert rules.state is DEAD, "the third had its interval, too"
    assert rules.report(5.0).since_s == pytest.approx(1.0)
    assert rules.report(5.0).reason == "3 probes in a row were not answered"
    rules.answered(last, 4.5)
    assert rules.state is ALIVE and rules.report(4.5).reason == ""


def test_an_answer_that_is_late_but_in_flight_counts() -> None:
    rules = alive()
    first = send(rules, 1.0)
    send(rules, 2.0)
    send(rules, 3.0)
    rules.answered(first, 3.9)
    send(rules, 4.0)
    assert rules.state is ALIVE


def test_answers_that_nobody_asked_for_or_that_come_twice_count_for_nothing() -> None:
    rules = ProbeRules(1.0, 3, 0.0)
    for number in range(1 << 16):
        rules.answered(number, 0.0)
    assert rules.state is STARTING
    number = send(rules, 0.0)
    rules.answered(number, 0.1)
    for at in (1.0, 2.0, 3.0, 4.0):
        send(rules, at)
        rules.answered(number, at)
    assert rules.state is DEAD


def test_why_it_is_dead() -> None:
    rules = ProbeRules(1.0, 2, 0.0)
    for at in (0.0, 1.0, 2.0):
        assert rules.report(at).reason == ""
        send(rules, at)
    assert rules.report(2.0).reason == "no probe was ever answered, 2 by now"
    rules = alive(multiplier=2)
    for at in (1.0, 2.0, 3.0):
        send(rules, at)
        rules.failed("pw0: Network is down")
    assert rules.report(3.0).reason == "probes can't be sent: pw0: Network is down"


def test_who_was_suspended_has_lost_nothing() -> None:
    rules = alive()
    number = send(rules, 1.0)
    rules.answered(number, 5000.0)  # it waited in the socket
    send(rules, 5000.0)
    assert rules.state is ALIVE
    send(rules, 9000.0)
    send(rules, 15000.0)
    assert rules.state is ALIVE, "two were lost, in however many hours"
    assert rules.due(15000.5) is None, "what was not sent meanwhile is not made up for"


@pytest.mark.parametrize("lost", [0.2, 0.36])
def test_a_day_of_random_loss_raises_nothing_with_the_defaults(lost: float) -> None:
    """0.36: every fifth packet, either way."""
    for seed in range(3):
        chance = random.Random(seed)
        rules = ProbeRules(INTERVAL_S, MULTIPLIER, 0.0)
        now = 0.0
        while now < 86_400.0:
            number = send(rules, now)
            if chance.random() >= lost:
                rules.answered(number, now + 0.05)
            assert rules.state is not DEAD, (seed, now)
            now = rules.next_at


def test_every_failure_is_found_in_time() -> None:
    """1,000 trials of 3 x 100 ms, each with another phase, and up to 20 ms late at each step."""
    chance, slowest = random.Random(1), 0.0
    for _ in range(1000):
        rules, now = alive(interval_s=0.1), 0.0
        fails_at = 1.0 + chance.random()
        while rules.state is not DEAD:
            now = rules.next_at + chance.random() * 0.02
            number = send(rules, now)
            if now < fails_at:
                rules.answered(number, now + 0.002)
        slowest = max(slowest, now - fails_at)
    assert slowest <= (3 + 1) * (0.1 + 0.02)


@given(
    multiplier=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 1000), st.booleans()), max_size=30),
)
def test_dead_means_that_so_many_were_lost_in_a_row(multiplier: int, steps: list[tuple[int, bool]]) -> None:
    rules, now, lost, ever = ProbeRules(1.0, multiplier, 0.0), 0.0, 0, False
    for late_s, answers in steps:
        now = rules.next_at + late_s
        number = send(rules, now)
        assert (rules.state is DEAD) == (lost >= multiplier)
        assert (rules.state is STARTING) == (lost < multiplier and not ever)
        lost = 0 if answers else lost + 1
        if answers:
            rules.answered(number, now + 0.5)
            ever = True
