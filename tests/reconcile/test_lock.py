"""The lock that lets one change at a time be made: who has it is told, and it is waited for once, not per tunnel."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.errors import LockedError
from l2tpv3.linux import filelock
from l2tpv3.linux.filelock import exclusive
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator

_HOLD = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR if os.path.basename(sys.argv[1]) == "lock" else os.O_RDONLY)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def held(path: Path) -> Iterator[int]:
    """Another process has the lock on that file or directory; its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process.pid
        os.kill(process.pid, signal.SIGKILL)


def test_the_error_names_who_holds_it_and_what_helps(tmp_path: Path) -> None:
    with held(tmp_path / "lock") as pid:
        problem = rf"process {pid} \(python.*\) holds the lock; .*`kill {pid}`"
        with pytest.raises(LockedError, match=problem), exclusive(tmp_path, timeout_s=0):
            pass
        os.kill(pid, signal.SIGSTOP)
        while not re.search(r"\) T ", Path(f"/proc/{pid}/stat").read_text()):
            time.sleep(0.001)
        with pytest.raises(LockedError, match=rf"is stopped; `kill -CONT {pid}`"), exclusive(tmp_path, timeout_s=0):
            pass
    with exclusive(tmp_path, timeout_s=0), (tmp_path / "lock").open() as file:
        assert filelock.holder(file.fileno()) == os.getpid()


@pytest.mark.parametrize("what", ["lock", "."])
def test_restore_waits_for_it_once_however_many_tunnels_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The lock of the host, and that of its workers (`.`), which a datapath takes for each of its operations."""
    runtime = tmp_path / "run"
    waits: list[Path] = []

    def no_more_waiting(path: Path, *_: object) -> LockedError:
        waits.append(path)
        return LockedError(str(path), "held")

    class Locking(MemoryDatapath):
        def add_tunnel(self, tunnel: object) -> None:
            with filelock.locked(runtime, os.O_RDONLY | os.O_DIRECTORY, timeout_s=0):
                raise AssertionError("the lock is held")

    def manager(memory: MemoryDatapath) -> Manager:
        return Manager(Paths(tmp_path / "state", runtime), [memory], MemoryConfigurator(memory))

    before = manager(MemoryDatapath())
    for number in range(3):
        before.add_tunnel(f"t{number}", {"remote": f"127.0.0.{number + 2}", "local-port": number + 5})
    monkeypatch.setattr(filelock, "TIMEOUT_S", 0.0)
    monkeypatch.setattr(filelock, "_taken_by_another", no_more_waiting)
    with held(runtime / what), pytest.raises(LockedError):
        manager(Locking()).restore()
    assert waits == [runtime / what if what == "lock" else runtime]
