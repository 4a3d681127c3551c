"""A session's MAC address is chosen once, and its netdev has it whenever it is made again."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.config import dump
from l2tpv3.model import ids
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from tests.here import Here
from tests.hosts import Hosts

PEER = {"remote": "127.0.0.2"}
GIVEN = "02:00:5e:00:53:01"
DATAPATHS = ["user", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)]


def make(folder: Path, memory: MemoryDatapath) -> Manager:
    return Manager(Paths(folder / "state", folder / "run"), [memory], MemoryConfigurator(memory))


def mac(manager: Manager | Here, session: str = "lan") -> str:
    netdev = manager.session("siteb", session).netdev
    assert netdev is not None
    return str(netdev.mac)


def export(manager: Manager) -> str:
    return dump([(one.spec, [it.spec for it in one.sessions]) for one in manager.records().values()])


def test_what_is_chosen_is_unicast_locally_administered_and_never_taken() -> None:
    taken: set[str] = set()
    for _ in range(500):
        chosen = ids.generate_mac(taken)
        assert ids.parse_mac(chosen, "mac") == chosen and int(chosen[:2], 16) & 3 == 2
        assert chosen not in taken
        taken.add(chosen)


def test_a_reboot_brings_the_same_one_back(tmp_path: Path) -> None:
    before = make(tmp_path, MemoryDatapath())
    before.add_tunnel("siteb", PEER)
    before.add_session("siteb", "lan", {})
    before.add_session("siteb", "two", {})
    chosen = [mac(before), mac(before, "two")]
    assert chosen[0] != chosen[1]
    after = make(tmp_path, MemoryDatapath())
    after.restore()
    assert [mac(after), mac(after, "two")] == chosen
    after.set_tunnel("siteb", {"local-port": 1705})
    after.set_session("siteb", "lan", {"id": 9})
    assert [mac(after), mac(after, "two")] == chosen


def test_one_that_is_given_counts_and_export_states_only_that(tmp_path: Path) -> None:
    manager = make(tmp_path, MemoryDatapath())
    manager.add_tunnel("siteb", PEER)
    manager.add_session("siteb", "lan", {})
    assert mac(manager) not in export(manager)
    manager.set_session("siteb", "lan", {"mac": GIVEN})
    assert mac(manager) == GIVEN and GIVEN in export(manager)
    manager.set_session("siteb", "lan", {"mac": None})
    assert mac(manager) == GIVEN and GIVEN not in export(manager)


@pytest.mark.root
@pytest.mark.parametrize("datapath", DATAPATHS)
def test_real_netdevs_keep_it(hosts: Hosts, datapath: str) -> None:
    a, b = hosts.pair()
    (inner,) = hosts.add("inner")
    here = Here(a)
    here.add_tunnel("siteb", {"remote": b.v4, "datapath": datapath})
    here.add_session("siteb", "lan", {})
    here.add_session("siteb", "moved", {"netns": inner.netns})
    chosen = [mac(here), mac(here, "moved")]
    assert chosen == [one.mac for one in here.records()["siteb"].sessions]
    here.down()
    here.restore()
    assert [mac(here), mac(here, "moved")] == chosen
    here.set_tunnel("siteb", {"local-port": 1705})
    here.set_session("siteb", "lan", {"id": 9})
    assert [mac(here), mac(here, "moved")] == chosen


@pytest.mark.root
def test_one_that_something_else_gave_is_left_alone(hosts: Hosts) -> None:
    """As a bond does; only what the user gave is put right."""
    a, b = hosts.pair()
    here = Here(a)
    here.add_tunnel("siteb", {"remote": b.v4, "datapath": "user"})
    here.add_session("siteb", "lan", {})
    chosen = mac(here)
    a.ip("link", "set", "l2tpeth0", "address", GIVEN)
    here.set_session("siteb", "lan", {"mtu": 1300})
    (worker,) = a.workers()

    os.kill(worker, signal.SIGKILL)
    while a.workers():
        pass
    assert here.restore() == ["siteb"]
    assert mac(here) == GIVEN
    here.down()
    here.restore()
    assert mac(here) == chosen


@pytest.mark.root
def test_one_from_before_it_was_on_record_is_taken_from_the_netdev(hosts: Hosts) -> None:
    a, b = hosts.pair()
    here = Here(a)
    here.add_tunnel("siteb", {"remote": b.v4, "datapath": "user"})
    here.add_session("siteb", "lan", {})
    chosen = mac(here)
    with sqlite3.connect(a.state_dir / "l2tpv3.db") as database:
        database.execute("UPDATE session SET mac = NULL")
    database.close()
    assert here.records()["siteb"].sessions[0].mac is None
    assert here.restore() == [], "nothing of it was missing"
    assert here.records()["siteb"].sessions[0].mac == chosen
    here.down()
    here.restore()
    assert mac(here) == chosen


@pytest.mark.root
@pytest.mark.kernel_l2tp
def test_an_adopted_one_keeps_its_own(hosts: Hosts) -> None:
    a, b = hosts.pair()
    a.ip("l2tp", "add", "tunnel", "tunnel_id", "7", "peer_tunnel_id", "7", "encap", "udp", "local", a.v4,
         "remote", b.v4, "udp_sport", "1701", "udp_dport", "1701")  # fmt: skip
    a.ip("l2tp", "add", "session", "tunnel_id", "7", "session_id", "1", "peer_session_id", "1", "name", "lan")
    here = Here(a)
    here.adopt("kernel:7", "siteb")
    there = mac(here)
    here.down()
    here.restore()
    assert mac(here) == there
