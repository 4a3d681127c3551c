"""The manager on real hosts: netdevs placed, changed in place, found again, undone and taken over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from l2tpv3 import Condition, Manager, Paths
from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.datapath.user import UserDatapath
from l2tpv3.errors import ConflictError, L2tpError, NotFoundError, RefusedError
from l2tpv3.netdev.configurator import RtnetlinkConfigurator
from tests.here import Here, leftovers, netdevs
from tests.hosts import Host, Hosts
from tests.memory_host import Breaking, Countdown

pytestmark = pytest.mark.root

DATAPATHS = ["user", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)]


@pytest.fixture(params=DATAPATHS)
def datapath(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pair(hosts: Hosts) -> Iterator[tuple[Here, Here]]:
    a, b = hosts.pair()
    yield Here(a), Here(b)


@pytest.fixture
def here(pair: tuple[Here, Here], datapath: str) -> Here:
    """A host with one tunnel."""
    one = pair[0]
    one.add_tunnel("siteb", {"remote": pair[1].host.v4, "datapath": datapath})
    return one


def test_a_netdev_gets_all_that_was_asked_for(here: Here) -> None:
    words = {"ifname": "lan0", "mtu": 1400, "mac": "02:00:5e:00:53:07", "address": ["10.9.0.1/24", "2001:db8:9::1/64"]}
    here.add_session("siteb", "lan", words)
    netdev = here.session("siteb", "lan").netdev
    assert (netdev.ifname, netdev.mtu, netdev.mac, netdev.up) == ("lan0", 1400, "02:00:5e:00:53:07", True)
    assert {"10.9.0.1/24", "2001:db8:9::1/64"} <= {str(address) for address in netdev.addresses}
    assert netdev.alias.startswith("l2tpv3 siteb/lan ")


def test_the_mtu_is_what_the_route_leaves(here: Here) -> None:
    assert here.add_session("siteb", "lan", {}).netdev.mtu == 1438
    assert here.add_session("siteb", "bare", {"tx-cookie": "none", "rx-cookie": "none"}).netdev.mtu == 1446
    assert here.add_session("siteb", "none", {"sublayer": "none"}).netdev.mtu == 1442
    here.set_session("siteb", "lan", {"tx-cookie": "none"})
    assert here.session("siteb", "lan").netdev.mtu == 1446


def test_a_bridge_takes_the_netdev_in_and_lets_it_go(here: Here) -> None:
    with pytest.raises(NotFoundError, match="br0"):
        here.add_session("siteb", "lan", {"bridge": "br0"})
    here.host.ip_batch(["link add br0 type bridge", "link add br1 type bridge"])
    assert here.add_session("siteb", "lan", {"bridge": "br0"}).netdev.bridge == "br0"
    assert not here.set_session("siteb", "lan", {"bridge": "br1"}).recreated
    assert here.session("siteb", "lan").netdev.bridge == "br1"
    here.set_session("siteb", "lan", {"bridge": None})
    assert here.session("siteb", "lan").netdev.bridge is None


def test_what_was_done_by_hand_is_left_alone(here: Here) -> None:
    here.add_session("siteb", "lan", {"ifname": "lan0"})
    here.host.ip_batch(["addr add 10.5.0.1/24 dev lan0", "link add br0 type bridge", "link set lan0 master br0"])
    assert not here.set_session("siteb", "lan", {"mtu": 1300}).recreated
    netdev = here.session("siteb", "lan").netdev
    assert (netdev.bridge, netdev.mtu) == ("br0", 1300)
    assert "10.5.0.1/24" in {str(address) for address in netdev.addresses}


def test_a_netdev_lives_in_its_own_namespace(here: Here, hosts: Hosts) -> None:
    (inner,) = hosts.add("inner")
    here.add_session("siteb", "lan", {"netns": inner.netns, "ifname": "lan0", "address": ["10.9.0.1/24"]})
    assert netdevs(here.host) == set()
    assert netdevs(inner) == {"lan0"}
    here.set_session("siteb", "lan", {"ifname": "lan1", "mtu": 1300})
    assert netdevs(inner) == {"lan1"}
    here.set_session("siteb", "lan", {"netns": None})
    netdev = here.session("siteb", "lan").netdev
    assert (netdevs(inner), netdev.ifname, netdev.up, len(netdev.addresses) > 0) == (set(), "lan1", True, True)
    here.set_session("siteb", "lan", {"netns": inner.netns})
    here.del_session("siteb", "lan")
    assert netdevs(inner) == set()


def test_a_netdev_is_found_after_a_rename_and_a_move_by_hand(here: Here, hosts: Hosts) -> None:
    (inner,) = hosts.add("inner")
    here.add_session("siteb", "lan", {"ifname": "lan0"})
    here.host.ip_batch(["link set lan0 down", "link set lan0 name other7", f"link set other7 netns {inner.netns}"])
    netdev = here.session("siteb", "lan").netdev
    assert (netdev.ifname, netdev.netns) == ("other7", inner.netns)
    here.del_tunnel("siteb")
    assert netdevs(inner) == set()
    assert leftovers(here.host) == []


def test_two_hosts_on_one_machine_keep_their_netdevs_apart(pair: tuple[Here, Here], datapath: str) -> None:
    a, b = pair
    for one, other in ((a, b), (b, a)):
        one.add_tunnel("peer", {"remote": other.host.v4, "datapath": datapath})
        one.add_session("peer", "lan", {"ifname": "lan0"})
    a.host.ip("link", "set", "lan0", "alias", "nobody's")
    assert a.session("peer", "lan").netdev is None
    b.set_session("peer", "lan", {"mtu": 1300})
    assert b.session("peer", "lan").netdev.mtu == 1300


def test_taken_netdev_names_and_ids_are_conflicts(here: Here) -> None:
    here.host.ip_batch(["link add taken0 type bridge"])
    with pytest.raises(ConflictError, match="taken0"):
        here.add_session("siteb", "lan", {"ifname": "taken0"})
    here.add_session("siteb", "lan", {"ifname": "lan0"})
    with pytest.raises(ConflictError, match="taken0"):
        here.set_session("siteb", "lan", {"ifname": "taken0"})
    with pytest.raises(ConflictError, match="lan0"):
        here.add_session("siteb", "two", {"ifname": "lan0"})
    assert here.session("siteb", "lan").netdev.ifname == "lan0"


@pytest.mark.parametrize("fails_at", range(1, 4))
def test_an_add_that_fails_leaves_nothing(pair: tuple[Here, Here], datapath: str, fails_at: int) -> None:
    host = pair[0].host
    countdown = Countdown()
    paths = Paths(host.state_dir, host.runtime_dir)
    kinds: list[Any] = [KernelDatapath() if datapath == "kernel" else UserDatapath(paths)]
    placer: Any = Breaking(RtnetlinkConfigurator(), countdown)
    manager = Manager(paths, [Breaking(kinds[0], countdown)], placer)
    here = Here(host, manager)
    countdown.at = fails_at
    with pytest.raises(RefusedError, match="injected"):
        here.add_tunnel("siteb", {"remote": pair[1].host.v4})
        here.add_session("siteb", "lan", {"address": ["10.9.0.1/24"]})
    assert netdevs(host) == set()
    assert [len(status.sessions) for status in here.tunnels()] in ([], [0])
    for status in here.tunnels():
        here.del_tunnel(status.name)
    assert leftovers(host) == []


def test_an_address_the_kernel_refuses_undoes_the_session(here: Here) -> None:
    with pytest.raises(L2tpError):
        here.add_session("siteb", "lan", {"mtu": 1200, "address": ["2001:db8::1/64"]})  # IPv6 needs 1280
    assert netdevs(here.host) == set()
    assert here.tunnel("siteb").sessions == ()


def test_delete_then_add_at_once(here: Here, pair: tuple[Here, Here], datapath: str) -> None:
    for _ in range(20):
        here.add_session("siteb", "lan", {"ifname": "lan0"})
        here.del_tunnel("siteb")
        assert netdevs(here.host) == set()
        here.add_tunnel("siteb", {"remote": pair[1].host.v4, "datapath": datapath})
    here.del_tunnel("siteb")
    assert leftovers(here.host) == []


def test_a_changed_tunnel_keeps_its_sessions_and_carries_traffic(pair: tuple[Here, Here], datapath: str) -> None:
    a, b = pair
    cookies = {"tx-cookie": "01234567", "rx-cookie": "01234567"}
    for one, other, number in ((a, b, 1), (b, a, 2)):
        one.add_tunnel("peer", {"remote": other.host.v4, "datapath": datapath})
        one.add_session("peer", "lan", {**cookies, "address": [f"10.9.0.{number}/24"]})
    assert a.host.ping("10.9.0.2")
    assert a.set_tunnel("peer", {"local-port": 1710, "id": 9, "peer-id": 1}).recreated
    assert b.set_tunnel("peer", {"remote-port": 1710, "peer-id": 9}).recreated == (datapath == "kernel")
    assert a.host.ping("10.9.0.2", count=2)


def test_a_worker_that_died_is_replaced_under_the_same_netdev(pair: tuple[Here, Here]) -> None:
    a, b = pair
    cookies = {"tx-cookie": "01234567", "rx-cookie": "01234567"}
    for one, other, number in ((a, b, 1), (b, a, 2)):
        one.add_tunnel("peer", {"remote": other.host.v4, "datapath": "user"})
        one.add_session("peer", "lan", {**cookies, "address": [f"10.9.0.{number}/24"]})
    a.host.ip("addr", "add", "10.8.0.1/24", "dev", "l2tpeth0")
    before = a.session("peer", "lan").netdev
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGKILL)
    while a.host.workers():
        time.sleep(0.01)
    assert a.tunnel("peer").condition is Condition.MISSING
    with pytest.raises(NotFoundError, match="restore"):
        a.add_session("peer", "more", {})
    assert a.restore() == ["peer"]
    after = a.session("peer", "lan")
    assert (after.condition, after.netdev.ifindex) == (Condition.UP, before.ifindex)
    assert set(before.addresses) <= set(after.netdev.addresses)
    assert a.host.ping("10.9.0.2")
    assert a.restore() == []


def test_what_a_dead_worker_left_can_be_deleted(pair: tuple[Here, Here]) -> None:
    a, b = pair
    a.add_tunnel("peer", {"remote": b.host.v4, "datapath": "user"})
    for name in ("one", "two"):
        a.add_session("peer", name, {})
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGKILL)
    a.del_session("peer", "one")
    assert len(netdevs(a.host)) == 1
    a.del_tunnel("peer")
    assert leftovers(a.host) == []


def test_transient_tunnels_are_forgotten_by_the_next_boot(pair: tuple[Here, Here], datapath: str) -> None:
    a, b = pair
    a.add_tunnel("peer", {"remote": b.host.v4, "datapath": datapath}, transient=True)
    assert a.manager.records()["peer"].boot is not None


def _add(host: Host, number: int) -> str:
    here = Here(host)
    return str(here.add_session("siteb", f"s{number}", {}).spec.ifname)


def test_many_at_once_take_turns(here: Here) -> None:
    with ThreadPoolExecutor(4) as pool:  # a namespace and a lock are a thread's own here
        names = list(pool.map(_add, [here.host] * 8, range(8)))
    assert len(set(names)) == 8
    sessions = here.tunnel("siteb").sessions
    assert {session.spec.session_id for session in sessions} == set(range(1, 9))
    assert {session.condition for session in sessions} == {Condition.UP}
