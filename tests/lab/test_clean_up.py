"""However and whenever a run ends, nothing of it is left, unless it was to be kept."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.lab import SCENARIOS, lab, leftovers, start

pytestmark = pytest.mark.root

_TINY = str(SCENARIOS / "tiny")
_SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]


def _read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    story = ""
    for line in process.stdout:
        story += line
        if text in line:
            return story
    raise AssertionError(f"it ended before {text!r}: {story}")


@pytest.mark.parametrize("number", _SIGNALS)
@pytest.mark.parametrize("moment", ["One end", "network namespaces", "l2tpctl tunnel", "l2tpctl session", "sleep 0.7"])
def test_stopped_during_the_story(moment: str, number: signal.Signals) -> None:
    with start(_TINY, "--datapath", "user") as process:
        _read_until(process, moment)
        process.send_signal(number)
        assert process.stdout is not None
        rest = process.stdout.read()
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), rest
    if number != signal.SIGKILL:
        assert f"stopped by {number.name}; cleaned up" in rest
    assert leftovers(process.pid) == []


@pytest.mark.parametrize("number", _SIGNALS)
@pytest.mark.parametrize("delay_s", [0.02, 0.05, 0.08, 0.11, 0.14, 0.3])
def test_stopped_at_any_time(delay_s: float, number: signal.Signals) -> None:
    """While Python starts, while the network is built: the moments that no line of the story marks."""
    with start(_TINY, "--datapath", "user") as process:
        time.sleep(delay_s)
        process.send_signal(number)
        process.communicate()
    assert process.returncode != 0
    assert leftovers(process.pid) == []


def test_impatience_does_not_stop_the_clean_up() -> None:
    with start(_TINY, "--datapath", "user") as process:
        _read_until(process, "sleep 0.7")
        for _ in range(20):
            process.send_signal(signal.SIGINT)
            time.sleep(0.01)
        process.communicate()
    assert process.returncode == 128 + signal.SIGINT
    assert leftovers(process.pid) == []


def test_reader_that_goes_away() -> None:
    with start(_TINY, "--datapath", "user") as process:
        _read_until(process, "l2tpctl tunnel")
        assert process.stdout is not None
        process.stdout.close()
        process.wait()
    assert process.returncode == 128 + signal.SIGPIPE
    assert leftovers(process.pid) == []


def test_clean_sweeps_what_even_the_guard_could_not() -> None:
    with start(_TINY, "--datapath", "user") as process:
        _read_until(process, "sleep 0.7")
        run = f"lab-{process.pid}"
        os.kill(_guard(run), signal.SIGKILL)
        process.kill()
        process.communicate()
    done = lab("--clean", run)
    assert done.returncode == 0
    assert done.stdout == f"{run}: removed\n"
    assert leftovers(process.pid) == []


def test_keep_enter_clean() -> None:
    process = start(_TINY, "--datapath", "user", "--keep")
    story, _ = process.communicate()
    run = f"lab-{process.pid}"
    try:
        assert process.returncode == 0, story
        assert f"--enter {run}-siteA" in story
        done = lab("--enter", f"{run}-siteA", "l2tpctl", "session", "stats")
        assert done.returncode == 0
        assert "l2tpeth0" in done.stdout
        assert lab("--enter", f"{run}-siteB", "l2tpctl", "session", "stats").stdout.count("l2tpeth0") == 0
    finally:
        cleaned = lab("--clean", run)
    assert cleaned.stdout == f"{run}: removed\n"
    assert leftovers(process.pid) == []
    assert lab("--clean", run).returncode == 2


def test_clean_spares_a_run_that_is_being_played() -> None:
    with start(_TINY, "--datapath", "user") as process:
        _read_until(process, "sleep 0.7")
        refused = lab("--clean", f"lab-{process.pid}")
        story, _ = process.communicate()
    assert refused.returncode == 2
    assert "still being played" in refused.stderr
    assert process.returncode == 0, story
    assert leftovers(process.pid) == []


def test_shell_at_a_host() -> None:
    """The shell reads its commands here from a pipe; the run is gone after it."""
    process = start_with_input(_TINY, "--datapath", "user", "--shell", "siteA")
    output, _ = process.communicate("l2tpctl session stats; ip -br addr show dev wan; exit\n")
    assert "192.0.2.2/24" in output
    assert output.count("l2tpeth0") >= 1
    assert process.returncode == 0, output
    assert leftovers(process.pid) == []


def start_with_input(*arguments: str) -> subprocess.Popen[str]:
    """As start, with a pipe to write to."""
    import sys

    from tests.lab.lab import LAB

    return subprocess.Popen(
        [sys.executable, str(LAB), *arguments],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _guard(run: str) -> int:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().endswith(f"--guard\0{run}\0".encode()):
                return int(process.name)
    raise AssertionError(f"{run} has no guard")
