"""The units under a systemd that really runs them, in the guest: tunnels at boot, dead workers, what they expose."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.lab.calls import FUNCTION
from tests.passing import without_passing

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "netns-lab" / "guest"
UNITS = ("l2tpv3-restore.service", "l2tpv3-watch.service")

HOST = """
link add u0 type dummy
addr add 10.99.0.1/24 dev u0
link set u0 up
link add br0 type bridge
link set br0 up
"""
WANTED = """
[tunnel.kernel]
remote = "10.99.0.2"
datapath = "kernel"
[tunnel.kernel.session.lan]
address = "10.1.0.1/24"

[tunnel.user]
remote = "10.99.0.3"
local-port = 5000
datapath = "user"
[tunnel.user.session.bridged]
bridge = "br0"
[tunnel.user.session.addressed]
address = "10.2.0.1/24"
"""
FUNCTIONS = (
    f"set -e{FUNCTION}"
    + """
show() { ctl tunnel show --json --show-secrets; }
until_true() {
  local end=$((SECONDS + 300))
  while ((SECONDS < end)); do "$@" && return; sleep 1; done
  echo "never: $*" >&2
  journalctl -q -u 'l2tpv3*' >&2
  false
}
waiting() { journalctl -q -u l2tpv3-restore.service | grep -q waiting; }
active() { systemctl -q is-active "$@"; }
worker() { pgrep -x l2tpv3-worker; }
beside_programs() {
  local pid
  for pid in $(worker); do if grep -q /ebpf/worker- "/proc/$pid/cmdline"; then echo "$pid"; fi; done
}
others() { local now; now=$(beside_programs) && [[ -n $now && $now != "$1" ]]; }
replaced() { local now; now=$(worker) && [[ $now != "$1" ]]; }
up() { [[ $(ctl tunnel show "$1" --json | grep -c '"condition": "up"') == "$2" ]]; }
kill_worker() { old=$(worker); kill -9 "$old"; until_true replaced "$old"; until_true up "$@"; }
"""
)
FIRST_BOOT = """
ip -b host.batch
ctl apply -f wanted.toml
show > before.json
"""
# The host comes up late, when the unit is waiting for it already.
SECOND_BOOT = """
until_true waiting
ip -b host.batch
until_true active l2tpv3-restore.service l2tpv3-watch.service
show > restored.json
kill_worker user 3
show > again.json
grep -h -E '^(Uid|Cap|NoNewPrivs|Seccomp:)' /proc/$(worker)/status > worker.status
cat /proc/$(systemctl show -P MainPID l2tpv3-watch.service)/status > watch.status
systemd-analyze security --no-pager l2tpv3-restore.service > restore.security
systemd-analyze security --no-pager l2tpv3-watch.service > watch.security

ip netns add blue
ctl session add user moved --netns blue --address 10.3.0.1/24
for unit in restore watch; do
  install -D -m 644 "$NETNS" /etc/systemd/system/l2tpv3-$unit.service.d/netns.conf
done
systemctl daemon-reload
ctl session add user fresh --netns made --address 10.4.0.1/24
ip netns del made
old=$(worker)
systemctl restart l2tpv3-restore.service l2tpv3-watch.service
[[ $(worker) == "$old" ]]
ip -n made -br addr > made
kill_worker user 5
ip -n blue -br addr > blue
systemd-analyze security --no-pager l2tpv3-watch.service > netns.security

for unit in restore watch; do
  install -D -m 644 "$EBPF" /etc/systemd/system/l2tpv3-$unit.service.d/ebpf.conf
done
systemctl daemon-reload
ctl tunnel add programs --remote 10.99.0.4 --local-port 6000 --datapath ebpf
ctl session add programs lan --address 10.5.0.1/24
systemctl restart l2tpv3-restore.service l2tpv3-watch.service
old=$(beside_programs)
kill -9 "$old"
until_true others "$old"
until_true up programs 2
ctl tunnel show programs --json > taken-over.json
ctl down
systemctl restart l2tpv3-restore.service || { journalctl -q -u l2tpv3-restore.service >&2; false; }
up programs 2
ctl tunnel show programs --json > programs.json
systemd-analyze security --no-pager l2tpv3-watch.service > ebpf.security

systemctl stop l2tpv3-watch.service l2tpv3-restore.service
up user 5 && up kernel 2
systemctl --no-legend --failed list-units 'l2tpv3*' > failed
"""


@pytest.fixture
def disk() -> Iterator[Path]:
    """What outlives a guest: a folder in the checkout, which is what a guest shares wherever the checkout is."""
    with tempfile.TemporaryDirectory(prefix=".systemd-", dir=ROOT) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.timeout(2400)
def test_units_under_systemd(disk: Path) -> None:
    (disk / "host.batch").write_text(HOST)
    (disk / "wanted.toml").write_text(WANTED)
    machine = disk / "machine"
    _install(machine)
    _boot(disk, FIRST_BOOT, {"L2TPV3_STATE_DIR": str(machine / "var/lib/l2tpv3")})
    _boot(disk, SECOND_BOOT, {}, "--no-l2tp", "--files", str(machine), "--systemd", ",".join(UNITS))
    said = {path.name: path.read_text() for path in disk.iterdir() if path.is_file()}
    before, restored, again = (json.loads(said[f"{name}.json"]) for name in ("before", "restored", "again"))
    assert [_lasting(one) for one in restored["tunnels"]] == [_lasting(one) for one in before["tunnels"]]
    assert _netdevs(again) == _netdevs(restored), "it is the same netdev"
    assert again["tunnels"][1]["worker_pid"] != restored["tunnels"][1]["worker_pid"]
    _assert_confined(said)
    assert "10.3.0.1/24" in said["blue"]
    assert "10.4.0.1/24" in said["made"], "its namespace too"
    for name in ("taken-over", "programs"):
        (tunnel,) = json.loads(said[f"{name}.json"])["tunnels"]
        assert tunnel["notes"] == [], "the programs do all of it"
    assert not said["failed"]


def _assert_confined(said: dict[str, str]) -> None:
    for name in ("restore", "watch", "netns", "ebpf"):
        level = re.search(r"Overall exposure level .*: ([\d.]+)", said[f"{name}.security"])
        assert level is not None and float(level[1]) <= 2.5, said[f"{name}.security"]
        print(name, level[0])
    capabilities = re.search(r"^CapBnd:\s*([0-9a-f]+)", said["watch.status"], re.MULTILINE)
    assert capabilities is not None and int(capabilities[1], 16) == 1 << 12 | 1 << 13, "CAP_NET_ADMIN, CAP_NET_RAW"
    worker = dict(line.split(":\t", 1) for line in said["worker.status"].splitlines())
    none = "0" * 16
    assert [worker[f"Cap{which}"] for which in ("Inh", "Prm", "Eff", "Amb")] == [none] * 4
    assert (worker["NoNewPrivs"], worker["Seccomp"]) == ("1", "2")


def _install(machine: Path) -> None:
    """This checkout at /opt/l2tpv3: the units hide /home and /root, where it may be."""
    units = machine / "etc/systemd/system"
    program = machine / "usr/local/sbin/l2tpctl"
    (units / "local-fs.target.wants").mkdir(parents=True)
    (machine / "opt/l2tpv3").mkdir(parents=True)
    (machine / "var/lib").mkdir(parents=True)
    program.parent.mkdir(parents=True)
    for name in UNITS:
        (units / name).write_text((ROOT / "systemd" / name).read_text())
    (units / "opt-l2tpv3.mount").write_text(f"[Mount]\nWhat={ROOT}\nWhere=/opt/l2tpv3\nType=none\nOptions=bind,ro\n")
    (units / "local-fs.target.wants/opt-l2tpv3.mount").symlink_to("../opt-l2tpv3.mount")
    packages = Path(click.__file__).parents[1].relative_to(ROOT)
    start = f"import sys; sys.path[:0] = ['/opt/l2tpv3', '/opt/l2tpv3/{packages}']; from l2tpv3.cli import main"
    program.write_text(f'#!/bin/sh\nexec {_python()} -Ic "{start}; sys.exit(main())" "$@"\n')
    program.chmod(0o755)


def _python() -> str:
    """A Python that is no more in anybody's home than an administrator's would be."""
    for python in (Path(sys.executable).resolve(), Path("/usr/bin/python3")):
        if not python.is_relative_to("/root") and not python.is_relative_to("/home") and python.exists():
            version = subprocess.run([python, "-c", "import sys; print(sys.version_info >= (3, 11))"],
                                     check=True, capture_output=True, text=True)  # fmt: skip
            if version.stdout == "True\n":
                return str(python)
    pytest.skip("every Python 3.11 or later here is in somebody's home, which the units hide")


def _boot(folder: Path, script: str, environment: dict[str, str], *options: str) -> None:
    """Run a script in a guest that keeps nothing but this folder."""
    netns, ebpf = (ROOT / f"systemd/l2tpv3-{name}.conf" for name in ("netns", "ebpf"))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("L2TPV3_")}
    done = subprocess.run(
        [GUEST, "-w", ROOT, *options, "--", "bash", "-c",
         f"cd {folder}\nROOT={ROOT} PYTHON={sys.executable} NETNS={netns} EBPF={ebpf}\n{FUNCTIONS}{script}"],
        check=False, capture_output=True, text=True, timeout=2100, env=plain | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _lasting(tunnel: dict[str, Any]) -> dict[str, Any]:
    """What a reboot must not change: all but counters, process and interface numbers.

    Notes aside: a unit may not write to /sys, so the worker does without threaded NAPI and says so.
    """
    kept = without_passing(tunnel, "worker_pid", "notes")
    return kept | {"sessions": [_lasting_session(session) for session in kept["sessions"]]}


def _lasting_session(session: dict[str, Any]) -> dict[str, Any]:
    netdev = {key: value for key, value in session["netdev"].items() if key != "ifindex"}
    netdev["addresses"] = [one for one in netdev["addresses"] if not one.startswith("fe80:")]
    return session | {"netdev": netdev}


def _netdevs(document: dict[str, Any]) -> list[Any]:
    return [
        {key: value for key, value in session["netdev"].items() if key != "addresses"}
        | {"addresses": sorted(session["netdev"]["addresses"])}
        for tunnel in document["tunnels"]
        for session in tunnel["sessions"]
    ]
