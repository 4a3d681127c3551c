"""What is done at which end, and in which order, when anything fails at any point."""

from __future__ import annotations

import pytest

from l2tpv3.connect.coordinator import Action, Coordinator, Outcome, Verb

A0, A1 = Action(verb=Verb.APPLY, end=0), Action(verb=Verb.APPLY, end=1)
T = Action(verb=Verb.TEST)
C0, C1 = Action(verb=Verb.CONFIRM, end=0), Action(verb=Verb.CONFIRM, end=1)
R0, R1 = Action(verb=Verb.ROLL_BACK, end=0), Action(verb=Verb.ROLL_BACK, end=1)

FAILS, CUT = "fails", "is cut off"

ALL_WELL = [A1, A0, T, C1, C0]
CASES = {
    "all is well": ({}, ALL_WELL, Outcome.NEW, set()),
    "the far end refuses": ({A1: FAILS}, [A1], Outcome.OLD, set()),
    "the far end is cut off as it applies": ({A1: CUT}, [A1, R1], Outcome.OLD, set()),
    "it stays cut off": ({A1: CUT, R1: CUT}, [A1, R1], Outcome.OLD, {1}),
    "this end refuses": ({A0: FAILS}, [A1, A0, R1], Outcome.OLD, set()),
    "the test fails": ({T: FAILS}, [A1, A0, T, R0, R1], Outcome.OLD, set()),
    "the test fails, and the far end is cut off": ({T: FAILS, R1: CUT}, [A1, A0, T, R0, R1], Outcome.OLD, {1}),
    "the far end went back before": ({C1: FAILS}, [A1, A0, T, C1, R0, R1], Outcome.OLD, set()),
    "the far end is cut off as it confirms": ({C1: CUT}, [A1, A0, T, C1, R0], Outcome.OLD, {1}),
    "this end can't confirm": ({C0: FAILS}, ALL_WELL, Outcome.MIXED, set()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_done(case: str) -> None:
    fates, expected, outcome, uncertain = CASES[case]
    coordinator = Coordinator(2, deadline_s=10)
    done = []
    while (action := coordinator.next(0)) is not None:
        done.append(action)
        if action in fates:
            coordinator.failed(action, cut_off=fates[action] == CUT)
        else:
            coordinator.succeeded(action)
    assert (done, coordinator.outcome, coordinator.uncertain) == (expected, outcome, uncertain)


def test_nothing_is_confirmed_once_an_end_may_have_gone_back() -> None:
    coordinator = Coordinator(2, deadline_s=10)
    for action in (A1, A0, T):
        assert coordinator.next(0) == action
        coordinator.succeeded(action)
    assert coordinator.next(10) == R0


def test_all_ends_are_confirmed_once_one_is() -> None:
    coordinator = Coordinator(3, deadline_s=10)
    ends: list[int | None] = []
    while (action := coordinator.next(0 if not ends else 99)) is not None:
        coordinator.succeeded(action)
        ends += [action.end] if action.verb is Verb.CONFIRM else []
    assert ends == [2, 1, 0] and coordinator.outcome is Outcome.NEW


M = Action(verb=Verb.COMMIT)
TOGETHER = {
    "all is well": ({}, [[A1, A0], [T], [M], [C1, C0]], Outcome.NEW, set()),
    "an end refuses": ({A0: FAILS}, [[A1, A0], [R1]], Outcome.OLD, set()),
    "an end is cut off, and another one refuses": ({A0: FAILS, A1: CUT}, [[A1, A0], [R1]], Outcome.OLD, set()),
    "the test fails": ({T: FAILS}, [[A1, A0], [T], [R0, R1]], Outcome.OLD, set()),
    "the record can't be written": ({M: FAILS}, [[A1, A0], [T], [M], [R0, R1]], Outcome.OLD, set()),
    "no end can confirm": ({C1: CUT, C0: FAILS}, [[A1, A0], [T], [M], [C1, C0]], Outcome.MIXED, {1}),
}


@pytest.mark.parametrize("case", TOGETHER)
def test_ends_change_together_and_by_a_record(case: str) -> None:
    fates, expected, outcome, uncertain = TOGETHER[case]
    coordinator = Coordinator(2, deadline_s=10, records=True)
    done = []
    while actions := coordinator.next_together(0):
        done.append(actions)
        for action in actions:
            if action in fates:
                coordinator.failed(action, cut_off=fates[action] == CUT)
            else:
                coordinator.succeeded(action)
    assert (done, coordinator.outcome, coordinator.uncertain) == (expected, outcome, uncertain)
    assert coordinator.committed == ([M] in done and M not in fates)


def test_nothing_is_committed_once_an_end_may_have_gone_back() -> None:
    coordinator = Coordinator(2, deadline_s=10, records=True)
    for actions in ([A1, A0], [T]):
        assert coordinator.next_together(0) == actions
        for action in actions:
            coordinator.succeeded(action)
    assert coordinator.next_together(10) == [R0, R1]


def test_all_ends_are_confirmed_once_it_is_committed() -> None:
    coordinator = Coordinator(2, deadline_s=10, records=True)
    for actions in ([A1, A0], [T], [M]):
        assert coordinator.next_together(0) == actions
        for action in actions:
            coordinator.succeeded(action)
    assert coordinator.next_together(99) == [C1, C0]
