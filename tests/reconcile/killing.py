"""A change of a host, made once undisturbed, then killed at some of its operations: what the tests of `kill -9` share.

A change runs in a traced child that is killed as it is about to make its n-th netlink, socket, store or worker call.
The host is compared, as text, with what it was before the change and with what it was after the undisturbed one.
Some of the points are tried in a run, others in the next, and some scenarios on the kernel datapath: tests/points.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from l2tpv3.errors import L2tpError
from tests.changes import SCENARIOS, Bench, Change, Scenario, assert_same, is_operation, make_bench, then, to
from tests.hosts import Hosts
from tests.link_changes import LINK_SCENARIOS, MODULE_SCENARIOS, NOT_ON_THE_KERNEL
from tests.points import in_turn, is_full, sample
from tests.traced import Call, Kill, traced

MARKS = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]
"""Of a file with such tests."""

_ON_THE_KERNEL_OF = 6
"""In the guest, where each takes half a minute, one scenario in so many is played in a run."""

EVERY = {**SCENARIOS, **LINK_SCENARIOS, **MODULE_SCENARIOS}
_NOT_OF_PROGRAMS = (
    *("links", "confirm", "rollback", "apply to be confirmed", "add and set", "sessions of one VLAN"),
    "ports and peers of WireGuard are swapped",
)
"""Those of the scenarios of tunnels that are left out with the ebpf datapath, where they have nothing of their own."""


def cases(names: Iterable[str]) -> list[ParameterSet]:
    """A datapath and a scenario each."""
    names = tuple(names)
    on_the_kernel = in_turn(names, of=_ON_THE_KERNEL_OF)
    guest = pytest.mark.kernel_l2tp
    found = []
    for name in names:
        marks = [guest] if name in MODULE_SCENARIOS else []
        if not marks or is_full():
            found.append(pytest.param("user", name, id=f"user-{name}", marks=marks))
        if name in SCENARIOS and name not in _NOT_OF_PROGRAMS:
            found.append(pytest.param("ebpf", name, id=f"ebpf-{name}"))
        if name in on_the_kernel and name not in NOT_ON_THE_KERNEL:
            found.append(pytest.param("kernel", name, id=f"kernel-{name}", marks=guest))
    return found


@dataclass(frozen=True)
class Rehearsal:
    """A change that was made and gone back from, undisturbed. name: of the scenario. untouched: what was there before
    anything of it, without files and records. before, after: all that is there before and after the change. strangers:
    what is not ours. operations: how many the change takes."""

    name: str
    bench: Bench
    scenario: Scenario
    untouched: str
    before: str
    after: str
    strangers: Any
    operations: int

    def at_points(self, number: int, disturb: Callable[[int], str], finish: Callable[[str], None]) -> None:
        """Disturb the change at some `number` of its operations, and each time see that `finish` makes it good.

        disturb: makes the change, disturbed at that operation, and says before which call that was. finish: is given
        the words for where that was, and raises AssertionError or L2tpError where something is not as it must be.
        """
        points = sample(self.operations, number)
        wrong: list[str] = []
        for point in points:
            where = f"point {point} of {self.operations}"
            try:
                where += f", before {disturb(point)}"
                finish(where)
                assert self.bench.strangers() == self.strangers, where
            except (AssertionError, L2tpError) as error:
                wrong.append(f"{where}: {error}")
                print(wrong[-1])
                self.bench.call(self.scenario.start)
        passed = f"{len(points) - len(wrong)} of {len(points)} points passed, of {self.operations} in all"
        print(f"{self.bench.datapath}: {self.name}: {passed}")
        assert not wrong, "\n".join(wrong)

    def kill(self, point: int) -> str:
        """Make the change and kill it at that operation; before which call that was."""
        _, call = kill(self.bench, self.scenario.change, at=point)
        return call.name if call else "nothing"

    def change_again(self, where: str) -> None:
        """Make the change: the host must look as after the undisturbed one. Then go back."""
        self.bench.call(self.scenario.change)
        assert_same(self.bench.picture, self.after, where)
        self.go_back(where)

    def go_back(self, where: str) -> None:
        """Go back: the host must look as before the change."""
        self.bench.call(self.scenario.back)
        assert_same(self.bench.picture, self.before, f"{where}, and back")


END = then(lambda manager: manager.rollback(), to())
POINTS = {"user": 2, "ebpf": 2, "kernel": 1}
"""How many are tried of each scenario when not all are."""


def assert_finished_by_the_next(hosts: Hosts, datapath: str, name: str) -> None:
    """Kill the change of a scenario at some points, and each time make it again; then, nothing of it may be left."""
    rehearsal = rehearse(hosts, datapath, name)
    rehearsal.at_points(POINTS[datapath], rehearsal.kill, rehearsal.change_again)
    rehearsal.bench.call(END)
    assert_same(rehearsal.bench.things, rehearsal.untouched, "after everything of it is gone")


def rehearse(hosts: Hosts, datapath: str, name: str) -> Rehearsal:
    """Make the change of a scenario on a new host and go back, undisturbed.

    The first change takes a few operations more than those that follow: the last of its points kill nothing in them.
    """
    bench = make_bench(hosts, datapath)
    scenario = EVERY[name](bench)
    untouched = bench.things()
    bench.call(scenario.start)
    operations, _ = kill(bench, scenario.change, at=None)
    after = bench.picture()
    bench.call(scenario.back)
    before = bench.picture()
    assert after != before
    return Rehearsal(name, bench, scenario, untouched, before, after, bench.strangers(), operations)


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
