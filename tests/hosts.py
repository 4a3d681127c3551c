"""Hosts to test with: network namespaces, each with its own record and run-time files, as if it were a machine.

Set-up is iproute2's work, in as few processes as will do: each costs 5 ms here and 100 ms in the guest.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.forks import FORKS
from tests.waiting import PATIENCE_S

PREFIX = f"lt-{os.getpid()}-"
"""What the names of this run's network namespaces begin with."""

MARK = "L2TPV3_TEST_RUN"
"""The variable in the environment of what this run starts. Its value is the pid of the process that runs the tests."""

UNDERLAY = "u0"
"""The netdev by which the hosts of a pair see each other."""

_POLITE_S = 2.0
_KILLED_S = 60.0  # what was killed goes as soon as it is scheduled, on a busy machine later than one thinks


@dataclass
class Host:
    """One host: `netns` is its network namespace, `v4` and `v6` its underlay addresses when it is one of a pair."""

    name: str
    netns: str
    folder: Path
    v4: str = ""
    v6: str = ""
    _started: list[subprocess.Popen[str]] = field(default_factory=list, repr=False)

    @property
    def state_dir(self) -> Path:
        """Its $L2TPV3_STATE_DIR."""
        return self.folder / "state"

    @property
    def runtime_dir(self) -> Path:
        """Its $L2TPV3_RUNTIME_DIR."""
        return self.folder / "run"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its processes."""
        own = {"L2TPV3_STATE_DIR": str(self.state_dir), "L2TPV3_RUNTIME_DIR": str(self.runtime_dir)}
        return os.environ | own

    def address(self, family: int) -> str:
        """Its underlay address of family 4 or 6."""
        return {4: self.v4, 6: self.v6}[family]

    def run(
        self, command: Iterable[str | Path], *, check: bool = True, timeout_s: float = 60, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end. With `check`, a status other than 0 raises CalledProcessError, output attached."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.netns, *map(str, command)],
            input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s, env=self.environment,
        )  # fmt: skip
        return _checked(done) if check else done

    def start(self, command: Iterable[str | Path]) -> subprocess.Popen[str]:
        """Start a command that goes on meanwhile; it is ended with the host. Its output and error are one pipe."""
        process = subprocess.Popen(
            ["ip", "netns", "exec", self.netns, *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment,
        )  # fmt: skip
        self._started.append(process)
        return process

    def ctl(self, *words: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `l2tpctl` with these words, in a fork of a process that has imported it (tests/forks.py)."""
        done = FORKS.run(words, netns=self.netns, environment=self.environment, stdin=stdin)
        return _checked(done) if check else done

    def ip(self, *words: str) -> str:
        """Run `ip` with these words and give what it prints."""
        return subprocess.run(
            ["ip", "-n", self.netns, *words], check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
        ).stdout

    def ip_batch(self, lines: Iterable[str]) -> None:
        """Run lines of `ip` in one process."""
        _ip_batch(["-n", self.netns], lines)

    def ping(self, address: str, *options: str, count: int = 1, check: bool = True) -> bool:
        """Whether all of `count` pings are answered.

        With `check` they have to be: pings are sent again until they are, since the kernel drops what is sent by a
        netdev that has just come up until it gets to it (net/core/link_watch.c, up to a second, on a busy machine
        more). Raises AssertionError with what ping printed.
        """
        command = ["ping", "-q", "-n", "-c", str(count), "-i", "0.05", "-W", "2", *options, address]
        give_up = time.monotonic() + (PATIENCE_S if check else 0.0)
        while True:
            done = self.run(command, check=False)
            answered = done.returncode == 0 and f" {count} received" in done.stdout
            if answered or time.monotonic() >= give_up:
                assert answered or not check, f"{' '.join(command)}: {done.stdout}{done.stderr}"
                return answered
            time.sleep(0.05)

    def workers(self) -> list[int]:
        """The pids of the user datapath's workers that live in its run-time directory."""
        return processes_of([self.runtime_dir])


class Hosts:
    """Makes hosts, and unmakes them all in `close`, whatever state the test left them in."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        # /tmp and short: a unix socket's path has 107 bytes, which pytest's tmp_path alone can use up
        self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
        self._all: list[Host] = []

    def add(self, *names: str) -> list[Host]:
        """A host for each name, with `lo` up and no link to anywhere."""
        fresh = [self._new(name) for name in names]
        _ip_batch([], (f"netns add {host.netns}" for host in fresh))
        for host in fresh:
            host.ip_batch(["link set lo up"])
        return fresh

    def pair(self, names: tuple[str, str] = ("a", "b"), *, mtu: int = 1500) -> tuple[Host, Host]:
        """Two hosts joined by a veth called UNDERLAY in both: 10.99.0.1 and .2 of /24, fd99::1 and ::2 of /64."""
        a, b = (self._new(name) for name in names)
        ends = [f"{UNDERLAY} mtu {mtu} netns {host.netns}" for host in (a, b)]
        _ip_batch([], [f"netns add {a.netns}", f"netns add {b.netns}", f"link add {ends[0]} type veth peer {ends[1]}"])
        for number, host in enumerate((a, b), start=1):
            host.v4, host.v6 = f"10.99.0.{number}", f"fd99::{number}"
            lines = [f"addr add {host.v4}/24 dev {UNDERLAY}", "link set lo up"]
            if mtu >= 1280:  # below that the kernel has no IPv6 on it; nodad: usable at once
                lines.append(f"addr add {host.v6}/64 dev {UNDERLAY} nodad")
            host.ip_batch([*lines, f"link set {UNDERLAY} up"])
        return a, b

    def close(self) -> None:
        """End what runs on the hosts, by pid, and remove namespaces and files."""
        for host in self._all:
            for process in host._started:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
        end(self._processes())
        for host in self._all:
            for process in host._started:
                process.kill()
                process.communicate()
        _ip_batch(["-force"], [f"netns del {name}" for name in self._namespaces()])
        shutil.rmtree(self._folder, ignore_errors=True)

    def _namespaces(self) -> list[str]:
        """The hosts', and those that were made on demand, which tests call like a host with more behind a dash."""
        there = [path.name for path in Path("/run/netns").iterdir()] if Path("/run/netns").is_dir() else []
        ours = {host.netns for host in self._all}
        return [name for name in there if name in ours or any(name.startswith(f"{one}-") for one in ours)]

    def _new(self, name: str) -> Host:
        number = next(self._numbers)
        folder = self._folder / name
        folder.mkdir()
        host = Host(name, f"{PREFIX}{number}-{name}", folder)
        self._all.append(host)
        return host

    def _processes(self) -> list[int]:
        if not self._all:
            return []
        return processes_of([self._folder], [host.netns for host in self._all])


def _checked(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """What ran, when its status is 0. Raises CalledProcessError with what it printed otherwise."""
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
        error.add_note(f"stdout: {done.stdout}\nstderr: {done.stderr}")
        raise error
    return done


def _ip_batch(options: list[str], lines: Iterable[str]) -> None:
    text = "".join(f"{line}\n" for line in lines)
    if text:
        done = subprocess.run(
            ["ip", *options, "-b", "-"],
            input=text,
            text=True,
            check=False,
            capture_output=True,
        )
        if done.returncode and "-force" not in options:
            raise RuntimeError(f"ip refused: {done.stderr}\n{text}")


def processes_of(folders: Iterable[Path], namespaces: Iterable[str] = ()) -> list[int]:
    """Workers with a socket below these folders (their command line names it), and whoever lives in a namespace."""
    marks = [f"{folder}/".encode() for folder in folders]
    inodes = set()
    for name in namespaces:
        with contextlib.suppress(FileNotFoundError):
            inodes.add(Path("/run/netns", name).stat().st_ino)
    found = []
    for process in _processes():
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes()
            worker = b"worker" in line and any(mark in line for mark in marks)
            if worker or (inodes and (process / "ns" / "net").stat().st_ino in inodes and _lives_there(process)):
                found.append(int(process.name))
    return found


def _lives_there(process: Path) -> bool:
    """Whether a process is in a namespace of ours for good.

    Others only visit it: a search for a netdev goes through all namespaces of the machine, and so do commands of other
    runs, and processes that run their tests. What we start by `ip netns exec` has a mount namespace of its own.
    wireguard-go never visits, and is started without our environment.
    """
    if (process / "comm").read_text().strip() == "wireguard-go":
        return True
    marks = [word for word in (process / "environ").read_bytes().split(b"\0") if word.startswith(f"{MARK}=".encode())]
    if marks:
        return f"{MARK}={os.getpid()}".encode() in marks
    return (process / "ns" / "mnt").stat().st_ino != Path("/proc/self/ns/mnt").stat().st_ino


def _processes() -> Iterator[Path]:
    own = str(os.getpid())
    return (path for path in Path("/proc").iterdir() if path.name.isdigit() and path.name != own)


def end(pids: list[int]) -> None:
    """SIGTERM, a short wait, SIGKILL; none of them runs when this returns. Raises TimeoutError where one does."""
    for number, patience_s in ((signal.SIGTERM, _POLITE_S), (signal.SIGKILL, _KILLED_S)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience_s
        while (pids := [pid for pid in pids if runs(pid)]) and time.monotonic() < deadline:
            time.sleep(0.005)
        if not pids:
            return
    raise TimeoutError(f"processes {pids} were killed and run still")


def runs(pid: int) -> bool:
    """Whether a process runs. A zombie does not: only its number is left, for as long as its parent likes."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
