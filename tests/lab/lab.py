"""Runs netns-lab/lab for the tests, and looks for what a run left."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAB = Path(__file__).resolve().parents[2] / "netns-lab" / "lab"
SCENARIOS = Path(__file__).resolve().parent / "scenarios"
_SETTLE_S = 15.0


@dataclass(frozen=True)
class Played:
    """What came of a run: its exit status, its JSON (empty when there is none), its story."""

    status: int
    document: dict[str, Any]
    story: str


def lab(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the lab to its end."""
    command = [sys.executable, str(LAB), *arguments]
    return subprocess.run(command, text=True, capture_output=True, check=False, timeout=580, env=env)


def play(scenario: str, *options: str) -> Played:
    """Play a scenario with --json."""
    done = lab(scenario, "--json", *options)
    return Played(done.returncode, json.loads(done.stdout or "{}"), done.stderr)


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the lab; its story is on stdout, and its pid names its run."""
    command = [sys.executable, str(LAB), *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def leftovers(pid: int) -> list[str]:
    """What is left of the run of the lab with that pid, after a moment in which it may go."""
    deadline = time.monotonic() + _SETTLE_S
    while (there := _there(f"lab-{pid}")) and time.monotonic() < deadline:
        time.sleep(0.05)
    return there


def _there(run: str) -> list[str]:
    spaces = Path("/run/netns")
    found = [path.name for path in spaces.iterdir() if path.name.startswith(f"{run}-")] if spaces.is_dir() else []
    if Path("/run/l2tpv3-lab", run).exists():
        found.append(f"/run/l2tpv3-lab/{run}")
    return found + _processes(run)


def _processes(run: str) -> list[str]:
    """By the mark in their environment, and for workers, whose environment is empty, by the path in their argv."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            marked = f"L2TPV3_LAB_RUN={run}".encode() in (process / "environ").read_bytes().split(b"\0")
            if line and (marked or f"/{run}/" in line or line.endswith(f"--guard {run}")):
                found.append(f"process {process.name}: {line}")
    return found
