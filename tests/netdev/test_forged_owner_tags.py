"""Who has a namespace writes marks of ours on netdevs there: none of them is taken for a session's or a link's."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from l2tpv3 import Condition
from l2tpv3.errors import ConflictError
from l2tpv3.linux.netns import inside
from tests.here import Here, netdevs
from tests.hosts import Host, Hosts
from tests.waiting import eventually

pytestmark = pytest.mark.root

_HOLD = """
import fcntl, struct, sys, time
tun = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x0002 | 0x1000 | int(sys.argv[2], 16)))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def host(hosts: Hosts) -> Here:
    """A host whose tunnel has a session s1 in a guest's namespace, and s2, a port of its own bridge br0."""
    a, b = hosts.pair()
    (guest,) = hosts.add("guest")
    a.ip_batch(["link add br0 type bridge", "link set br0 up"])
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
    here.add_session("t", "s1", {"netns": guest.netns})
    here.add_session("t", "s2", {"bridge": "br0"})
    return here


def _guest(here: Here) -> Host:
    return Host("guest", here.session("t", "s1").spec.netns, here.host.folder)


def _veth(guest: Host, mark: str, *, ifname: str = "evil0", mac: str = "02:00:00:00:00:66") -> None:
    guest.ip("link", "add", ifname, "address", mac, "type", "veth", "peer", "name", "evilp")
    guest.ip("link", "set", ifname, "alias", mark)


def _hold(guest: Host, mark: str, ifname: str, flags: str) -> None:
    """A TAP that a process of the guest has open."""
    process = guest.start([sys.executable, "-c", _HOLD, ifname, flags])
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    guest.ip("link", "set", ifname, "alias", mark)


def _kill_worker(here: Here) -> None:
    (worker,) = here.host.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not here.host.workers())


@pytest.mark.parametrize("worker_dies", [False, True])
def test_a_netdev_of_another_namespace_never_becomes_the_hosts(host: Here, worker_dies: bool) -> None:  # noqa: FBT001
    guest, real = _guest(host), host.session("t", "s2").netdev
    _veth(guest, real.alias, ifname=real.ifname, mac=real.mac)
    before = guest.ip("link", "show", real.ifname)
    if worker_dies:
        _kill_worker(host)
    host.host.ip("link", "del", real.ifname)  # by whatever accident
    assert host.session("t", "s2").condition is Condition.MISSING
    assert host.restore() == ["t"]
    made = host.session("t", "s2")
    assert (made.condition, made.netdev.kind, made.netdev.netns, made.netdev.bridge) == ("up", "tun", None, "br0")
    assert guest.ip("link", "show", real.ifname) == before
    assert host.restore() == []


@pytest.mark.parametrize("flags", ["0", "100"], ids=["", "multi-queue"])
def test_a_tap_that_a_guest_holds_keeps_no_tunnel_down(host: Here, flags: str) -> None:
    _hold(_guest(host), host.session("t", "s2").netdev.alias, "evil0", flags)
    _kill_worker(host)
    host.host.ip("link", "del", host.session("t", "s2").netdev.ifname)
    assert host.restore() == ["t"]
    assert [one.condition for one in host.tunnel("t").sessions] == [Condition.UP, Condition.UP]
    assert "evil0" in netdevs(_guest(host))


def test_a_marked_tap_of_another_kind_is_passed_over(host: Here) -> None:
    guest, real = _guest(host), host.session("t", "s1").netdev
    guest.ip("tuntap", "add", "dev", "evil0", "mode", "tap", "multi_queue")
    guest.ip("link", "set", "evil0", "alias", real.alias)
    _kill_worker(host)
    host.restore()
    assert [host.session("t", name).condition for name in ("s1", "s2")] == [Condition.UP] * 2
    assert host.session("t", "s1").netdev.ifindex == real.ifindex


def test_a_guest_that_holds_its_netdev_keeps_only_its_own_session_down(host: Here) -> None:
    guest, real = _guest(host), host.session("t", "s1").netdev
    _kill_worker(host)
    _hold(guest, real.alias, real.ifname, "4000")
    with pytest.raises(ConflictError, match=rf"session t/s1: netdev {real.ifname} is in use"):
        host.restore()
    assert [host.session("t", name).condition for name in ("s1", "s2")] == [Condition.MISSING, Condition.UP]
    assert guest.ip("link", "show", real.ifname)


def test_in_its_own_namespace_only_the_workers_own_netdev_is_the_sessions(host: Here) -> None:
    guest, real = _guest(host), host.session("t", "s1").netdev
    _veth(guest, real.alias)
    assert host.session("t", "s1").netdev.ifindex == real.ifindex
    guest.ip("link", "del", real.ifname)
    assert host.session("t", "s1").condition is Condition.MISSING
    host.set_session("t", "s1", {"netns": None})
    moved = host.session("t", "s1").netdev
    assert (moved.kind, moved.netns) == ("tun", None)
    assert netdevs(guest) == {"evil0", "evilp"}


def test_a_bridge_of_another_namespace_is_no_link_of_the_host(host: Here) -> None:
    guest = _guest(host)
    with inside(host.host.netns):
        links = host.manager.links
        links.add("hub", {"type": "bridge", "address": ["10.67.0.1/24"]})
        hub = links.get("hub").netdev
        assert hub is not None
        mark = hub.alias
        host.host.ip("link", "del", "hub")
        guest.ip("link", "add", "evil0", "type", "bridge")
        guest.ip("link", "set", "evil0", "alias", mark)
        before = guest.ip("addr", "show", "evil0")
        assert links.get("hub").condition is Condition.MISSING
        assert host.manager.restore() == ["link hub"]
        assert links.get("hub").condition is Condition.UP
        assert "hub" in netdevs(host.host)
    assert guest.ip("addr", "show", "evil0") == before


def test_one_that_was_moved_by_hand_stays_where_it_is(host: Here) -> None:
    guest, real = _guest(host), host.session("t", "s2").netdev
    host.host.ip("link", "set", real.ifname, "netns", guest.netns)
    there = host.session("t", "s2")
    assert there.netdev.netns == guest.netns
    assert there.notes == (
        f"something moved its netdev to network namespace {guest.netns}: move it back, or "
        f"`l2tpctl session set t s2 --netns {guest.netns}` has it there",
    )
    guest.ip("link", "add", "br0", "type", "bridge")
    host.restore()
    assert host.session("t", "s2").netdev.bridge is None
    assert real.ifname in netdevs(guest)
    assert real.ifname not in netdevs(host.host)
    host.del_session("t", "s2")
    assert real.ifname not in netdevs(guest)
