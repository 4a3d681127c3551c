"""Tunnels whose addresses, ports and the like change under their sessions: netdevs, and what others gave them, stay."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.datapath.user.datapath import UserDatapath
from l2tpv3.linux.netns import inside
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.plan.steps import SetTunnel
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.here import Here
from tests.hosts import UNDERLAY, Host
from tests.waiting import PATIENCE_S

CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"remote": "10.99.0.12"}, {"local": "10.99.0.12"}),
    ({"local-port": 1801}, {"remote-port": 1801}),
    ({"udp-checksum": "on"}, {"udp-checksum": "on"}),
    ({"udp-checksum": "off"}, {"udp-checksum": "off"}),
    ({"encap": "ip"}, {"encap": "ip"}),
    ({"remote": "fd99::2", "local": "fd99::1"}, {"remote": "fd99::1", "local": "fd99::2"}),
    ({"encap": "udp", "peer-id": 77, "local-port": 5001}, {"encap": "udp", "remote-port": 5001}),
]
"""What is set at one end, and what that takes at the other."""


@pytest.fixture(params=["user", "ebpf"])
def ends(underlay: tuple[Host, Host], request: pytest.FixtureRequest) -> tuple[Here, Here]:
    """Two ends of a pseudowire, each with the address 10.9.0.1 or 10.9.0.2 on its netdev `lan0`."""
    a, b = underlay
    b.ip("addr", "add", "10.99.0.12/24", "dev", UNDERLAY)
    here = Here(a), Here(b)
    for number, (end, other) in enumerate(zip(here, (b, a), strict=True), start=1):
        end.add_tunnel("t", {"remote": other.v4, "datapath": request.param})
        words = {"ifname": "lan0", "address": [f"10.9.0.{number}/24"], "tx-cookie": b"", "rx-cookie": b""}
        end.add_session("t", "lan", words)
    return here


@pytest.fixture
def echo(ends: tuple[Here, Here]) -> Iterator[tuple[socket.socket, socket.socket]]:
    """The two ends of a TCP connection through the pseudowire."""
    a, b = ends
    with inside(b.host.netns), socket.create_server(("10.9.0.2", 7)) as server:
        with inside(a.host.netns):
            near = socket.create_connection(("10.9.0.2", 7), 20)
        far, _ = server.accept()
    with near, far:
        far.settimeout(PATIENCE_S)
        yield near, far


def _goes_on(stream: tuple[socket.socket, socket.socket]) -> None:
    near, far = stream
    for one, other in ((near, far), (far, near)):
        one.sendall(b"still here")
        assert other.recv(100) == b"still here"


@pytest.mark.root
def test_netdevs_and_streams_outlive_every_change(
    ends: tuple[Here, Here], echo: tuple[socket.socket, socket.socket]
) -> None:
    a, b = ends
    a.host.ip("route", "add", "10.50.0.0/16", "via", "10.9.0.2", "dev", "lan0")
    a.host.ip("neigh", "add", "10.9.0.77", "lladdr", "02:00:00:00:00:77", "dev", "lan0", "nud", "permanent")
    before = a.session("t", "lan").netdev.ifindex, a.host.ip("route"), a.host.ip("neigh", "show", "nud", "permanent")
    for near, far in CHANGES:
        assert not a.set_tunnel("t", near).recreated
        assert not b.set_tunnel("t", far).recreated
        _goes_on(echo)
        assert not a.plan(a.stated()).changes
    ifindex = a.session("t", "lan").netdev.ifindex
    assert (ifindex, a.host.ip("route"), a.host.ip("neigh", "show", "nud", "permanent")) == before
    assert a.session("t", "lan").counters.rx_packets > len(CHANGES), "counters go on"


@pytest.mark.root
def test_undoing_a_change_is_in_place_as_well(
    ends: tuple[Here, Here], echo: tuple[socket.socket, socket.socket]
) -> None:
    a, _ = ends
    ifindex = a.session("t", "lan").netdev.ifindex
    (wanted,) = a.stated()
    words = {**wanted.words, "local-port": 1802, "remote": "10.99.0.99"}
    outcome = a.apply([DesiredTunnel(name="t", words=words, sessions=wanted.sessions)], confirm_s=600)
    assert [one.text for one in outcome.step_texts] == ["remote 10.99.0.2 → 10.99.0.99, local-port 1701 → 1802"]
    assert not outcome.step_texts[0].interrupts
    a.rollback()
    _goes_on(echo)
    assert a.session("t", "lan").netdev.ifindex == ifindex


@pytest.mark.root
def test_over_ip_a_tunnel_joins_and_leaves_the_socket_of_another(ends: tuple[Here, Here]) -> None:
    """Two tunnels between the same addresses share one, which may be another worker's."""
    a, b = ends
    for end in ends:
        end.set_tunnel("t", {"encap": "ip"})
    for end, words in ((a, {"remote": "10.99.0.12"}), (b, {"local": "10.99.0.12", "remote": a.host.v4})):
        end.add_tunnel("u", {**words, "encap": "ip", "datapath": end.tunnel("t").datapath})
        end.add_session("u", "two", {"ifname": "two0", "tx-cookie": b"", "rx-cookie": b""})
    ifindices = [end.session("t", "lan").netdev.ifindex for end in ends]
    for far in ("10.99.0.12", "10.99.0.2"):
        a.set_tunnel("t", {"remote": far})
        b.set_tunnel("t", {"local": far})
        unknown = [end.tunnel("t").counters.rx_unknown_session for end in ends]
        assert a.host.ping("10.9.0.2")
        assert [end.tunnel("t").counters.rx_unknown_session for end in ends] == unknown
    assert [end.session("t", "lan").netdev.ifindex for end in ends] == ifindices


class InPlace(MemoryDatapath):
    """Tunnels that change in place."""

    name = "user"  # so that they share ports
    tunnel_in_place = UserDatapath.tunnel_in_place

    def _check_port(self, tunnel: Any) -> None:
        pass


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    memory = InPlace()
    return Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))


def _hub(**remotes: str) -> list[DesiredTunnel]:
    session = DesiredSession(name="s", words={})
    words = {"local": "127.17.1.1", "local-port": 1701}
    return [
        DesiredTunnel(name=name, words={**words, "id": number, "remote": remote}, sessions=(session,))
        for number, (name, remote) in enumerate(remotes.items(), start=1)
    ]


def test_what_one_gives_up_is_given_up_before_another_takes_it(manager: Manager) -> None:
    manager.apply(_hub(a="127.0.0.2", b="127.0.0.3", c="127.0.0.4"))
    outcome = manager.apply(_hub(a="127.0.0.3", b="127.0.0.4", c="127.0.0.5"))
    assert [one.tunnel.spec.name for one in outcome.steps if isinstance(one, SetTunnel)] == ["c", "b", "a"]
    assert len(outcome.steps) == 3


def test_of_those_that_swap_one_is_made_anew(manager: Manager) -> None:
    manager.apply(_hub(a="127.0.0.2", b="127.0.0.3"))
    outcome = manager.apply(_hub(a="127.0.0.3", b="127.0.0.2"))
    assert sorted((one.tunnel, one.interrupts) for one in outcome.step_texts) == [("a", False), ("b", True)]
    assert not manager.apply(_hub(a="127.0.0.3", b="127.0.0.2")).changes


def test_id_and_namespace_are_what_a_tunnel_is_known_by(manager: Manager) -> None:
    manager.apply(_hub(a="127.0.0.2"))
    manager.add_session("a", "two", {})
    change = manager.set_tunnel("a", {"id": 9, "remote": "127.0.0.3"})
    assert change.recreated and change.why == "id, remote can't change in place"
