"""A loop's tasks: an error that nobody expected ends none of the others, and is told once."""

from __future__ import annotations

import itertools

from l2tpv3.errors import L2tpError
from l2tpv3.linux.tasks import DELAY_MAX_S, Tasks


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_task_that_raises_is_told_once_left_alone_longer_and_longer_and_tried_again() -> None:
    clock, told, ran = _Clock(), list[L2tpError](), list[float]()
    tasks = Tasks(told.append, clock)
    others = list[float]()

    def fails() -> None:
        ran.append(clock.now)
        raise KeyError("\x1b[31m\udcff")

    def works() -> None:
        others.append(clock.now)

    for _ in range(400):
        tasks.run(fails)
        tasks.run(works)
        clock.now += 1
    assert len(others) == 400
    gaps = [later - earlier for earlier, later in itertools.pairwise(ran)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == DELAY_MAX_S
    assert len(told) == 1
    assert "unexpected KeyError at " in str(told[0])
    assert str(told[0]).isprintable()


def test_a_task_that_works_again_is_as_good_as_new() -> None:
    clock, told = _Clock(), list[L2tpError]()
    tasks = Tasks(told.append, clock)
    broken, ran = True, 0

    def task() -> None:
        nonlocal ran
        ran += 1
        if broken:
            raise RuntimeError("no")

    for broken in (True, True, False, False, True):  # noqa: B007 - the task reads it
        tasks.run(task)
        clock.now += DELAY_MAX_S
    assert ran == 5
    assert len(told) == 2
