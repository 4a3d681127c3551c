"""BFD on real netdevs: with another watch, and with bfdd of FRR."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.linux.readable import wait_readable
from l2tpv3.liveness.probed import ProbedByBfd
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.probe import ProbeKind, ProbeState, ProbeTarget
from l2tpv3.wire.bfd import BfdState
from tests.here import Here
from tests.hosts import Hosts
from tests.waiting import PATIENCE_S, eventually
from tests.watching import watch

pytestmark = pytest.mark.root

FRR = Path("/usr/lib/frr")
QUICKLY = {"probe-interval-ms": "300", "probe-multiplier": "3"}


@pytest.fixture(params=[4, 6])
def joined(hosts: Hosts, request: pytest.FixtureRequest) -> Iterator[tuple[Here, Here, list[str]]]:
    """Two hosts with a session between them, and the address of each on it."""
    a, b = (Here(host) for host in hosts.pair())
    addresses = [f"10.9.0.{number}" if request.param == 4 else f"fd00:9::{number}" for number in (1, 2)]
    for near, far, own in ((a, b, addresses[0]), (b, a, addresses[1])):
        near.add_tunnel("peer", {"remote": far.host.v4, "datapath": "user"})
        cookies = {"tx-cookie": "00112233", "rx-cookie": "00112233"}
        near.add_session("peer", "lan", {**cookies, "address": [f"{own}/{24 if request.param == 4 else 64}"]})
    yield a, b, addresses


def test_both_ends_find_a_failure_and_an_end_that_stops_watching_is_none(
    joined: tuple[Here, Here, list[str]],
) -> None:
    a, b, addresses = joined
    a.set_session("peer", "lan", {"probe": f"bfd:{addresses[1]}", **QUICKLY})
    b.set_session("peer", "lan", {"probe": f"bfd:{addresses[0]}", **QUICKLY})
    with watch(a):
        with watch(b):
            eventually(lambda: _states(a, b) == [ProbeState.ALIVE] * 2)
            a.host.ip("link", "set", "u0", "down")
            eventually(lambda: _states(a, b) == [ProbeState.DEAD] * 2)
            dead = a.session("peer", "lan")
            assert dead.probing is not None and dead.probing.reason
            eventually(lambda: a.session("peer", "lan").hearing is Hearing.DEAD)
            a.host.ip("link", "set", "u0", "up")
            eventually(lambda: _states(a, b) == [ProbeState.ALIVE] * 2)
        eventually(lambda: _states(a) == [ProbeState.STARTING])  # that end said that it stops


def test_with_bfdd_of_frr(joined: tuple[Here, Here, list[str]]) -> None:
    a, b, addresses = joined
    a.set_session("peer", "lan", {"probe": f"bfd:{addresses[1]}", **QUICKLY})
    with watch(a), _bfdd(b, addresses) as told:
        eventually(lambda: _states(a) == [ProbeState.ALIVE])
        eventually(lambda: told()["status"] == "up")
        eventually(lambda: told()["remote-transmit-interval"] == 300)
        a.host.ip("link", "set", "u0", "down")
        eventually(lambda: _states(a) == [ProbeState.DEAD])
        eventually(lambda: told()["status"] == "down")
        a.host.ip("link", "set", "u0", "up")
        eventually(lambda: _states(a) == [ProbeState.ALIVE] and told()["status"] == "up")


def test_the_other_end_is_told_for_its_detection_time_that_nobody_watches() -> None:
    target = ProbeTarget(
        key="k", name="t/s", netns=None, ifname="lo", kind=ProbeKind.BFD, address=ip_address("127.0.0.1"),
        interval_s=0.5, multiplier=4,
    )  # fmt: skip
    one, at, told = ProbedByBfd(target, 0.0), 0.0, []
    while (again_at := one.leave(at)) is not None:
        assert one.socket is not None and wait_readable([one.socket], PATIENCE_S), "it reaches itself by lo"
        told += [(at, packet.state) for packet in one.socket.packets()]
        at = again_at
    assert told == [(at, BfdState.ADMIN_DOWN) for at in (0.0, 0.5, 1.0, 1.5)]
    assert at == 2.0 and one.socket is None


@contextmanager
def _bfdd(here: Here, addresses: list[str]) -> Iterator[Callable[[], dict[str, object]]]:
    """bfdd on a host, with the session's netdev as its link. Gives what tells of it, as its own command has it."""
    place = Path(tempfile.mkdtemp(prefix="l2tpv3-frr-"))  # which its user can reach
    running: list[subprocess.Popen[str]] = []
    try:
        shutil.chown(place, "frr", "frr")
        local = f" local-address {addresses[1]}" if ":" in addresses[0] else ""
        lines = ["bfd", f" peer {addresses[0]}{local} interface l2tpeth0"]
        lines += ["  detect-multiplier 3", "  receive-interval 300", "  transmit-interval 300"]
        (place / "bfdd.conf").write_text("\n".join(lines) + "\n")
        (place / "zebra.conf").write_text("")
        for name in ("zebra", "bfdd"):
            command: list[str | Path] = [
                FRR / name,
                "-f",
                place / f"{name}.conf",
                "-i",
                place / f"{name}.pid",
                "-z",
                place / "zserv.api",
            ]
            own: list[str | Path] = ["--bfdctl", place / "control"] if name == "bfdd" else []
            running.append(here.host.start([*command, "--vty_socket", place, *own]))
            eventually((place / f"{name}.vty").exists)

        def told() -> dict[str, object]:
            command = ["vtysh", "--vty_socket", str(place), "-c", "show bfd peers json"]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
            (peer,) = json.loads(done.stdout)
            return dict(peer)

        yield told
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(PATIENCE_S)
        shutil.rmtree(place)


def _states(*ends: Here) -> list[ProbeState | None]:
    found = [one.session("peer", "lan").probing for one in ends]
    return [one.state if one is not None else None for one in found]
