"""When a follower of events looks: time is stepped, nothing is waited for."""

from __future__ import annotations

import pytest

from l2tpv3.watch.monitor import Change
from l2tpv3.watch.schedule import AGAIN_S, SETTLE_ROUNDS, SETTLE_S, LookSchedule


def looks(schedule: LookSchedule, until: float, busy_until: float = 0.0) -> list[float]:
    """When it looks, up to a time. busy_until: a change is under way till then."""
    found = []
    while (now := schedule.next_timer()) is not None and now <= until:
        if schedule.due(now, lambda now=now: now < busy_until):  # type: ignore[misc]
            found.append(now)
    return found


def test_nothing_is_due_until_it_is_asked_for() -> None:
    schedule = LookSchedule()
    assert schedule.next_timer() is None
    assert not schedule.due(100.0, lambda: False)
    schedule.heard([], 100.0)
    assert schedule.next_timer() is None


def test_what_comes_close_together_is_one_look() -> None:
    schedule = LookSchedule()
    schedule.heard([Change.NETDEV], 10.0)
    schedule.heard([Change.RECORD], 10.01)
    assert not schedule.due(10.02, lambda: False)
    assert looks(schedule, 20.0) == [pytest.approx(10.0 + SETTLE_S)]


def test_what_is_heard_while_it_looks_asks_for_another_look() -> None:
    schedule = LookSchedule()
    schedule.ask(10.0)
    assert schedule.due(11.0, lambda: False)
    schedule.heard([Change.WORKER], 11.2)
    assert looks(schedule, 20.0) == [pytest.approx(11.2 + SETTLE_S)]


def test_a_change_under_way_is_waited_for_but_not_for_long() -> None:
    schedule = LookSchedule()
    schedule.ask(10.0)
    (short,) = looks(schedule, 20.0, busy_until=10.2)
    assert 10.2 <= short < 10.2 + 2 * SETTLE_S
    schedule.ask(20.0)
    (long,) = looks(schedule, 30.0, busy_until=30.0)
    assert long == pytest.approx(20.0 + SETTLE_ROUNDS * SETTLE_S)


@pytest.mark.parametrize("change", [Change.L2TP, Change.NAMESPACE])
def test_what_is_told_before_it_is_so_is_looked_at_twice(change: Change) -> None:
    schedule = LookSchedule()
    schedule.heard([change], 10.0)
    assert looks(schedule, 20.0) == [pytest.approx(10.0 + SETTLE_S), pytest.approx(10.0 + AGAIN_S + SETTLE_S)]


def test_a_look_is_followed_by_a_rest_of_the_same_length() -> None:
    schedule = LookSchedule()
    schedule.heard([Change.NETDEV], 10.0)
    assert schedule.due(10.5, lambda: False)
    schedule.heard([Change.NETDEV], 11.0)  # while it looks
    schedule.looked(10.5, 12.5)
    assert schedule.next_timer() == pytest.approx(14.5 + SETTLE_S)
    schedule.heard([Change.NETDEV], 13.0)
    assert looks(schedule, 20.0) == [pytest.approx(14.5 + SETTLE_S)]


def test_what_is_asked_for_later_gives_way_to_what_is_asked_for_sooner() -> None:
    schedule = LookSchedule()
    schedule.ask(20.0)
    schedule.heard([Change.NETDEV], 10.0)
    assert looks(schedule, 30.0) == [pytest.approx(10.0 + SETTLE_S)]
