"""`l2tpctl watch` on a host of tests/hosts.py, and waiting for what it does."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.here import Here
from tests.waiting import PATIENCE_S, eventually

_L2TPCTL = Path(sys.executable).with_name("l2tpctl")
_UNITS = Path(__file__).resolve().parents[1] / "systemd"


@contextlib.contextmanager
def watch(
    here: Here, prefix: Sequence[str] | None = None, *, knows_workers: bool = True
) -> Iterator[subprocess.Popen[str]]:
    """Ended before the workers are, which it would bring back. It takes signals and knows the workers in the block.

    prefix: by default, what its unit leaves it. knows_workers: no when it can't find the workers that there are.
    """
    workers = set(here.host.workers()) if knows_workers else set()
    process = here.host.start([*(as_in_the_unit() if prefix is None else prefix), _L2TPCTL, "watch"])
    try:
        eventually(lambda: process.poll() is not None or (_takes_sigterm(process.pid) and workers <= watched(process)))
        assert process.poll() is None, said(process)
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _takes_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM (proc_pid_status(5)): before that, it would just die of it."""
    (caught,) = re.findall(r"^SigCgt:\t(\w+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def watched(process: subprocess.Popen[str]) -> set[int]:
    """The processes whose end `l2tpctl watch` would notice, by its pidfds (pidfd_open(2))."""
    texts = []
    for file in Path(f"/proc/{process.pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            texts.append(file.read_text())
    return {int(pid) for text in texts for pid in re.findall(r"^Pid:\t(\d+)", text, re.MULTILINE)}


def as_in_the_unit(*drop_ins: str) -> list[str]:
    """A command that has another one run with what l2tpv3-watch.service, and drop-ins, leave of capabilities."""
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    text = "".join((_UNITS / name).read_text() for name in ("l2tpv3-watch.service", *drop_ins))
    names = " ".join(re.findall(r"^CapabilityBoundingSet=(.*)$", text, re.MULTILINE)).lower().split()
    kept = ",".join(f"+{name.removeprefix('cap_')}" for name in names)
    # by `ip netns exec` it is in the namespace already, as a unit is in its own
    return [setpriv, f"--bounding-set=-all,{kept}", "--no-new-privs"]


def said(process: subprocess.Popen[str]) -> str:
    """All that it says until its end."""
    assert process.stdout is not None
    return process.stdout.read()


def told(process: subprocess.Popen[str], last: str, times: int = 1) -> list[str]:
    """The next lines that it says, until it has said this one so many times.

    They are waited for: what it has done can be seen a moment before it says so.
    """
    assert process.stdout is not None
    lines: list[str] = []
    while lines.count(last) < times:
        line = process.stdout.readline()
        assert line, f"it ended, and has said {lines}"
        lines.append(line.removesuffix("\n"))
    return lines
