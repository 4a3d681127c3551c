"""Examines again and again: until nothing is wrong, or to tell what changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from l2tpv3.doctor.report import Report
from l2tpv3.model.finding import Harm

PAUSE_S: Final = 1.0
"""The least time from the beginning of one examination to that of the next."""

Look = Callable[[], Report]
Sleep = Callable[[float], object]
Clock = Callable[[], float]


def until_healthy(look: Look, within_s: float, *, sleep: Sleep = time.sleep, clock: Clock = time.monotonic) -> Report:
    """Examine until nothing is wrong, or the time is over; at least once. Gives the last report. Raises as `look`."""
    give_up = clock() + within_s
    while True:
        began = clock()
        report = look()
        left = give_up - clock()
        if report.worst is Harm.NONE or left <= 0:
            return report
        sleep(min(max(began + PAUSE_S - clock(), 0.0), left))


def changes(look: Look, *, sleep: Sleep = time.sleep, clock: Clock = time.monotonic) -> Iterator[Report]:
    """Examine for ever, and give the first report and each that says something else. Raises as `look`."""
    said: object = None
    while True:
        began = clock()
        report = look()
        says = {(one.subject, one.cause, one.harm) for one in report.findings}, report.unseen
        if says != said:
            said = says
            yield report
        sleep(max(began + PAUSE_S - clock(), 0.0))
