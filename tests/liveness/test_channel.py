"""Probes in the pseudowire itself, from option to hook, on both datapaths that have workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.model.hearing import Hearing
from l2tpv3.model.probe import ProbeState
from tests.here import Here
from tests.hosts import Hosts
from tests.liveness.hooks import noting_hook
from tests.waiting import eventually
from tests.watching import watch

pytestmark = pytest.mark.root

PROBED = {"probe": "bfd", "probe-interval-ms": "300", "probe-multiplier": "10"}
COOKIES = {"tx-cookie": "00112233", "rx-cookie": "00112233"}


@pytest.fixture(params=["user", "ebpf"])
def joined(hosts: Hosts, request: pytest.FixtureRequest) -> Iterator[tuple[Here, Here]]:
    """Two hosts with a session between them that is not probed yet."""
    a, b = (Here(host) for host in hosts.pair())
    for number, (near, far) in enumerate(((a, b), (b, a)), start=1):
        near.add_tunnel("peer", {"remote": far.host.v4, "datapath": request.param})
        near.add_session("peer", "lan", {**COOKIES, "address": [f"10.9.0.{number}/24"]})
    yield a, b


def test_dead_and_alive_again_is_told_and_frames_pass(
    joined: tuple[Here, Here], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = joined
    said = noting_hook(tmp_path, monkeypatch)
    for one in (a, b):
        assert not one.set_session("peer", "lan", PROBED | {"on-dead": "hook:note"}).recreated
    assert a.session("peer", "lan").spec.probe == "bfd"
    eventually(lambda: _states(a, b) == [ProbeState.ALIVE] * 2)  # without any watch
    assert a.session("peer", "lan").hearing is Hearing.HEARD
    assert a.host.ping("10.9.0.2")
    told = ["alive peer lan"]
    with watch(a):
        eventually(lambda: _lines(said) == told)
        for state, word in (("down", "dead"), ("up", "alive")):
            a.host.ip("link", "set", "u0", state)
            told.append(f"{word} peer lan")
            eventually(lambda: _lines(said) == told)
    eventually(lambda: _states(a, b) == [ProbeState.ALIVE] * 2)
    a.set_session("peer", "lan", {"probe": "none"})
    eventually(lambda: _states(a, b) == [None, ProbeState.STARTING])


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _states(*ends: Here) -> list[ProbeState | None]:
    found = [one.session("peer", "lan").probing for one in ends]
    return [one.state if one is not None else None for one in found]
