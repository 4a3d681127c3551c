"""Cleaning up: whatever a run left, by what carries its name, without asking how far it had come."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from labrunner.errors import LabError
from labrunner.identity import MARK, Identity, netns_names
from labrunner.typed import patience

_POLITE_S = 0.5
_PATIENCE_S = 20.0


def sweep(run: Identity) -> None:
    """Remove a run: its processes, its network namespaces with all netdevs in them, its folder.

    Goes on until nothing is left, since a runner that was killed may have left an `ip` that still makes things.
    Raises LabError when something would not go.
    """
    # A killed process goes only when the kernel has closed what it held: pppd's netdevs, one after the other.
    deadline = time.monotonic() + _PATIENCE_S * patience()
    with contextlib.ExitStack() as held:
        inodes: set[tuple[int, int]] = set()
        while True:
            spaces = _spaces(run)
            # Kept from round to round: a process that was just starting is still in a namespace that has lost its name.
            inodes |= {inode for space in spaces if (inode := _hold(Path("/run/netns", space), held))}
            pids = _processes(run, inodes)
            if not pids and not spaces:
                break
            if time.monotonic() > deadline:
                raise LabError(f"{run.name}: can't remove processes {pids}, network namespaces {spaces}")
            end(pids)
            if spaces:
                lines = "".join(f"netns del {space}\n" for space in spaces)
                # -force: go on to the next line; another sweep may be doing the same.
                subprocess.run(["ip", "-force", "-b", "-"], input=lines, text=True, capture_output=True, check=False)
    shutil.rmtree(run.folder, ignore_errors=True)


def _hold(space: Path, held: contextlib.ExitStack) -> tuple[int, int] | None:
    """The inode of a network namespace, which is kept until `held` ends: the kernel gives its number to the next
    namespace that anybody makes as soon as it is gone. None: it is gone already."""
    try:
        file = os.open(space, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    held.callback(os.close, file)
    status = os.fstat(file)
    return status.st_dev, status.st_ino


def _processes(run: Identity, inodes: set[tuple[int, int]]) -> list[int]:
    """The processes of a run: they carry its mark, or live in one of its network namespaces. Never our own line."""
    spared = _ancestors()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        pid = int(process.name)
        if pid not in spared and _belongs(process, run, inodes):
            found.append(pid)
    return found


def _belongs(process: Path, run: Identity, inodes: set[tuple[int, int]]) -> bool:
    """Whether a process is the run's.

    One that is in a namespace of the run need not be: a search for a netdev visits all namespaces of the machine. What
    runs there for good was started by `ip netns exec`, which gives it a mount namespace of its own.
    """
    marks = [word for word in _environment(process) if word.startswith(f"{MARK}=".encode())]
    if marks:
        return f"{MARK}={run.name}".encode() in marks
    lives_there = _inode(process / "ns" / "mnt") != _inode(Path("/proc/self/ns/mnt"))
    return lives_there and _inode(process / "ns" / "net") in inodes


def end(pids: list[int]) -> None:
    """SIGTERM, a short wait, SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + _POLITE_S
        while pids and time.monotonic() < deadline:
            time.sleep(0.005)
            pids = [pid for pid in pids if _runs(pid)]


class Guard:
    """A process that sweeps the run when its runner dies without having done so (SIGKILL, a crash).

    It reads a pipe whose other end only the runner holds: the end of file tells it.
    """

    def __init__(self, run: Identity, program: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if key != MARK}
        self._process = subprocess.Popen(
            [sys.executable, str(program), "--guard", run.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Nothing is left, or it is meant to stay."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"dismissed")
            self._process.stdin.close()
        self._process.wait()


def watch_over(run: Identity) -> None:
    """The guard's life."""
    if sys.stdin.read() != "dismissed":
        sweep(run)


def _spaces(run: Identity) -> list[str]:
    return [name for name in netns_names() if name.startswith(f"{run.name}-")]


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _ancestors() -> set[int]:
    """This process and those it descends from: `lab --clean` typed in a shell of that very run spares the shell."""
    line, pid = set(), os.getpid()
    while pid > 0 and pid not in line:
        line.add(pid)
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
    return line


def _runs(pid: int) -> bool:
    """Whether it runs; a zombie waiting for its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
