"""A reboot: what one boot of a guest has made, the next has again, exactly. Each boot is a machine of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.calls import FUNCTION
from tests.passing import without_passing

ROOT = Path(__file__).resolve().parents[2]
GUEST = ROOT / "netns-lab" / "guest"
L2TPCTL = Path(sys.executable).with_name("l2tpctl")

HOST = """
link add u0 type dummy
addr add 10.99.0.1/24 dev u0
addr add fd99::1/64 dev u0 nodad
link set u0 up
link add br0 type bridge
link set br0 up
netns add blue
netns add green
link add g0 netns green type dummy
"""
GREEN = """
addr add 10.88.0.1/24 dev g0
link set g0 up
"""
WANTED = """
[tunnel.kernel-udp]
remote = "10.99.0.2"
datapath = "kernel"
[tunnel.kernel-udp.session.bridged]
bridge = "br0"
[tunnel.kernel-udp.session.addressed]
id = 77
peer-id = 78
address = ["10.1.0.1/24", "fd01::1/64"]
mac = "02:00:5e:00:53:01"
mtu = 1300
sequencing = "both"

[tunnel.kernel-ip6]
remote = "fd99::2"
encap = "ip"
id = 500
datapath = "kernel"
[tunnel.kernel-ip6.session.moved]
netns = "blue"
sublayer = "none"
tx-cookie = "01234567"
rx-cookie = "none"
address = "10.2.0.1/24"

[tunnel.user-udp]
remote = "10.99.0.3"
local-port = 5000
datapath = "user"
[tunnel.user-udp.session.bridged]
bridge = "br0"
ifname = "tap-lan"
[tunnel.user-udp.session.moved]
netns = "blue"
up = false
reorder-timeout-ms = 40
[tunnel.user-udp.session.apart]
netns = "made-on-demand"
address = "10.4.0.1/24"

[tunnel.user-netns]
remote = "10.88.0.2"
netns = "green"
datapath = "user"
udp-checksum = "off"
[tunnel.user-netns.session.lan]
address = "10.3.0.1/24"
"""
MAKE_HOST = "ip -b host.batch && ip -n green -b green.batch"
SHOW = "tunnel show --json --show-secrets"
FIRST_BOOT = f"""
set -e{FUNCTION}
{MAKE_HOST}
ctl apply -f wanted.toml
ctl tunnel add gone --remote 10.99.0.9 --local-port 6000 --transient
ctl {SHOW} > before.json
cat /proc/sys/kernel/random/boot_id > first.boot
"""
SECOND_BOOT = f"""
set -e
"$CTL" restore --wait 100 2> restore.log & restoring=$!
for ((tries = 0; tries < 300; tries++)); do grep -q waiting restore.log && break; sleep 0.2; done
{MAKE_HOST}
wait $restoring
"$CTL" {SHOW} > after.json
cat /proc/sys/kernel/random/boot_id > second.boot
"""


@pytest.fixture
def disk() -> Iterator[Path]:
    """What outlives a guest: a folder in the checkout, which is what a guest shares wherever the checkout is."""
    with tempfile.TemporaryDirectory(prefix=".reboot-", dir=ROOT) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.timeout(1500)
def test_a_reboot_brings_back_exactly_what_was_there(disk: Path) -> None:
    (disk / "host.batch").write_text(HOST)
    (disk / "green.batch").write_text(GREEN)
    (disk / "wanted.toml").write_text(WANTED)
    _boot(disk, FIRST_BOOT)
    _boot(disk, SECOND_BOOT)
    assert (disk / "first.boot").read_text() != (disk / "second.boot").read_text()
    said = (disk / "restore.log").read_text().splitlines()
    assert [line.split(":")[1] for line in said if line.startswith("tunnel ")].count(" restored") == 4
    assert any(": waiting: " in line for line in said), "it began before there was anything to restore on"
    before = json.loads((disk / "before.json").read_text())["tunnels"]
    after = json.loads((disk / "after.json").read_text())["tunnels"]
    assert [one["name"] for one in before] == ["gone", "kernel-ip6", "kernel-udp", "user-netns", "user-udp"]
    lasting = [one for one in before if not one["transient"]]
    assert {session["condition"] for one in lasting for session in one["sessions"]} == {"up", "down"}
    assert [_lasting(one) for one in after] == [_lasting(one) for one in lasting]


def _boot(folder: Path, script: str) -> None:
    """Run a script in a guest that keeps nothing but this folder."""
    environment = os.environ | {"L2TPV3_STATE_DIR": str(folder / "state"), "L2TPV3_RUNTIME_DIR": "/run/l2tpv3"}
    done = subprocess.run(
        [GUEST, "-w", ROOT, "--", "bash", "-c",
         f"cd {folder}\nCTL={L2TPCTL} ROOT={ROOT} PYTHON={sys.executable}\n{script}"],
        check=False, capture_output=True, text=True, timeout=700, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _lasting(tunnel: dict[str, Any]) -> dict[str, Any]:
    """What a reboot must not change: all but counters, process and interface numbers."""
    kept = without_passing(tunnel, "worker_pid")
    return kept | {"sessions": [_lasting_session(session) for session in kept["sessions"]]}


def _lasting_session(session: dict[str, Any]) -> dict[str, Any]:
    netdev = {key: value for key, value in session["netdev"].items() if key != "ifindex"}
    netdev["addresses"] = sorted(one for one in netdev["addresses"] if not one.startswith("fe80:"))
    return session | {"netdev": netdev}
