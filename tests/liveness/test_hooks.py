"""Hooks: which programs are run, with what, and what becomes of one that hangs."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.errors import L2tpError
from l2tpv3.linux.hook import find_hook
from l2tpv3.linux.readable import wait_readable
from l2tpv3.liveness.hooks import Hooks
from l2tpv3.model.probe import ProbeKind, ProbeReport, ProbeState, ProbeTarget
from tests.waiting import PATIENCE_S

DEAD = ProbeReport(state=ProbeState.DEAD, since_s=0.0, reason="3 probes in a row were not answered")
ALIVE = ProbeReport(state=ProbeState.ALIVE, since_s=0.0)


def target(name: str, hook: str | None) -> ProbeTarget:
    return ProbeTarget(
        key=name, name=name, netns="blue", ifname="l2tpeth0", kind=ProbeKind.ICMP, address=ip_address("10.9.0.2"),
        interval_s=1.0, multiplier=3, hook=hook,
    )  # fmt: skip


class Ran:
    """Hooks in a folder, which write what they are told into a pipe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hooks"
        self.folder.mkdir(mode=0o755)
        self.problems: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.hooks = Hooks(self.folder, lambda error: self.problems.put(str(error)), timeout_s=1.0)
        self._pipe = folder / "said"
        os.mkfifo(self._pipe)
        self._said = os.fdopen(os.open(self._pipe, os.O_RDWR), "r")

    def write(self, name: str, script: str) -> Path:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nexec >{self._pipe}\n{script}\n")
        path.chmod(0o755)
        return path

    def line(self) -> str:
        return self._said.readline().rstrip("\n")

    def problem(self) -> str:
        return self.problems.get(timeout=PATIENCE_S)

    def close(self) -> None:
        self.hooks.close()
        self._said.close()


@pytest.fixture
def ran(tmp_path: Path) -> Iterator[Ran]:
    one = Ran(tmp_path)
    yield one
    one.close()


def test_it_is_told_what_happened_and_nothing_of_our_environment(ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of ours")
    monkeypatch.setenv("L2TPV3_RUNTIME_DIR", "/run/elsewhere")
    ran.write("page", 'echo "$@"; pwd; env | grep -v ^PWD= | sort | tr "\\n" "|"; echo')
    ran.hooks.tell(target("siteb/lan", "page"), DEAD)
    assert ran.line() == "dead siteb lan"
    assert ran.line() == "/"
    path, *others = sorted(ran.line().strip("|").split("|"), key=lambda one: not one.startswith("PATH="))
    assert path.startswith("PATH=/usr/")
    assert others == [
        "L2TPV3_IFNAME=l2tpeth0", "L2TPV3_NETNS=blue", "L2TPV3_PROBED=10.9.0.2",
        "L2TPV3_REASON=3 probes in a row were not answered", "L2TPV3_RUNTIME_DIR=/run/elsewhere", "LANG=C.UTF-8",
    ]  # fmt: skip


def test_a_session_without_a_hook_has_none_run(ran: Ran) -> None:
    ran.write("page", 'echo "$@"')
    ran.hooks.tell(target("siteb/lan", None), DEAD)
    ran.hooks.tell(target("siteb/dmz", "page"), DEAD)
    assert ran.line() == "dead siteb dmz"


def test_one_that_hangs_is_killed_with_its_children_and_others_have_their_turn(ran: Ran) -> None:
    ran.write("hang", "sleep 1000 & echo $!; wait")
    ran.write("page", 'echo "$@"')
    ran.hooks.tell(target("siteb/lan", "hang"), DEAD)
    child = os.pidfd_open(int(ran.line()))
    try:
        ran.hooks.tell(target("siteb/dmz", "page"), DEAD)
        ran.hooks.tell(target("siteb/dmz", "page"), ALIVE)
        assert "did not end in 1 s, and was killed" in ran.problem()
        assert ran.line() == "alive siteb dmz", "of two states that wait the last alone is told"
        assert wait_readable([child], PATIENCE_S), "its child has ended, too"
    finally:
        os.close(child)


def test_the_one_that_runs_at_the_end_is_ended(ran: Ran) -> None:
    ran.write("hang", "echo $$; exec sleep 1000")
    ran.hooks.tell(target("siteb/lan", "hang"), DEAD)
    pid = int(ran.line())
    ran.hooks.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_fails_is_told_of(ran: Ran) -> None:
    ran.write("page", "exit 3")
    ran.hooks.tell(target("siteb/lan", "page"), DEAD)
    assert ran.problem().startswith("hook page: ended with status 3")
    ran.hooks.tell(target("siteb/lan", "absent"), DEAD)
    assert "there is no" in ran.problem()
    ran.write("page", "").write_text("no program")
    ran.hooks.tell(target("siteb/lan", "page"), DEAD)
    assert "Exec format error" in ran.problem()


def test_what_others_than_root_can_write_is_not_run(ran: Ran) -> None:
    path = ran.write("page", "")
    assert find_hook(ran.folder, "page") == path
    for wrong, mode, good in ((path, 0o775, 0o755), (path, 0o757, 0o755), (ran.folder, 0o777, 0o755), (path, 0o644, 0)):
        wrong.chmod(mode)
        with pytest.raises(L2tpError, match=r"others than root can write to|is not executable"):
            find_hook(ran.folder, "page")
        wrong.chmod(good)
    path.unlink()
    path.mkdir()
    with pytest.raises(L2tpError, match="is no file"):
        find_hook(ran.folder, "page")
