"""`kill -9` of `fleet apply`, or of l2tpctl at a host: all are old or new, and the next run ends what was begun."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fleet.many_hosts import LIMIT_S, ManyHosts
from tests.host_processes import running
from tests.hosts import Host, Hosts
from tests.points import sample

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 600)]

KILLED = Path(__file__).with_name("killed.py")
POINTS = 33
"""How many there are; a command that was not killed at the last one shows that there are no more."""
END_POINTS = 18
"""How many there are in l2tpctl at a host."""
TRIED = 2
OLD, NEW = '[wire.x]\nends = ["h1", "h2"]\nmtu = 1400\n', '[wire.y]\nends = ["h1", "h2"]\nmtu = 1400\n'


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManyHosts]:
    made = Hosts()
    try:
        yield ManyHosts(made, tmp_path_factory.mktemp("fleet"), 2)
    finally:
        made.close()


def settle(two: ManyHosts) -> None:
    """Wait until nothing of the killed command is under way at any host."""
    give_up = time.monotonic() + LIMIT_S
    while any(running(host, b"fleet-end") for host in two.all):
        assert time.monotonic() < give_up, "a host's end did not end"
        time.sleep(0.05)


def let_time_pass(host: Host) -> None:
    """End what waits at a host for its confirmation, as time would do it."""
    if json.loads(host.ctl("end-facts").stdout)["unconfirmed"]:
        undoing = running(host, b"expire")
        assert undoing, "nobody would undo it"
        host.ctl("rollback")
        for pid in undoing:
            os.kill(pid, signal.SIGTERM)


def check_whole(two: ManyHosts, tunnel: str) -> None:
    """Whether each host has this tunnel, whole, and nothing else."""
    for host in two.all:
        (found,) = json.loads(host.ctl("--json").stdout)["tunnels"]
        assert found["name"] == tunnel and found["condition"] == found["sessions"][0]["condition"] == "up"
        taps = json.loads(host.run(["ip", "-j", "link", "show", "type", "tun"]).stdout)
        assert len(taps) == 1, "0 orphans"


@pytest.mark.parametrize("point", sample(POINTS, TRIED))
def test_all_hosts_are_old_or_new(two: ManyHosts, point: int) -> None:
    two.write(OLD)
    two.ok("apply")
    two.write(NEW)
    ended = two.run("apply", program=[sys.executable, str(KILLED), "coordinator", str(point)])
    assert ended.returncode in (-signal.SIGKILL, 0), ended.stderr
    settle(two)
    state = json.loads((two.folder / "fleet.toml.state").read_text())
    committed = "[tunnel.y]" in state["committed"]["h1"]
    if point % 2 or not committed:  # by turns: the next run comes after the time to confirm, and while it lasts
        for host in two.all:
            let_time_pass(host)
    if not committed:
        check_whole(two, "x")
    two.ok("apply")
    check_whole(two, "y")
    state = json.loads((two.folder / "fleet.toml.state").read_text())
    assert not state["prepared"] and not state["owed"]


@pytest.fixture
def dying(two: ManyHosts) -> Iterator[Callable[[int], None]]:
    """`dying(N)`: from now on, l2tpctl at host h2 kills itself at its N-th point."""
    program = two.folder / "bin" / "l2tpctl"
    program.parent.mkdir(exist_ok=True)
    entry = two.folder / "h2.sh"
    usual = entry.read_text()

    def begin(point: int) -> None:
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{KILLED}" end {point} "$@"\n')
        program.chmod(0o755)
        entry.write_text(usual + f'export PATH="{program.parent}:$PATH"\n')

    yield begin
    entry.write_text(usual)


@pytest.mark.parametrize("point", sample(END_POINTS, TRIED))
def test_the_end_at_a_host_is_killed(two: ManyHosts, dying: Callable[[int], None], point: int) -> None:
    two.write(OLD)
    two.ok("apply")
    two.write(NEW)
    usual = (two.folder / "h2.sh").read_text()
    dying(point)
    ended = two.run("apply", "--confirm", "60")
    (two.folder / "h2.sh").write_text(usual)
    settle(two)
    if ended.returncode != 0:
        committed = "[tunnel.y]" in json.loads((two.folder / "fleet.toml.state").read_text())["committed"]["h1"]
        assert two.tunnels(two.all[0]) == (["y"] if committed else ["x"]), ended.stderr
        if point % 2:
            let_time_pass(two.all[1])
    two.ok("apply")
    check_whole(two, "y")
