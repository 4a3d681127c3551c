"""A worker that does not answer may carry a tunnel all the same: no plan that is acted on takes it for gone."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.datapath.base import Carried, HasWorkers, Unreachable
from l2tpv3.errors import L2tpError, WorkerError
from l2tpv3.liveness import supervisor
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from l2tpv3.model.status import Condition
from l2tpv3.plan.steps import DelTunnel
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.memory_host import BRIDGES


def fault() -> WorkerError:
    """As a worker that hangs causes it."""
    return WorkerError("worker 7", "does not answer", "`kill -9 7`", errno=errno.ETIMEDOUT, pid=7)


class Workers(MemoryDatapath):
    """A datapath with one worker. silent_after_set: it stops to answer once a session is changed in place.

    answers_at: it answers again when it was asked anew (ask_all_again) so often; 0: when the test says so. made: the
    tunnels that were made, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.silent = self.silent_after_set = False
        self.answers_at = 0
        self.made: list[str] = []

    def look(self, netns: str | None) -> Carried:
        """See HasWorkers.look."""
        return Carried([], (fault(),)) if self.silent else Carried(super().tunnels(netns))

    def unreachable(self) -> Unreachable:
        """See HasWorkers.unreachable."""
        return Unreachable()

    def replace_old(self, known: Collection[str]) -> list[L2tpError]:
        """See HasWorkers.replace_old."""
        return []

    def workers(self) -> dict[int, bool]:
        """See HasWorkers.workers."""
        return {7: not self.silent}

    def ask_all_again(self) -> None:
        """See HasWorkers.ask_all_again."""
        self.answers_at -= 1
        if self.answers_at == 0:
            self.silent = False

    def add_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.add_tunnel."""
        self.made.append(tunnel.name)
        super().add_tunnel(tunnel)

    def set_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.set_session."""
        super().set_session(tunnel, session)
        self.silent, self.silent_after_set = self.silent_after_set, False

    def del_tunnel(self, tunnel: TunnelSpec) -> None:
        """See Datapath.del_tunnel."""
        if self.silent:
            raise fault()
        super().del_tunnel(tunnel)

    def del_session(self, tunnel: TunnelSpec, session: SessionSpec) -> None:
        """See Datapath.del_session."""
        if self.silent:
            raise fault()
        super().del_session(tunnel, session)


class Host:
    """A host with tunnel t and session s, and tunnel u without sessions."""

    def __init__(self, folder: Path) -> None:
        self.workers = Workers()
        self.placer = MemoryConfigurator(self.workers, BRIDGES)
        self.manager = Manager(Paths(folder / "state", folder / "run"), [self.workers], self.placer)
        assert isinstance(self.workers, HasWorkers)
        self.manager.add_tunnel("t", {"remote": "127.0.0.2", "local-port": 5001})
        self.manager.add_session("t", "s", {"reorder-timeout-ms": 0})
        self.manager.add_tunnel("u", {"remote": "127.0.0.3", "local-port": 5002})
        self.before = self.state()
        self.workers.made.clear()

    def change(self, answers_at: int) -> None:
        """A change in place, at whose step the worker stops to answer. answers_at: see Workers."""
        self.workers.silent_after_set, self.workers.answers_at = True, answers_at
        self.manager.set_session("t", "s", {"reorder-timeout-ms": 50})

    def state(self) -> tuple[Mapping[str, Any], Sequence[Any], Any]:
        """What is on record, what the worker carries, and what is pending."""
        return self.manager.records(), self.workers.tunnels(None), self.manager._reconciler.store.pending()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_worker_that_answers_when_it_is_asked_again_fails_no_change(host: Host) -> None:
    host.change(answers_at=1)
    assert host.workers.made == []
    assert host.manager.session("t", "s").spec.reorder_timeout_ms == 50
    assert {one.condition for one in host.manager.tunnels()} == {Condition.UP}


def test_the_undo_asks_again_what_did_not_answer_the_change(host: Host) -> None:
    with pytest.raises(WorkerError, match="worker 7: does not answer") as caught:
        host.change(answers_at=2)
    assert not hasattr(caught.value, "__notes__"), "undoing it went well"
    assert host.workers.made == []
    assert host.state() == host.before


def test_what_the_undo_cannot_tell_is_left_to_restore(host: Host) -> None:
    with pytest.raises(WorkerError, match="worker 7: does not answer") as caught:
        host.change(answers_at=0)
    assert caught.value.__notes__ == [f"and undoing it failed: {fault()}"]
    with pytest.raises(WorkerError, match="does not answer"):
        host.manager.restore()
    assert host.workers.made == []
    host.workers.silent = False
    host.manager.restore()
    assert host.workers.made == []
    assert host.state() == host.before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda manager: manager.del_tunnel("u"), id="del"),
        pytest.param(lambda manager: manager.del_tunnel("t"), id="del with a session"),
        pytest.param(lambda manager: manager.del_session("t", "s"), id="del of the session"),
        pytest.param(lambda manager: manager.apply([], prune=True), id="prune"),
        pytest.param(lambda manager: manager.down(), id="down"),
        pytest.param(lambda manager: manager.restore(), id="restore"),
        pytest.param(lambda manager: manager.set_tunnel("u", {"local-port": 5003}), id="set"),
    ],
)
def test_no_change_is_made_of_what_may_run_unseen(host: Host, change: Callable[[Manager], object]) -> None:
    """Not of the tunnel without a session either, which no netdev tells of: it would run on with nothing on record."""
    host.workers.silent = True
    with pytest.raises(WorkerError, match="worker 7: does not answer"):
        change(host.manager)
    host.workers.silent = False
    assert host.state() == host.before
    assert host.workers.made == []


def test_others_are_made_beside_a_worker_that_does_not_answer(host: Host) -> None:
    host.workers.silent_after_set = False
    host.manager.add_tunnel("v", {"remote": "127.0.0.4", "local-port": 5004})
    assert host.workers.made == ["v"]


def test_a_plan_shows_what_no_change_does(host: Host) -> None:
    host.workers.silent = True
    steps = [one for one in host.manager.plan([], prune=True).steps if isinstance(one, DelTunnel)]
    assert [(one.tunnel.spec.name, one.why) for one in steps] == [
        (name, "worker 7, which may carry it, does not answer") for name in ("t", "u")
    ]


def test_watch_tries_again_to_undo_what_nobody_confirmed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ASK_S", 0.0)
    wanted = [DesiredTunnel.from_specs(one.spec) for one in host.manager.records().values()]
    changed = DesiredSession(name="s", words={"reorder-timeout-ms": 50})
    host.manager.apply([dataclasses.replace(wanted[0], sessions=(changed,)), wanted[1]], confirm_s=0.001)
    complaints: list[L2tpError] = []
    watching = supervisor.Supervisor(host.manager, host.manager.paths, tell=lambda _: None, complain=complaints.append)
    host.workers.silent = True
    for _ in range(2):
        watching._look_at_changes()
    assert [str(one) for one in complaints] == [str(fault())], "once, not at each try"
    host.workers.silent = False
    watching._look_at_changes()
    assert host.state() == host.before
