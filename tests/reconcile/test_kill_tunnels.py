"""`kill -9` at every operation of a change of tunnels: the next run converges, and nothing is left behind.

Killed before one operation is killed after the one before it. Then the same change is made again, undisturbed: the host
must look as it does after a change that nobody killed. Then the way back, which must give what was there before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from l2tpv3 import Condition, Manager
from l2tpv3.errors import NotFoundError
from tests.changes import SCENARIOS, assert_same, make_bench
from tests.here import Here
from tests.hosts import Hosts
from tests.points import sample
from tests.reconcile.killing import MARKS, POINTS, assert_finished_by_the_next, cases, kill
from tests.waiting import PATIENCE_S

pytestmark = MARKS

L2TPCTL = Path(sys.executable).with_name("l2tpctl")


@pytest.mark.parametrize(("datapath", "name"), cases(SCENARIOS))
def test_a_killed_change_is_finished_by_the_next(hosts: Hosts, datapath: str, name: str) -> None:
    assert_finished_by_the_next(hosts, datapath, name)


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
    give_up = time.monotonic() + PATIENCE_S
    while {one.name: one.condition for one in here.tunnels()} != {"before": Condition.UP}:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert [one.condition for one in here.tunnel("before").sessions] == [Condition.UP]
