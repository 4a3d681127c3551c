"""The monitor tells of what matters, of nothing else, and of changes whoever makes them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from l2tpv3.linux.netlink.multicast import Overrun
from l2tpv3.linux.netns import inside
from l2tpv3.linux.readable import wait_readable
from l2tpv3.paths import Paths
from l2tpv3.watch import Change, Monitor, Targets
from l2tpv3.watch.netdev_events import LinkListener
from tests.hosts import Host
from tests.waiting import PATIENCE_S


def changes(monitor: Monitor, wanted: Change) -> set[Change]:
    """What it tells until it tells of `wanted`."""
    found: set[Change] = set()
    while wanted not in found:
        assert wait_readable([monitor], PATIENCE_S), f"nothing but {found} was told of"
        found |= monitor.read()
    return found


def quiet(monitor: Monitor) -> frozenset[Change]:
    """What it tells now. A barrier is not needed: the kernel queues notifications within the system call."""
    return monitor.read()


@pytest.fixture
def host(underlay: tuple[Host, Host]) -> Host:
    return underlay[0]


@pytest.fixture
def monitor(host: Host) -> Iterator[Monitor]:
    paths = Paths(host.state_dir, host.runtime_dir)
    paths.make()
    monitor = Monitor(paths)
    try:
        yield monitor
    finally:
        monitor.close()


@pytest.mark.root
def test_netdevs_that_are_meant_and_no_others(host: Host, monitor: Monitor) -> None:
    host.ip_batch(["link add mine type bridge", "link add other type bridge"])
    with inside(host.netns):
        from socket import if_nametoindex

        index = if_nametoindex("mine")
    assert monitor.aim(Targets(indices={host.netns: {index}}, names={host.netns: {"later"}}))
    monitor.read()
    host.ip("link", "set", "other", "up")
    assert Change.NETDEV not in quiet(monitor)
    for line in ("link set mine up", "addr add 10.1.1.1/24 dev mine", "link set other alias l2tpv3_no_mark"):
        host.ip(*line.split())
        expected = {Change.NETDEV} if "mine" in line else set()
        assert quiet(monitor) & {Change.NETDEV} == expected, line
    host.ip("link", "add", "later", "type", "bridge")
    assert changes(monitor, Change.NETDEV) == {Change.NETDEV}
    host.ip("link", "set", "other", "alias", "l2tpv3 t/s /run/l2tpv3")
    assert Change.NETDEV in quiet(monitor)
    host.ip("link", "del", "mine")
    assert Change.NETDEV in quiet(monitor)


@pytest.mark.root
def test_the_record_when_it_is_written_and_not_when_it_is_read(host: Host, monitor: Monitor) -> None:
    host.ctl("tunnel", "add", "t", "--remote", "10.99.0.2", "--datapath", "user")
    assert {Change.RECORD, Change.WORKER} <= quiet(monitor)
    host.ctl("tunnel", "show")
    host.ctl("log")
    assert not quiet(monitor) & {Change.RECORD}


@pytest.mark.root
def test_a_worker_beside_programs(host: Host, monitor: Monitor) -> None:
    host.ctl("tunnel", "add", "t", "--remote", "10.99.0.2", "--datapath", "ebpf")
    monitor.aim(Targets())  # the directory of its socket is there from now on
    monitor.read()
    host.ctl("tunnel", "add", "u", "--remote", "10.99.0.2", "--datapath", "ebpf", "--local-port", "1800")
    assert Change.WORKER in quiet(monitor)
    host.ctl("tunnel", "del", "u")
    assert Change.WORKER in quiet(monitor)


@pytest.mark.root
def test_the_end_of_a_worker(host: Host, monitor: Monitor) -> None:
    host.ctl("tunnel", "add", "t", "--remote", "10.99.0.2", "--datapath", "user")
    (pid,) = host.workers()
    monitor.aim(Targets(pids=frozenset({pid})))
    monitor.read()
    subprocess.run(["kill", "-9", str(pid)], check=True)
    assert Change.WORKER in changes(monitor, Change.WORKER)
    assert not quiet(monitor), "told once"
    assert not monitor.aim(Targets(pids=frozenset({pid}))), "and known from then on"


@pytest.mark.root
def test_a_namespace_made_anew_under_its_name(host: Host, monitor: Monitor) -> None:
    assert monitor.aim(Targets(names={host.netns: {"later"}}))
    assert not monitor.aim(Targets(names={host.netns: {"later"}}))
    subprocess.run(["ip", "netns", "del", host.netns], check=True)
    assert Change.NAMESPACE in changes(monitor, Change.NAMESPACE)
    assert not monitor.aim(Targets(names={host.netns: {"later"}}))
    subprocess.run(["ip", "netns", "add", host.netns], check=True)
    assert Change.NAMESPACE in changes(monitor, Change.NAMESPACE)
    assert monitor.aim(Targets(names={host.netns: {"later"}}))
    host.ip("link", "add", "later", "type", "bridge")
    assert Change.NETDEV in changes(monitor, Change.NETDEV)


@pytest.mark.root
def test_an_overrun_is_told(host: Host) -> None:
    listener = LinkListener(host.netns)
    try:
        host.ip_batch(["link add many type bridge", *["link set many up", "link set many down"] * 3000])
        with pytest.raises(Overrun):
            listener.read()
        listener.read()
        host.ip("link", "del", "many")
        listener.names = {"many"}
        host.ip("link", "add", "many", "type", "bridge")
        assert listener.read()
    finally:
        listener.close()


@pytest.mark.kernel_l2tp
@pytest.mark.root
def test_l2tp_that_something_else_makes_from_the_first_module_on(host: Host, monitor: Monitor) -> None:
    """The modules may be loaded by the first of these commands: then the group has to be joined at that moment."""
    for words in (
        "add tunnel tunnel_id 7 peer_tunnel_id 7 encap ip local 10.99.0.1 remote 10.99.0.2",
        "add session tunnel_id 7 session_id 8 peer_session_id 8",
        "del session tunnel_id 7 session_id 8",
        "del tunnel tunnel_id 7",
    ):
        subprocess.run(["ip", "-n", host.netns, "l2tp", *words.split()], check=True)
        assert Change.L2TP in changes(monitor, Change.L2TP), words
