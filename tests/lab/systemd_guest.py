"""A guest of Debian's kernel that systemd boots, with this checkout installed as an administrator would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from tests.lab.calls import FUNCTION

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "netns-lab" / "guest"
UNITS = ("l2tpv3-restore.service", "l2tpv3-watch.service")

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


def install(machine: Path) -> None:
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
    folders = ["/opt/l2tpv3", "/opt/l2tpv3/api", f"/opt/l2tpv3/{packages}"]
    start = f"import sys; sys.path[:0] = {folders}; from l2tpv3.cli import main"
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


def boot(folder: Path, script: str, environment: dict[str, str], *options: str) -> None:
    """Run a script in a guest that keeps nothing but this folder."""
    netns, ebpf = (ROOT / f"systemd/l2tpv3-{name}.conf" for name in ("netns", "ebpf"))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("L2TPV3_")}
    environment = plain | environment | {"L2TPV3_GUEST_TIMEOUT": "2000"}
    done = subprocess.run(
        [GUEST, "-w", ROOT, *options, "--", "bash", "-c",
         f"cd {folder}\nROOT={ROOT} PYTHON={sys.executable} NETNS={netns} EBPF={ebpf}\n{FUNCTIONS}{script}"],
        check=False, capture_output=True, text=True, timeout=2100, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
