"""`kill -9` at every operation of a change: the next run converges, and nothing is left behind.

A change runs in a traced child that is killed as it is about to make its n-th netlink, socket, store or worker call;
killed before one is killed after the one before it. Then the same change is made again, undisturbed: the host must look
as it does after a change that nobody killed. Then the way back, which must give what was there before. So must the way
back that is taken at once, without the change made to its end. The same with the workers killed under the change.

Some of the points are tried in a run, others in the next, and some scenarios on the kernel datapath: tests/points.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet

from l2tpv3 import Condition, Manager
from l2tpv3.errors import L2tpError, NotFoundError
from tests.changes import SCENARIOS, Bench, Change, Scenario, assert_same, is_operation, make_bench, then, to
from tests.here import Here
from tests.hosts import Hosts
from tests.link_changes import LINK_SCENARIOS, MODULE_SCENARIOS, NOT_ON_THE_KERNEL
from tests.points import in_turn, is_full, sample
from tests.traced import Call, Kill, traced

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]

L2TPCTL = Path(sys.executable).with_name("l2tpctl")
POINTS = {"user": 3, "ebpf": 3, "kernel": 2}
BACK_POINTS = {"user": 2, "ebpf": 2, "kernel": 1}
"""How many are tried of each scenario when not all are; with the way back at once."""
ON_THE_KERNEL_OF = 3
"""In the guest, where each takes half a minute, one scenario in so many is played in a run."""

EVERY = {**SCENARIOS, **LINK_SCENARIOS, **MODULE_SCENARIOS}
END = then(lambda manager: manager.rollback(), to())
NOT_OF_PROGRAMS = ("links", "confirm", "rollback", "apply to be confirmed", "add and set", "sessions of one VLAN")
"""Those of the scenarios of tunnels that are left out with the ebpf datapath, where they have nothing of their own."""


def cases(names: Iterable[str]) -> list[ParameterSet]:
    """A datapath and a scenario each."""
    names = tuple(names)
    on_the_kernel = in_turn(names, of=ON_THE_KERNEL_OF)
    guest = pytest.mark.kernel_l2tp
    found = []
    for name in names:
        marks = [guest] if name in MODULE_SCENARIOS else []
        if not marks or is_full():
            found.append(pytest.param("user", name, id=f"user-{name}", marks=marks))
        if name in SCENARIOS and name not in NOT_OF_PROGRAMS:
            found.append(pytest.param("ebpf", name, id=f"ebpf-{name}"))
        if name in on_the_kernel and name not in NOT_ON_THE_KERNEL:
            found.append(pytest.param("kernel", name, id=f"kernel-{name}", marks=guest))
    return found


def rehearse(bench: Bench, scenario: Scenario) -> tuple[str, str, Any, int]:
    """Make the change and go back, undisturbed: what is there before and after it, what is not ours, and how many
    operations the change takes."""
    for one in (scenario.start, scenario.change, scenario.back):
        bench.call(one)
    before, strangers = bench.picture(), bench.strangers()
    number, _ = kill(bench, scenario.change, at=None)
    after = bench.picture()
    assert after != before
    bench.call(scenario.back)
    assert_same(bench.picture, before, "after the way back")
    return before, after, strangers, number


@pytest.mark.parametrize(("datapath", "name"), cases(EVERY))
def test_a_killed_change_is_finished_by_the_next(hosts: Hosts, datapath: str, name: str) -> None:
    bench = make_bench(hosts, datapath)
    scenario = EVERY[name](bench)
    untouched = bench.things()
    before, after, strangers, number = rehearse(bench, scenario)
    points = sample(number, POINTS[bench.datapath])
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
    bench.call(END)
    assert_same(bench.things, untouched, "after everything of it is gone")


@pytest.mark.parametrize(("datapath", "name"), cases(["links", *LINK_SCENARIOS, *MODULE_SCENARIOS]))
def test_a_killed_change_of_links_can_be_gone_back_from(hosts: Hosts, datapath: str, name: str) -> None:
    bench = make_bench(hosts, datapath)
    scenario = EVERY[name](bench)
    before, _, strangers, number = rehearse(bench, scenario)
    points = sample(number, BACK_POINTS[bench.datapath])
    wrong: list[str] = []
    for point in points:
        _, call = kill(bench, scenario.change, at=point)
        where = f"killed at point {point} of {number}, before {call.name if call else 'nothing'}, and back at once"
        try:
            bench.call(scenario.back)
            assert_same(bench.picture, before, where)
            assert bench.strangers() == strangers, where
        except (AssertionError, L2tpError) as error:
            wrong.append(f"{where}: {error}")
            print(wrong[-1])
            bench.call(scenario.start)
    print(f"{bench.datapath}: {name}: {len(points) - len(wrong)} of {len(points)} points passed, of {number} in all")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("what", ["tunnel", "session"])
def test_what_was_half_made_can_be_deleted(hosts: Hosts, what: str) -> None:
    """Though it is not on record: it is shown as incomplete, and goes."""
    bench = make_bench(hosts, "user")
    words = {"remote": bench.peer, "datapath": "user", "id": 1, "local-port": 1701}
    bench.call(lambda manager: manager.add_tunnel("there", {**words, "id": 2, "local-port": 1702}))

    def add(manager: Manager) -> None:
        if what == "tunnel":
            manager.add_tunnel("half", words)
        else:
            manager.add_session("there", "half", {"ifname": "half"})

    def delete(manager: Manager) -> None:
        with contextlib.suppress(NotFoundError):  # it was killed before it noted anything
            if what == "tunnel":
                manager.del_tunnel("half")
            else:
                manager.del_session("there", "half")

    before = bench.picture()
    number, _ = kill(bench, add, at=None)
    bench.call(delete)
    for point in sample(number, POINTS["user"]):
        kill(bench, add, at=point)
        bench.call(delete)
        assert_same(bench.picture, before, f"killed at point {point} of {number}, and deleted")


WORKER_POINTS = 1
WORKER_SCENARIOS = tuple(name for name in (*SCENARIOS, *LINK_SCENARIOS) if not name.startswith("confirm"))


@pytest.mark.parametrize("name", WORKER_SCENARIOS)
def test_a_change_under_which_the_worker_is_killed_can_be_made_again(hosts: Hosts, name: str) -> None:
    """It fails with an error of ours or works all the same; then what is on record can be restored, and it be made."""
    bench = make_bench(hosts, "user")
    scenario = EVERY[name](bench)
    before, after, strangers, number = rehearse(bench, scenario)
    points = sample(number, WORKER_POINTS)
    failed = 0
    wrong: list[str] = []
    for point in points:
        error, call = kill_workers(bench, scenario.change, at=point)
        where = f"workers killed at point {point} of {number}, before {call}: {error!r}"
        try:
            assert error is None or isinstance(error, L2tpError), where
            failed += error is not None
            bench.call(lambda manager: manager.restore())
            bench.call(scenario.change)
            assert_same(bench.picture, after, where)
            bench.call(scenario.back)
            assert_same(bench.picture, before, f"{where}, and back")
            assert bench.strangers() == strangers, where
        except (AssertionError, L2tpError) as wrongly:
            wrong.append(f"{where}: {wrongly}")
            print(wrong[-1])
            bench.call(scenario.start)
    print(f"{name}: {len(points) - len(wrong)} of {len(points)} points passed, {failed} of them failed at first")
    assert not wrong, "\n".join(wrong)


def kill_workers(bench: Bench, change: Change, at: int) -> tuple[BaseException | None, str]:
    """Make a change; kill the host's workers at its n-th operation. What it raised, and before which call that was."""
    count = 0
    name = ""

    def on_call(call: Call) -> None:
        nonlocal count, name
        if not is_operation(call):
            return
        count += 1
        if count == at:
            name = call.name
            for pid in bench.host.workers():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    return traced(lambda: bench.call(change), on_call).error, name


def test_what_nobody_confirms_is_undone_though_all_that_ran_it_was_killed(hosts: Hosts, tmp_path: Path) -> None:
    a, b = hosts.pair()
    wanted = tmp_path / "siteb.toml"
    wanted.write_text(f'[tunnel.siteb]\nremote = "{b.v4}"\ndatapath = "user"\n[tunnel.siteb.session.lan]\n')
    here = Here(a)
    here.add_tunnel("before", {"remote": b.v4, "datapath": "user", "local-port": 1800})
    here.add_session("before", "lan", {})
    environment = os.environ | {"L2TPV3_STATE_DIR": str(a.state_dir), "L2TPV3_RUNTIME_DIR": str(a.runtime_dir)}
    script = f"{L2TPCTL} apply -f {wanted} --prune --confirm 4; echo done; sleep 1000"
    shell = subprocess.Popen(
        ["ip", "netns", "exec", a.netns, "sh", "-c", script],
        stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        assert shell.stdout is not None
        assert "done\n" in iter(shell.stdout.readline, "")
        assert list(here.records()) == ["siteb"]
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    give_up = time.monotonic() + 60
    while {one.name: one.condition for one in here.tunnels()} != {"before": Condition.UP}:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert [one.condition for one in here.tunnel("before").sessions] == [Condition.UP]


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
