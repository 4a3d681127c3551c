"""What containers leave of root: one user id, or one capability. Each case is a namespace with `l2tpctl` in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

_L2TPCTL = Path(sys.executable).with_name("l2tpctl")
ROOTLESS = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
"""A user namespace with one user id, in which setgroups(2) is denied."""


def with_only(*names: str) -> list[str]:
    """Root in a network namespace, with these capabilities alone."""
    kept = "".join(f",+{name}" for name in names)
    return ["unshare", "--net", "setpriv", f"--bounding-set=-all{kept}", "--no-new-privs"]


def run(prefix: list[str], folder: Path, *lines: str) -> str:
    """What lines of shell print there; `$ctl` is l2tpctl. The network is a loopback with two addresses."""
    here = {"L2TPV3_STATE_DIR": f"{folder}/state", "L2TPV3_RUNTIME_DIR": f"{folder}/run", "ctl": str(_L2TPCTL)}
    start = ["ip link set lo up", "ip addr add 10.1.1.1/32 dev lo", "ip addr add 10.1.1.2/32 dev lo"]
    script = "\n".join([*start, *lines, "$ctl down"])
    done = subprocess.run(
        [*prefix, "sh", "-c", script], env=os.environ | here, capture_output=True, text=True, check=False, timeout=60
    )
    left = [path.name for path in (folder / "run").iterdir()]
    assert left == ["lock"], left
    return done.stdout + done.stderr


ADD = "$ctl tunnel add a --local 10.1.1.1 --remote 10.1.1.2 --datapath user"


@pytest.mark.parametrize("prefix", [ROOTLESS, with_only("net_admin")], ids=["rootless", "net-admin"])
def test_pseudowires_over_udp_take_no_more_than_net_admin(prefix: list[str], tmp_path: Path) -> None:
    said = run(prefix, tmp_path, ADD, "$ctl session add a s --ifname pw1", "ip link show pw1", "$ctl tunnel show a")
    assert "tunnel a: added" in said and "session a/s: added" in said, said
    assert "qlen 500" in said and "LOWER_UP" in said, said


def test_over_ip_the_capability_that_is_lacking_is_named(tmp_path: Path) -> None:
    said = run(with_only("net_admin"), tmp_path, f"{ADD} --encap ip")
    assert "root has no CAP_NET_RAW here" in said and "--cap-add NET_RAW" in said, said


def test_for_a_new_namespace_the_capability_that_is_lacking_is_named(tmp_path: Path) -> None:
    said = run(with_only("net_admin", "net_raw"), tmp_path, ADD, "$ctl session add a s --netns l2tpv3-test-none")
    assert "--cap-add SYS_ADMIN" in said and "run as root" not in said, said
