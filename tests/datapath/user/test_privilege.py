"""What a worker may do once it runs: nothing but move frames."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from l2tpv3.worker.sandbox import landlock, privileges, seccomp
from tests.datapath.user.ends import End, session

pytestmark = pytest.mark.root


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_the_worker_holds_no_privilege(ends: tuple[End, End]) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    (pid,) = a.host.workers()
    seen = status(pid)
    none = "0" * 16
    assert [seen[f"Cap{which}"] for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")] == [none] * 5
    assert seen["NoNewPrivs"] == "1"
    uid, gid = privileges.find_user()
    assert uid != 0
    assert seen["Uid"].split() == [str(uid)] * 4
    assert seen["Gid"].split() == [str(gid)] * 4
    assert seen["Groups"] == ""
    assert seen["Seccomp"] == "2"
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    assert [line.split()[-3:-1] for line in limits if line.startswith(("Max core", "Max processes"))] == [
        ["0", "0"]
    ] * 2


def test_the_worker_is_on_its_own_and_small(ends: tuple[End, End]) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    (pid,) = a.host.workers()
    assert os.getsid(pid) == pid != os.getsid(0)
    assert int(status(pid)["VmRSS"].split()[0]) < 40_000
    files = {str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)}
    assert files == {"/dev/null", str(a.host.runtime_dir / "worker-0.log")}
    assert Path(f"/proc/{pid}/comm").read_text() == "l2tpv3-worker\n"
    line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    assert str(a.host.runtime_dir / "worker-0") in line
    assert session().tx_cookie.hex() not in line
    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    maps = Path(f"/proc/{pid}/maps").read_text()
    assert "pyroute2" not in maps and "scapy" not in maps
    assert stat.S_IMODE((a.host.runtime_dir / "worker-0.sock").stat().st_mode) == 0o600


def test_the_worker_imports_nothing_heavy() -> None:
    """Nor the privileged side: what is not there can't be abused."""
    code = (
        "import sys; import l2tpv3.worker.sandbox.privileges, l2tpv3.worker.sandbox.seccomp;"
        "import l2tpv3.worker.server; print(*sys.modules)"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    modules = set(output.split())
    assert not modules & {
        "pyroute2",
        "click",
        "scapy",
        "subprocess",
        "ipaddress",
        "l2tpv3.model.spec",
        "asyncio",
        "sqlite3",
    }
    assert "l2tpv3.datapath.user.datapath" not in modules


FORBIDDEN = {
    "open": "open('/etc/passwd')",
    "socket": "socket.socket()",
    "fork": "os.fork()",
    "exec": "os.execv('/bin/true', ['true'])",
    "kill": "os.kill(os.getppid(), 0)",
    "ioctl": "fcntl.ioctl(0, 0x5401, bytes(64))",
    "connect": "left.connect('/nowhere')",
    "setuid": "os.setuid(0)",
    "unlink": "os.unlink('/tmp/nothing')",
}


@pytest.mark.parametrize("call", FORBIDDEN.values(), ids=FORBIDDEN)
def test_the_filter_refuses(call: str) -> None:
    code = (
        "import fcntl, os, socket, sys\n"
        "from l2tpv3.worker.sandbox import privileges, seccomp\n"
        "left, right = socket.socketpair()\n"
        "assert privileges.drop(*privileges.find_user())\n"
        "assert seccomp.confine()\n"
        "left.send(b'still works'); assert right.recv(20) == b'still works'\n"
        f"try:\n    {call}\n"
        "except OSError as error:\n    assert error.errno in (1, 38), error\n    print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "refused\n", done.stderr


def _without_setuid(code: str) -> subprocess.CompletedProcess[str]:
    """As root with the capabilities that the systemd units leave."""
    limited = ["setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--no-new-privs", sys.executable, "-c", code]
    return subprocess.run(limited, capture_output=True, text=True, check=False)


def test_who_may_not_change_its_user_gives_up_all_else_and_has_no_files() -> None:
    code = """
from pathlib import Path
from l2tpv3.worker.sandbox import landlock, privileges
assert privileges.drop(*privileges.find_user()) is False
lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(*(lines[f"Cap{which}"].strip() for which in ("Inh", "Prm", "Eff", "Amb")), lines["NoNewPrivs"].strip())
print("isolated", landlock.isolate())
for path in ("/etc/shadow", "/proc/self/status", "/etc"):
    try:
        open(path)
    except PermissionError:
        print("refused")
"""
    done = _without_setuid(code)
    none = "0" * 16
    lines = done.stdout.splitlines()
    assert lines[0].split() == [none, none, none, none, "1"], done.stderr
    if lines[1] == "isolated False":
        pytest.skip("this kernel has no Landlock")
    assert lines[2:] == ["refused"] * 3


def test_who_can_neither_change_its_user_nor_filter_its_calls_does_not_start() -> None:
    code = """
import socket
from l2tpv3 import worker_process
from l2tpv3.worker.sandbox import seccomp
seccomp.confine = lambda: False
control = socket.socket(socket.AF_UNIX)
try:
    worker_process._prepare(control.detach())
except PermissionError as error:
    print(error)
"""
    assert "neither leave root" in _without_setuid(code).stdout


@pytest.mark.parametrize("abi", range(1, 8))
def test_a_domain_takes_away_what_its_kernel_knows(abi: int) -> None:
    attr = landlock.rights(abi)
    assert len(attr) == (8 if abi < 4 else 16 if abi < 6 else 24)
    assert int.from_bytes(attr[:8], sys.byteorder) & 0x1FFF == 0x1FFF


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_well_formed(machine: str) -> None:
    """Every jump of the program for each architecture stays in it, and it ends in a return."""
    program = seccomp.program(machine)
    assert program is not None
    assert len(program) % 8 == 0
    count = len(program) // 8
    assert count < 4096  # BPF_MAXINSNS
    for position in range(count):
        code, on_true, on_false = (
            int.from_bytes(program[position * 8 :][:2], sys.byteorder),
            *program[position * 8 + 2 :][:2],
        )
        if code & 0x07 == 0x05:
            assert position + 1 + max(on_true, on_false) < count
    assert int.from_bytes(program[-8:-6], sys.byteorder) == 0x06


def test_an_architecture_that_is_not_known_goes_without() -> None:
    assert seccomp.program("vax") is None
