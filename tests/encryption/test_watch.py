"""`watch` makes again what encrypts a tunnel, when somebody deleted it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

L2TPCTL = Path(sys.executable).with_name("l2tpctl")


def test_watch_makes_the_netdev_again(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard")
    a.start([L2TPCTL, "watch"])
    (ifname,) = [line.split(":")[1].strip() for line in a.ip("-o", "link").splitlines() if "l2tpwg" in line]
    a.ip("link", "del", ifname)
    deadline = time.monotonic() + PATIENCE_S
    while _condition(a) != "up" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert _condition(a) == "up"


def _condition(host: Host) -> str:
    return str(json.loads(host.ctl("tunnel", "show", "t", "--json").stdout)["tunnels"][0]["condition"])
