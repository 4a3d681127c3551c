"""Runs commands as a user types them at a host of the run: `ip netns exec HOST`, bounded in time, output kept."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from labrunner.errors import LabError
from labrunner.identity import Identity

_TIMED_OUT = 124  # as timeout(1)


@dataclass(frozen=True)
class Answer:
    """What came of a command (as shown; its output as it was).

    exit: 124 when it was ended for taking too long, -N when signal N ended it.
    """

    command: str
    exit: int
    stdout: str
    stderr: str
    seconds: float


def shown(run: Identity, command: str) -> str:
    """A command as people would type it: short names of hosts, single blanks."""
    return " ".join(run.shown(command).split())


def patience() -> float:
    """By how much to stretch every limit of time: $L2TPV3_LAB_PATIENCE, for slow machines (1)."""
    return float(os.environ.get("L2TPV3_LAB_PATIENCE") or 1)


def ask(run: Identity, host: str, command: str, timeout_s: float, text: str = "") -> Answer:
    """Run a command at a host and wait for its end. text: what it reads."""
    began = time.monotonic()
    process = start(run, host, shlex.split(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=text)
    status: int | None = None
    try:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s * patience())
        except subprocess.TimeoutExpired:
            status = _TIMED_OUT
            stop(process)
            # Something that it started may hold the pipes open still: don't wait for that.
            stdout, stderr = "", f"no answer within {timeout_s * patience():g} s; ended"
    except BaseException:
        stop(process)
        raise
    return Answer(
        command=shown(run, command),
        exit=process.returncode if status is None else status,
        stdout=stdout,
        stderr=stderr,
        seconds=time.monotonic() - began,
    )


def start(
    run: Identity, host: str, arguments: list[str], *, stdout: int | IO[str], stderr: int | IO[str], text: str = ""
) -> subprocess.Popen[str]:
    """Start a command at a host, in a session of its own: Ctrl-C at the terminal is for the runner alone.

    text: what it reads, from a file, so that it may open /dev/stdin, and as often as it likes.
    """
    try:
        with _readable(text) as stdin:
            return subprocess.Popen(
                ["ip", "netns", "exec", run.netns(host), *arguments],
                env=run.environment(host),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                text=True,
                errors="replace",
                start_new_session=True,
            )
    except OSError as error:
        raise LabError(f"can't start ip: {error}") from error


@contextlib.contextmanager
def _readable(text: str) -> Iterator[int | IO[str]]:
    if not text:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile("w+") as file:
        file.write(text)
        file.seek(0)
        yield file


def stop(process: subprocess.Popen[str]) -> None:
    """End a process and its group at once, and reap it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
