"""Events about what the service did not do itself: workers that die, `ip link`, `ip l2tp`, l2tpctl beside it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.errors import MissingError
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.api.served import reading, served
from tests.hosts import Host

pytestmark = pytest.mark.root


@pytest.fixture
def host(underlay: tuple[Host, Host]) -> Host:
    """Where the tunnels are; the service is outside of its namespace, and has the same record."""
    return underlay[0]


@pytest.fixture
def manager(host: Host) -> Manager:
    return Manager(Paths(host.state_dir, host.runtime_dir))


@pytest.fixture
def url(manager: Manager) -> Iterator[str]:
    with served(create_app(Service(manager), guard=AllowAll())) as address:
        yield address


def test_a_worker_dies_and_returns(host: Host, manager: Manager, url: str) -> None:
    with reading(url) as events:
        manager.add_tunnel("t", {"remote": "10.99.0.2", "netns": host.netns, "datapath": "user"})
        manager.add_session("t", "s", {})
        assert events.next("session", change="appeared").data["document"]["condition"] == "up"
        (pid,) = host.workers()
        os.kill(pid, signal.SIGKILL)
        assert events.next("worker").data == {"change": "died", "tunnel": "t", "pid": pid}
        assert events.next("tunnel").data["document"]["condition"] == "missing"
        manager.restore()
        returned = events.next("worker").data
        assert (returned["change"], returned["tunnel"]) == ("returned", "t")
        assert returned["pid"] in host.workers() and returned["pid"] != pid
        manager.down()
        while events.next("tunnel").data["document"]["condition"] != "missing":
            continue
        manager.del_tunnel("t")
        rest = []
        for told in events:
            rest.append(told)
            if told.type == "tunnel" and told.data["change"] == "vanished":
                break
        assert "worker" not in {told.type for told in rest}, "one that was ended has not died"


def test_netdevs_that_something_else_changes(host: Host, manager: Manager, url: str) -> None:
    manager.add_tunnel("t", {"remote": "10.99.0.2", "netns": host.netns, "datapath": "user"})
    manager.add_session("t", "s", {"ifname": "pw0"})
    with reading(url, types="session") as events:
        host.ip("link", "set", "pw0", "down")
        assert events.next("session", change="changed").data["document"]["condition"] == "down"
        host.ip("addr", "add", "10.7.0.1/24", "dev", "pw0")
        while events.next("session").data["document"]["netdev"]["addresses"] == []:
            continue
        host.ip("link", "set", "pw0", "name", "renamed")
        while events.next("session").data["document"]["netdev"]["ifname"] != "renamed":
            continue


def test_links_that_something_else_changes(host: Host, manager: Manager, url: str) -> None:
    host.ip_batch([f"link add nic{n} type veth peer name wire{n}" for n in range(2)])
    with reading(url, types="link") as events:
        manager.links.add("br7", {"type": "bridge", "over": ["nic0", "nic1"], "over-netns": host.netns})
        made = events.next("link", change="appeared").data["document"]
        assert (made["condition"], sorted(made["over_now"])) == ("up", ["nic0", "nic1"])
        host.ip("link", "set", "br7", "down")
        while events.next("link", change="changed").data["document"]["condition"] != "down":
            continue
        host.ip("link", "set", "nic0", "nomaster")
        while events.next("link", change="changed").data["document"]["over_now"] != ["nic1"]:
            continue
        host.ip("link", "del", "nic0")
        while "nic0 is not there" not in events.next("link", change="changed").data["document"]["notes"]:
            continue
        host.ip("link", "del", "br7")
        while events.next("link", change="changed").data["document"]["condition"] != "missing":
            continue
        with pytest.raises(MissingError, match="no netdev nic0"):
            manager.restore()
        while events.next("link", change="changed").data["document"]["condition"] != "up":
            continue
        manager.links.delete("br7")
        assert events.next("link", change="vanished").data["name"] == "br7"


def test_a_virtual_card_whose_worker_dies(host: Host, manager: Manager, url: str) -> None:
    host.ip_batch(["link add nic0 type veth peer name nic1", "link set nic0 up", "link set nic1 up"])
    manager.links.add("card", {"type": "vnic", "over": ["nic0"], "over-netns": host.netns})
    with reading(url, types="link") as events:
        pid = manager.links.get("card").worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while events.next("link", change="changed").data["document"]["worker_pid"] is not None:
            continue
        manager.restore()
        while events.next("link", change="changed").data["document"]["worker_pid"] in (None, pid):
            continue
    manager.links.delete("card")


@pytest.mark.kernel_l2tp
def test_ip_l2tp_beside_the_service(host: Host, manager: Manager, url: str) -> None:
    """In a namespace that the service knows since a tunnel on record is there."""
    with reading(url) as events:
        manager.add_tunnel("ours", {"remote": "10.99.0.2", "netns": host.netns, "datapath": "kernel"})
        events.next("tunnel", name="ours", change="appeared")
        ip = ["ip", "-n", host.netns, "l2tp"]
        ends = "tunnel_id 77 peer_tunnel_id 77 encap ip local 10.99.0.1 remote 10.99.0.2"
        subprocess.run([*ip, "add", "tunnel", *ends.split()], check=True)
        told = events.next("tunnel", name="kernel:77", change="appeared")
        assert told.data["document"]["foreign"] is True
        words = "tunnel_id 77 session_id 78 peer_session_id 78 cookie 0123456789abcdef"
        subprocess.run([*ip, "add", "session", *words.split()], check=True)
        told = events.next("session", tunnel="kernel:77", name="78", change="appeared")
        assert "0123456789abcdef" not in str(told.data)
        subprocess.run([*ip, "del", "tunnel", "tunnel_id", "77"], check=True)
        events.next("tunnel", name="kernel:77", change="vanished")
        manager.add_session("ours", "lan", {})
        events.next("session", tunnel="ours", name="lan", change="appeared")
        subprocess.run([*ip, "del", "tunnel", "tunnel_id", "1"], check=True)
        while events.next("tunnel", name="ours", change="changed").data["document"]["condition"] != "missing":
            continue
