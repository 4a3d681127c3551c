"""Where a host's record and run-time files are, by environment and network namespace."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from l2tpv3.paths import Paths
from tests.hosts import Host

_PRINT = "from l2tpv3 import Paths; p = Paths.from_environment(); print(p.state, p.runtime)"


def test_the_environment_names_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("L2TPV3_STATE_DIR", raising=False)
    monkeypatch.delenv("L2TPV3_RUNTIME_DIR", raising=False)
    assert Paths.from_environment() == Paths(Path("/var/lib/l2tpv3"), Path("/run/l2tpv3"))
    monkeypatch.setenv("L2TPV3_STATE_DIR", "/a")
    assert Paths.from_environment() == Paths(Path("/a"), Path("/run/l2tpv3"))
    monkeypatch.setenv("L2TPV3_RUNTIME_DIR", "/b")
    assert Paths.from_environment() == Paths(Path("/a"), Path("/b"))


@pytest.mark.root
def test_a_named_network_namespace_has_its_own(netns: Callable[[str], Host]) -> None:
    host = netns("a")
    unset = ["env", "-u", "L2TPV3_STATE_DIR", "-u", "L2TPV3_RUNTIME_DIR", sys.executable, "-c", _PRINT]
    said = host.run(unset).stdout.split()
    assert said == [f"/var/lib/l2tpv3@{host.netns}", f"/run/l2tpv3@{host.netns}"]
    assert host.run(["unshare", "--net", *unset]).stdout.split() == ["/var/lib/l2tpv3", "/run/l2tpv3"]
    assert host.run([sys.executable, "-c", _PRINT]).stdout.split() == [str(host.state_dir), str(host.runtime_dir)]
