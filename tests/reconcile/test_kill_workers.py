"""`kill -9` of the workers at every operation of a change that runs on: it fails with an error of ours, or works."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest

from l2tpv3.errors import L2tpError
from tests.changes import SCENARIOS, Bench, Change, is_operation
from tests.hosts import Hosts
from tests.link_changes import LINK_SCENARIOS
from tests.reconcile.killing import MARKS, rehearse
from tests.traced import Call, traced

pytestmark = MARKS

POINTS = 1
SCENARIOS_WITH_WORKERS = tuple(name for name in (*SCENARIOS, *LINK_SCENARIOS) if not name.startswith("confirm"))


@pytest.mark.parametrize("name", SCENARIOS_WITH_WORKERS)
def test_a_change_under_which_the_worker_is_killed_can_be_made_again(hosts: Hosts, name: str) -> None:
    """Once what is on record is restored, whether the change failed or not."""
    rehearsal = rehearse(hosts, "user", name)

    def disturb(point: int) -> str:
        error, call = kill_workers(rehearsal.bench, rehearsal.scenario.change, at=point)
        assert error is None or isinstance(error, L2tpError), f"{call}: {error!r}"
        return f"{call}: {error!r}"

    def finish(where: str) -> None:
        rehearsal.bench.call(lambda manager: manager.restore())
        rehearsal.change_again(where)

    rehearsal.at_points(POINTS, disturb, finish)


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
