"""Hearing, with the time as an argument."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.model.hearing import (
    UNHEARD_AFTER_S,
    Hearing,
    Reception,
    ReceptionTracker,
    hearing_of,
    hearing_of_all,
)
from l2tpv3.model.observed import Counters


def judged(tracker: ReceptionTracker, now: float) -> Hearing | None:
    return hearing_of(Counters(rx_packets=tracker.rx_packets, tx_packets=tracker.tx_packets), tracker.reception(now))


def test_it_is_heard_for_as_long_as_nothing_is_sent_in_vain() -> None:
    tracker = ReceptionTracker()
    tracker.look(0, 0, 100.0)
    assert judged(tracker, 100.0) is None, "nobody said anything"
    tracker.look(0, 1, 101.0)
    assert judged(tracker, 101.0) is Hearing.UNHEARD, "sent, and nothing ever came"
    tracker.look(3, 1, 102.0)
    assert tracker.reception(105.5) == Reception(ever=True, last_received_s=3.5)
    assert judged(tracker, 90_000.0) is Hearing.HEARD, "it was heard; how long ago is told beside that"


def test_sending_in_vain_for_long_is_unheard_until_the_next_packet() -> None:
    tracker = ReceptionTracker()
    tracker.look(1, 0, 0.0)
    tracker.look(1, 1, 10.0)
    assert judged(tracker, 5000.0) is Hearing.HEARD, "one packet to which nobody had to answer"
    tracker.look(1, 2, 10.0 + UNHEARD_AFTER_S - 1)
    assert judged(tracker, 5000.0) is Hearing.HEARD
    tracker.look(1, 3, 10.0 + UNHEARD_AFTER_S)
    assert judged(tracker, 5000.0) is Hearing.UNHEARD
    tracker.look(2, 4, 5001.0)
    assert judged(tracker, 5001.0) is Hearing.HEARD


def test_what_was_counted_of_another_far_end_is_not_heard() -> None:
    tracker = ReceptionTracker(rx_packets=500, tx_packets=400)
    tracker.look(500, 400, 1.0)
    assert judged(tracker, 1.0) is None
    tracker.look(500, 401, 2.0)
    assert judged(tracker, 2.0) is Hearing.UNHEARD


def test_what_came_before_anybody_took_note_has_no_age() -> None:
    tracker = ReceptionTracker(rx_packets=500, tx_packets=400, ever=True)
    tracker.look(500, 401, 1.0)
    assert tracker.reception(9.0) == Reception(ever=True, last_received_s=None, in_vain_s=0.0)
    assert judged(tracker, 9.0) is Hearing.HEARD
    tracker.look(500, 402, 1.0 + UNHEARD_AFTER_S)
    assert judged(tracker, 90.0) is Hearing.UNHEARD


def test_a_tracker_is_read_as_it_was_written() -> None:
    tracker = ReceptionTracker(5, 4, ever=True)
    for one in (tracker, ReceptionTracker()):
        assert ReceptionTracker.from_json(json.loads(json.dumps(one.to_json()))) == one
        one.look(6, 5, 2.5)
        one.look(6, 6, 3.5)
        assert ReceptionTracker.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize("values", [None, {}, [], [1], [1, 2, 3, None, None, 0.0], ["1", 2, True, None, None, 0.0],
                                    [1, 2, True, "x", None, 0.0], [1, 2, True, None, None, None]])  # fmt: skip
def test_what_is_no_tracker_is_refused(values: object) -> None:
    with pytest.raises(ValueError, match="no "):
        ReceptionTracker.from_json(values)


def test_a_session_that_was_made_anew_begins_anew() -> None:
    tracker = ReceptionTracker()
    tracker.look(500, 400, 1.0)
    tracker.look(0, 3, 2.0)
    assert judged(tracker, 2.0) is Hearing.UNHEARD
    tracker.look(1, 3, 3.0)
    assert judged(tracker, 3.0) is Hearing.HEARD


def test_without_times_the_counters_tell_whether_anything_ever_came() -> None:
    assert hearing_of(Counters(), None) is None
    assert hearing_of(Counters(tx_packets=1), None) is Hearing.UNHEARD
    assert hearing_of(Counters(tx_packets=9, rx_packets=1, rx_cookie_discards=7), None) is Hearing.HEARD
    assert hearing_of(Counters(tx_packets=9, rx_cookie_discards=7, rx_invalid=2), None) is Hearing.UNHEARD


def test_a_tunnel_is_heard_when_one_of_its_sessions_is() -> None:
    assert hearing_of_all([]) is None
    assert hearing_of_all([None, Hearing.UNHEARD]) is Hearing.UNHEARD
    assert hearing_of_all([Hearing.UNHEARD, None, Hearing.HEARD]) is Hearing.HEARD


@given(steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.floats(0, 20)), max_size=60))
def test_heard_is_told_only_after_a_packet_and_with_its_age(steps: list[tuple[int, int, float]]) -> None:
    tracker, now, received, sent, last = ReceptionTracker(), 0.0, 0, 0, None
    for rx, tx, seconds in steps:
        now, received, sent = now + seconds, received + rx, sent + tx
        tracker.look(received, sent, now)
        last = now if rx else last
        told = judged(tracker, now)
        assert (told is Hearing.HEARD) <= (last is not None)
        assert tracker.reception(now).last_received_s == (None if last is None else now - last)
        assert (told is Hearing.UNHEARD) <= (sent > 0)
