"""`kill -9` at every operation of a change: the next run converges, and nothing is left behind.

A change runs in a traced child that is killed as it is about to make its n-th netlink, socket, store or worker call;
killed before one is killed after the one before it. Then the same change is made again, undisturbed: the host must look
as it does after a change that nobody killed. Then the way back, which must give what was there before.

By default some of the points are tried, spread over all; L2TPV3_TEST_FULL=1 tries them all.
"""

from __future__ import annotations

import os

import pytest

from l2tpv3.errors import L2tpError
from tests.changes import SCENARIOS, Bench, Change, assert_same, is_operation, make_bench
from tests.hosts import Hosts
from tests.traced import Call, Kill, traced

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]

FULL = os.environ.get("L2TPV3_TEST_FULL", "") not in ("", "0")
POINTS = {"user": 6, "kernel": 2}
"""How many are tried of each scenario when not all are."""


@pytest.fixture(params=["user", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)])
def bench(request: pytest.FixtureRequest, hosts: Hosts) -> Bench:
    return make_bench(hosts, str(request.param))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_killed_change_is_finished_by_the_next(bench: Bench, name: str) -> None:
    scenario = SCENARIOS[name](bench)
    for one in (scenario.start, scenario.change, scenario.back):
        bench.call(one)
    before, strangers = bench.picture(), bench.strangers()
    number, _ = kill(bench, scenario.change, at=None)
    after = bench.picture()
    assert after != before
    bench.call(scenario.back)
    assert_same(bench.picture, before, "after the way back")

    step = 1 if FULL else max(1, number // POINTS[bench.datapath])
    points = range(1 if FULL else 1 + step // 2, number + 1, step)
    wrong: list[str] = []
    for point in points:
        _, call = kill(bench, scenario.change, at=point)
        where = f"killed at point {point} of {number}, before {call.name if call else 'nothing'}"
        try:
            bench.call(scenario.change)
            assert_same(bench.picture, after, where)
            bench.call(scenario.back)
            assert_same(bench.picture, before, f"{where}, and back")
            assert bench.strangers() == strangers, where
        except (AssertionError, L2tpError) as error:
            wrong.append(f"{where}: {error}")
            print(wrong[-1])
            bench.call(scenario.start)
    print(f"{bench.datapath}: {name}: {len(points) - len(wrong)} of {len(points)} points passed, of {number} in all")
    assert not wrong, "\n".join(wrong)


def kill(bench: Bench, change: Change, at: int | None) -> tuple[int, Call | None]:
    """Make a change; kill it at its n-th operation. How many it came to, and before which call it was killed."""
    count = 0
    last: Call | None = None

    def on_call(call: Call) -> Kill | None:
        nonlocal count, last
        if not is_operation(call):
            return None
        count += 1
        last = call
        return Kill() if count == at else None

    ended = traced(lambda: bench.call(change), on_call)
    if ended.error is not None:
        raise ended.error
    return count, last if ended.killed else None
