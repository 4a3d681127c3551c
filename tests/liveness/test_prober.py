"""Probes on real netdevs: a session whose far end goes and comes, and answers that are forged."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from l2tpv3.linux.echo import EchoSocket
from l2tpv3.linux.echo_probe import internet_checksum
from l2tpv3.linux.netns import inside
from l2tpv3.linux.readable import wait_readable
from l2tpv3.model.hearing import Hearing
from l2tpv3.model.probe import ProbeState
from tests.here import Here
from tests.hosts import UNDERLAY, Host, Hosts
from tests.liveness.hooks import noting_hook
from tests.waiting import eventually
from tests.watching import watch

pytestmark = pytest.mark.root


@pytest.fixture
def joined(hosts: Hosts) -> Iterator[tuple[Here, Here]]:
    """Two hosts with a session between them, on the user datapath, and addresses on it."""
    a, b = (Here(host) for host in hosts.pair())
    for number, (near, far) in enumerate(((a, b), (b, a)), start=1):
        near.add_tunnel("peer", {"remote": far.host.v4, "datapath": "user"})
        cookies = {"tx-cookie": "00112233", "rx-cookie": "00112233"}
        near.add_session("peer", "lan", {**cookies, "address": [f"10.9.0.{number}/24"]})
    yield a, b


def test_a_far_end_that_goes_is_dead_and_nothing_here_changes(joined: tuple[Here, Here]) -> None:
    a, b = joined
    a.set_session("peer", "lan", {"probe": "icmp:10.9.0.2", "probe-interval-ms": "100", "probe-multiplier": "3"})
    assert "nobody probes it" in " ".join(a.session("peer", "lan").notes)
    with watch(a):
        eventually(lambda: _state(a) is ProbeState.ALIVE)
        before = a.session("peer", "lan")
        assert before.hearing is Hearing.HEARD and before.probing is not None and before.probing.round_trip_s
        b.host.ip("link", "set", "l2tpeth0", "down")
        took_s = eventually(lambda: _state(a) is ProbeState.DEAD)
        dead = a.session("peer", "lan")
        assert dead.probing is not None and dead.probing.reason == "3 probes in a row were not answered"
        eventually(lambda: a.session("peer", "lan").hearing is Hearing.DEAD)
        assert dead.netdev == before.netdev, "up, with its carrier and its addresses"
        b.host.ip("link", "set", "l2tpeth0", "up")
        eventually(lambda: _state(a) is ProbeState.ALIVE)
        assert a.session("peer", "lan").hearing is Hearing.HEARD
        a.set_session("peer", "lan", {"probe": "none"})
        eventually(lambda: a.session("peer", "lan").probing is None)
    print(f"dead was told after {took_s:.2f} s")


def test_its_hook_is_run_when_it_is_dead_and_when_it_is_alive_again(
    joined: tuple[Here, Here], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = joined
    said = noting_hook(tmp_path, monkeypatch)
    words = {"probe": "icmp:10.9.0.2", "probe-interval-ms": "100", "probe-multiplier": "3", "on-dead": "hook:note"}
    a.set_session("peer", "lan", words)
    told = ["alive peer lan"]
    with watch(a):
        eventually(lambda: _lines(said) == told)
        for state in ("down", "up"):
            b.host.ip("link", "set", "l2tpeth0", state)
            told.append(f"{'dead' if state == 'down' else 'alive'} peer lan")
            eventually(lambda: _lines(said) == told)


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def test_a_bridge_is_probed_by_where_the_session_is_its_port(joined: tuple[Here, Here]) -> None:
    a, _ = joined
    a.host.ip_batch(["link add br0 type bridge", "link set br0 up"])
    a.set_session("peer", "lan", {"address": [], "bridge": "br0", "probe": "icmp:10.9.0.2"})
    a.host.ip("addr", "add", "10.9.0.1/24", "dev", "br0")
    with watch(a):
        eventually(lambda: _state(a) is ProbeState.ALIVE)


@pytest.mark.parametrize("version", [4, 6])
def test_an_answer_without_the_requests_bytes_is_none(underlay: tuple[Host, Host], version: int) -> None:
    a, b = underlay
    address = ip_address(b.address(version))
    one = EchoSocket(a.netns, UNDERLAY, address)
    try:
        ident = one.identifier
        _forge(b, a.address(version), version, ident, 1, bytes(8))
        _forge(b, a.address(version), version, ident, 1, b"")
        one.send(1)
        assert wait_readable([one], 10)
        time.sleep(0.05)  # for those that came first, and for the others
        assert list(one.answers()) == [1]
    finally:
        one.close()


def _forge(sender: Host, to: str, version: int, ident: int, number: int, body: bytes) -> None:
    family, protocol, kind = (socket.AF_INET, 1, 0) if version == 4 else (socket.AF_INET6, 58, 129)
    packet = struct.pack("!BBHHH", kind, 0, 0, ident, number) + body
    if version == 4:
        packet = packet[:2] + internet_checksum(packet).to_bytes(2, "big") + packet[4:]
    with inside(sender.netns), socket.socket(family, socket.SOCK_RAW, protocol) as raw:
        raw.sendto(packet, (to, 0))


def _state(here: Here) -> ProbeState | None:
    probing = here.session("peer", "lan").probing
    return probing.state if probing is not None else None
