"""A guest that has a session's netdev in its namespace gives it names that no command of ours would take."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from l2tpv3 import Condition
from l2tpv3.linux.netns import inside
from l2tpv3.metrics import host as metrics
from tests.here import Here
from tests.hosts import Host, Hosts
from tests.waiting import eventually

pytestmark = pytest.mark.root

_NAMES = [b"x\xff\xfe", b"x\x1b[31m\a", "\u202egnp".encode()]


@pytest.fixture
def host(hosts: Hosts) -> Here:
    """A host with a session whose netdev is in a guest's namespace, and one of its own, both in one tunnel."""
    a, _ = hosts.pair()
    (guest,) = hosts.add("guest")
    here = Here(a)
    here.add_tunnel("t", {"remote": a.v4.replace(".1", ".2"), "datapath": "user"})
    here.add_session("t", "s1", {"netns": guest.netns, "address": ["10.8.0.1/24"]})
    here.add_session("t", "s2", {})
    return here


def _guest(here: Here) -> Host:
    return Host("guest", here.session("t", "s1").spec.netns, here.host.folder)


def _rename(guest: Host, name: bytes, *, also: str = "") -> None:
    """As root of the guest would. also: words for `ip link set` beside it."""
    ifname = os.fsencode(_only(guest))
    set_ = [b"ip", b"-n", guest.netns.encode(), b"link", b"set", b"dev", ifname]
    subprocess.run([*set_, b"down"], check=True)
    subprocess.run([*set_, b"name", name, *also.encode().split()], check=True)


def _only(guest: Host) -> str:
    import socket

    with inside(guest.netns):
        return next(name for _, name in socket.if_nameindex() if name != "lo")


def test_a_guests_names_are_shown_escaped_and_set_right(host: Here) -> None:
    guest = _guest(host)
    for name in _NAMES:
        _rename(guest, name, also="mtu 68")
        shown = host.host.ctl("session", "show", "t", "s1").stdout + host.host.ctl("--json").stdout
        assert all(line.isprintable() for line in shown.split("\n")), name
        text = metrics.exposition(metrics.families(host.tunnels()))
        assert all(line.isprintable() for line in text.split("\n")), name
        assert host.plan(host.stated()).steps
        assert host.restore() == ["t"], name
        assert _only(guest) == "l2tpeth0"
        session = host.session("t", "s1")
        assert (session.condition, session.netdev.mtu, host.restore()) == (Condition.UP, 1438, [])
    log = host.host.ctl("log").stdout
    assert all(line.isprintable() for line in log.split("\n"))


def test_a_dead_workers_netdev_is_taken_over_whatever_it_is_called(host: Here) -> None:
    (worker,) = host.host.workers()
    index = host.session("t", "s1").netdev.ifindex
    _rename(_guest(host), b"x\xff\x1b")
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not host.host.workers())
    assert host.restore() == ["t"]
    netdev = host.session("t", "s1").netdev
    assert (netdev.ifname, netdev.ifindex) == ("l2tpeth0", index)


def test_names_beside_ours_are_in_no_links_way(host: Here) -> None:
    """A bridge over the session, in the guest, where there is a netdev whose name is not UTF-8 too."""
    guest = _guest(host)
    veth = [b"ip", b"-n", guest.netns.encode(), b"link", b"add", b"n\xff\xfe", b"type", b"veth", b"peer", b"m\x1b"]
    subprocess.run(veth, check=True)
    host.set_session("t", "s1", {"address": None})
    with inside(host.host.netns):
        host.manager.links.add("hub", {"type": "bridge", "over": ["t/s1"]})
        assert host.manager.links.get("hub").condition is Condition.UP
        host.manager.links.delete("hub")
