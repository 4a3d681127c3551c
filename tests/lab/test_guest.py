"""netns-lab/guest, run as people run it. A boot takes three seconds here, hence few tests that ask much each."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.waiting import PATIENCE_S

GUEST = Path(__file__).resolve().parents[2] / "netns-lab" / "guest"


def test_a_command_runs_on_a_kernel_with_l2tp(tmp_path: Path) -> None:
    script = """
        echo here; echo there >&2; echo again >/dev/stderr
        grep '^l2tp_eth ' /proc/modules | cut -d' ' -f1
        echo "$L2TP_TEST_WORD" > made
        echo lost > /root-was-here 2>/dev/null || echo lost > /usr/root-was-here
        sleep 1000 &
        exit 7
    """
    environment = os.environ | {"L2TP_TEST_WORD": 'it\'s "quoted" $HOME'}
    done = subprocess.run(
        [GUEST, "-w", tmp_path, "--", "sh", "-c", script],
        check=False, capture_output=True, text=True, timeout=200, env=environment,
    )  # fmt: skip
    assert done.returncode == 7, done.stderr
    assert done.stdout == "here\nl2tp_eth\n"
    assert done.stderr == "there\nagain\n"
    assert (tmp_path / "made").read_text() == 'it\'s "quoted" $HOME\n', (
        "the folder is shared, the environment passed on"
    )
    assert not Path("/root-was-here").exists(), "the rest of the machine is left alone"
    assert not Path("/usr/root-was-here").exists()


def test_the_kernel_loads_l2tp_by_itself_and_a_link_of_the_machine_gives_way_to_a_file(tmp_path: Path) -> None:
    link = next(one for one in Path("/etc").iterdir() if one.is_symlink() and one.is_file())
    in_its_place = tmp_path / "etc" / link.name
    in_its_place.parent.mkdir()
    in_its_place.write_text("instead\n")
    script = f"""
        grep -c l2tp /proc/modules; ip l2tp show tunnel && grep -c '^l2tp_netlink ' /proc/modules
        cat {link}; cmp {link} {link.resolve()} >&2 || echo differs
    """
    done = subprocess.run(
        [GUEST, "-w", tmp_path, "--no-l2tp", "--files", tmp_path, "--", "sh", "-c", script],
        check=False, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.stdout.split() == ["0", "1", "instead", "differs"], done.stderr


def test_it_leaves_no_process_when_it_runs_out_of_time_or_is_killed(tmp_path: Path) -> None:
    mark = f"path={tmp_path}"
    slow = subprocess.run(
        [GUEST, "-w", tmp_path, "sleep", "1000"],
        check=False, capture_output=True, text=True, timeout=200, env=os.environ | {"L2TPV3_GUEST_TIMEOUT": "1"},
    )  # fmt: skip
    assert slow.returncode == 124
    assert "timed out after 1 s" in slow.stderr
    assert not _running(mark)
    for number in (signal.SIGTERM, signal.SIGKILL):
        guest = subprocess.Popen([GUEST, "-w", tmp_path, "sleep", "1000"])
        _wait_until(lambda: _running(mark))
        guest.send_signal(number)
        guest.wait(PATIENCE_S)
        _wait_until(lambda: not _running(mark))  # the kernel ends it after its parent


def _wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _running(mark: str) -> list[str]:
    """QEMUs by what is in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if line.startswith(("qemu", "/usr/bin/qemu")) and mark in line:
            found.append(line)
    return found
