"""`kill -9` of `connect --as iproute2`: each end is wholly old or wholly new when the confirmation is over.

`ip l2tp` at the far end is as in test_typed.py. Its clock is stepped: `sleep` there waits for nothing once the command
was killed.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.connect.connections import Connections
from tests.connect.test_kill import is_new, killed, settle
from tests.connect.test_typed import IP, tunnels
from tests.host_processes import running
from tests.hosts import Host
from tests.points import sample
from tests.sshd import L2TPCTL, Sshd
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]

POINTS = 29
"""How many there are; a command that was not killed at the last one shows that there are no more."""
TRIED = 2
CONNECT = ["connect", "siteb", "--as", "iproute2", "--datapath", "user", "--confirm", "60"]
SLEEP = """\
#!/bin/sh
[ -e {folder}/is-over ] || exec /bin/sleep "$@"
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is found before other programs at the far end."""
    folder = tmp_path_factory.mktemp("programs")
    for name, text in (("ip", IP), ("sleep", SLEEP)):
        (folder / name).write_text(text.format(folder=folder, l2tpctl=L2TPCTL))
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def far(pair: tuple[Host, Host], programs: Path) -> Sshd:
    """sshd at an end without l2tpctl."""
    return Sshd(pair[1], PATH=f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.fixture(autouse=True)
def removed(pair: tuple[Host, Host]) -> Iterator[None]:
    """Removes what a test has made."""
    yield
    for host in pair:
        for name in tunnels(host):
            host.ctl("tunnel", "del", name)


@pytest.mark.parametrize("point", sample(POINTS, TRIED))
def test_each_end_is_old_or_new(pair: tuple[Host, Host], far: Sshd, programs: Path, point: int) -> None:
    a, b = pair
    is_over = programs / "is-over"
    is_over.unlink(missing_ok=True)
    ended = killed(a, far, point, CONNECT)
    assert ended in (-signal.SIGKILL, 0), ended
    settle(pair)
    eventually(lambda: not running(a, b"ssh") and not sessions_of(far))  # no script is under way
    is_over.touch()
    connection = Connections(a.state_dir).find("siteb")
    if connection is not None:  # what the far end notes while a change is under way, or waits to be confirmed
        eventually(lambda: not Path(f"/run/l2tpv3-connect-{connection.marks[1][:16]}").exists())
    new_here, new_there = is_new(a), is_new_typed(b)
    if ended == 0:
        assert new_here and new_there
    else:
        assert not new_here or new_there, "the far end confirms first"


def sessions_of(sshd: Sshd) -> str:
    """The pids of the processes by which an sshd serves somebody."""
    pid = sshd.process.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def is_new_typed(host: Host) -> bool:
    """Whether a host has what was typed, whole, or nothing of it."""
    found = json.loads(host.ctl("--json").stdout)["tunnels"]
    if not found:
        assert json.loads(host.run(["ip", "-j", "link", "show", "type", "tun"]).stdout or "[]") == []
        return False
    (session,) = found[0]["sessions"]
    assert session["condition"] == "up" and session["netdev"] is not None
    return True
