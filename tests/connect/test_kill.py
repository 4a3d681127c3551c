"""`kill -9` of `connect` at each of its points: each end is wholly old or wholly new when the confirmation is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.host_processes import running
from tests.hosts import Host
from tests.points import sample
from tests.sshd import Sshd
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]

KILLED = Path(__file__).with_name("killed.py")
POINTS = 42
"""How many there are; a command that was not killed at the last one shows that there are no more."""
TRIED = 3


CONNECT = ["connect", "siteb", "--datapath", "user", "--peer-datapath", "user", "--confirm", "60"]


def killed(a: Host, sshd: Sshd, point: int, words: list[str]) -> int:
    """Run a command of two ends, which kills itself at that point. Gives how it ended."""
    environment = a.environment | {"L2TPV3_SSH": sshd.environment["L2TPV3_SSH"]}
    words = [*words, "--host", sshd.url]
    command = ["ip", "netns", "exec", a.netns, sys.executable, str(KILLED), str(point), *words]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=PATIENCE_S
    ).returncode


def settle(hosts: tuple[Host, Host]) -> None:
    """Wait until nothing of the killed command is under way at either end."""
    give_up = time.monotonic() + PATIENCE_S
    while any(running(host, b"run-sent") for host in hosts) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not any(running(host, b"run-sent") for host in hosts)


def end_the_time(host: Host) -> None:
    """End what waits for its confirmation as time would do it."""
    if json.loads(host.ctl("end-facts").stdout)["unconfirmed"]:
        undoing = running(host, b"expire")
        assert undoing, "nobody would undo it"
        host.ctl("rollback")
        for pid in undoing:
            os.kill(pid, signal.SIGTERM)


def is_new(host: Host) -> bool:
    """Whether a host has the tunnel, whole and confirmed, or nothing of it, when the time to confirm is over."""
    end_the_time(host)
    tunnels = json.loads(host.ctl("--json").stdout)["tunnels"]
    if not tunnels:
        assert json.loads(host.run(["ip", "-j", "link", "show", "type", "tun"]).stdout or "[]") == []
        return False
    (session,) = tunnels[0]["sessions"]
    assert tunnels[0]["condition"] == session["condition"] == "up" and session["netdev"] is not None
    return True


@pytest.mark.parametrize("point", sample(POINTS, TRIED))
def test_each_end_is_old_or_new(pair: tuple[Host, Host], sshd: Sshd, point: int) -> None:
    a, b = pair
    ended = killed(a, sshd, point, CONNECT)
    assert ended in (-signal.SIGKILL, 0), ended
    settle(pair)
    new = {host.name: is_new(host) for host in pair}
    if ended == 0:
        assert new == {"a": True, "b": True}
    else:
        assert not new["a"] or new["b"], "the far end confirms first"
    for host in (a, b):
        host.ctl("tunnel", "del", "siteb", check=False)
