"""When peers' names are looked up again, and when a host's surroundings are compared: by times that are given."""

from __future__ import annotations

from l2tpv3.liveness.name_rules import AGAIN_S, FAILED_FIRST_S, FAILED_MAX_S, HURRY_S, JITTER, NameRules
from l2tpv3.liveness.surroundings_rules import AGAIN_S as COMPARE_AGAIN_S
from l2tpv3.liveness.surroundings_rules import REST, SETTLE_MAX_S, SETTLE_S, SLOW_S, SurroundingsRules


def test_a_name_is_looked_up_at_once_and_then_now_and_then() -> None:
    rules = NameRules(lambda: 0.5)
    rules.want(["a", "b"], 10.0)
    assert rules.due(10.0) == ["a", "b"]
    rules.looked_up("a", 10.0, failed=False)
    assert rules.due(10.0) == ["b"] and rules.next_at() == 10.0
    rules.want(["a"], 11.0)
    assert rules.next_at() == 10.0 + AGAIN_S * (1 + JITTER / 2), "chance has its part in it"
    rules.looked_up("b", 12.0, failed=False)  # nobody wants it any more
    assert rules.due(1e9) == ["a"]


def test_after_failures_it_is_asked_less_and_less_often_until_it_answers() -> None:
    rules = NameRules(lambda: 0.0)
    rules.want(["a"], 0.0)
    now, waits = 0.0, []
    for _ in range(30):
        rules.looked_up("a", now, failed=True)
        at = rules.next_at()
        assert at is not None
        waits.append(at - now)
        now = at
    assert waits[:3] == [FAILED_FIRST_S, 2 * FAILED_FIRST_S, 4 * FAILED_FIRST_S]
    assert waits[-1] == FAILED_MAX_S == max(waits)
    rules.looked_up("a", now, failed=False)
    assert rules.next_at() == now + AGAIN_S
    rules.looked_up("a", now, failed=True)
    assert rules.next_at() == now + FAILED_FIRST_S, "it begins anew"


def test_when_addresses_change_names_are_looked_up_soon_but_not_all_the_time() -> None:
    rules = NameRules(lambda: 0.0)
    rules.want(["a"], 0.0)
    for _ in range(20):
        rules.looked_up("a", 0.0, failed=True)
    rules.hurry(0.5)
    assert not rules.due(0.5) and rules.due(HURRY_S) == ["a"]
    rules.hurry(1000.0)
    assert rules.due(1000.0) == ["a"]


def test_surroundings_are_compared_when_they_have_settled() -> None:
    rules = SurroundingsRules(0.0)
    assert rules.due(0.0), "what happened before is not known"
    rules.compared(0.0, 0.0, differed=False)
    assert not rules.due(SLOW_S - 0.1) and rules.due(SLOW_S)
    rules.heard(1.0)
    assert not rules.due(1.0 + SETTLE_S - 0.1) and rules.due(1.0 + SETTLE_S)
    rules.compared(2.0, 2.0, differed=False)
    for tenth in range(100):  # never quiet
        rules.heard(2.0 + tenth / 10)
    assert rules.due(2.0 + SETTLE_MAX_S), "it is not put off for ever"


def test_a_comparison_that_takes_long_is_made_seldom_and_one_that_found_something_soon_again() -> None:
    rules = SurroundingsRules(0.0)
    rules.compared(0.0, 3.0, differed=False)
    rules.named(3.0)
    assert not rules.due(3.0 + 3.0 * REST - 0.1) and rules.due(3.0 + 3.0 * REST)
    rules.compared(50.0, 50.0, differed=True)
    assert not rules.due(50.0) and rules.due(50.0 + COMPARE_AGAIN_S)
    rules.compared(60.0, 60.0, differed=False)
    rules.named(61.0)
    assert rules.due(61.0), "a name is not waited for"
