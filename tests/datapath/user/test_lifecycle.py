"""Workers, netdevs and control sockets through everything that happens to them."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from l2tpv3.datapath.user import datapath as user_datapath
from l2tpv3.datapath.user import tap as netdev
from l2tpv3.errors import ConflictError, ExistsError, L2tpError, NotFoundError, UnavailableError, WorkerError
from l2tpv3.linux.netlink.rtnetlink import RouteSocket
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap, TunnelSpec
from l2tpv3.worker.pool import LiveWorkers, WorkerPool
from tests.contract.frames import frame, packet_socket
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.hosts import PREFIX, runs
from tests.waiting import eventually

pytestmark = pytest.mark.root


def kill(pid: int) -> None:
    """End a worker that a test had started, the hard way."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not runs(pid), "the worker is gone")


def nothing_left(end: End) -> None:
    """No worker, no file in the runtime directory, no netdev of ours."""
    assert end.host.workers() == []
    assert sorted(path.name for path in end.host.runtime_dir.iterdir()) == []
    assert set(end.ifindexes()) == {"lo", "u0"}


def test_the_netdev_outlives_the_worker_and_is_adopted(ends: tuple[End, End]) -> None:
    a, b = ends
    near, far, one = a.tunnel(b.host), b.tunnel(a.host), session()
    a.add(near, one)
    b.add(far, mirrored(one))
    a.host.ip_batch(["link add br0 type bridge", "link set pw1 master br0", "addr add 10.5.0.1/24 dev br0"])
    a.host.ip_batch(["link set br0 up", "addr add 10.6.0.1/24 dev pw1"])
    index = a.ifindexes()["pw1"]
    (pid,) = a.host.workers()
    kill(pid)
    assert a.datapath.tunnels(a.host.netns) == []
    assert "NO-CARRIER" in a.host.ip("link", "show", "pw1")
    again = a.again()
    again.add_tunnel(near)
    again.add_session(near, one, adopt=True)
    a.wait_for_carrier(one)
    assert a.ifindexes()["pw1"] == index
    assert "NO-CARRIER" not in a.host.ip("link", "show", "pw1")
    assert "master br0" in a.host.ip("link", "show", "pw1")
    assert "10.6.0.1/24" in a.host.ip("addr", "show", "pw1")
    passes(a.place(one), b.place(one), [60, 1000])
    a.host.ip("link", "set", "pw1", "nomaster")  # a bridge takes frames away before packet sockets see them
    passes(b.place(one), a.place(one), [60])
    again.del_tunnel(near)
    assert "pw1" not in a.ifindexes()


def test_a_worker_that_ends_while_its_tunnel_is_changed(ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as a tunnel that is not there, after which a plan makes it again."""
    a, b = ends
    near, one = a.tunnel(b.host), session()
    a.add(near, one)
    (pid,) = a.host.workers()
    require = user_datapath._require

    def then_it_ends(tunnel: TunnelSpec, crew: LiveWorkers) -> object:
        found = require(tunnel, crew)
        kill(pid)
        return found

    monkeypatch.setattr(user_datapath, "_require", then_it_ends)
    with pytest.raises(NotFoundError, match="no tunnel with id"):
        a.datapath.set_tunnel(near, dataclasses.replace(near, peer_tunnel_id=near.peer_tunnel_id + 1), [one])
    assert "pw1" in a.ifindexes()


def test_adopting_finds_it_renamed_and_in_its_other_namespace(ends: tuple[End, End]) -> None:
    a, b = ends
    elsewhere = b.host.netns
    near, one = a.tunnel(b.host), session(netns=elsewhere)
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one)
    a.host.ip("link", "set", "pw1", "netns", elsewhere, "name", "renamed0")
    index = b.ifindexes()["renamed0"]
    kill(a.host.workers()[0])
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one, adopt=True)
    assert a.session(near, one).ifname == "renamed0"
    assert b.ifindexes()["renamed0"] == index
    a.datapath.del_session(near, one)
    assert "renamed0" not in b.ifindexes()
    a.datapath.del_tunnel(near)
    nothing_left(a)


def test_adopting_without_a_netdev_makes_one(ends: tuple[End, End]) -> None:
    a, b = ends
    near, one = a.tunnel(b.host), session()
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one, adopt=True)
    assert "pw1" in a.ifindexes()


def test_adopting_takes_no_netdev_that_is_not_marked_as_this_session(ends: tuple[End, End]) -> None:
    a, b = ends
    near, one = a.tunnel(b.host), session()
    a.host.ip("tuntap", "add", "dev", "pw1", "mode", "tap")
    try:
        a.datapath.add_tunnel(near)
        for alias in ("mine", "l2tpv3 t1/s1 /somewhere/else", "l2tpv3 t1/s2"):
            a.host.ip("link", "set", "pw1", "alias", alias)
            with pytest.raises(ConflictError, match=r"s1.*pw1.*--ifname"):
                a.datapath.add_session(near, one, adopt=True)
        a.datapath.del_tunnel(near)
        assert "pw1" in a.ifindexes()
    finally:
        a.host.ip("tuntap", "del", "dev", "pw1", "mode", "tap")


@pytest.mark.parametrize("whole_tunnel", [False, True], ids=["session", "tunnel"])
def test_deleting_what_a_dead_worker_left(ends: tuple[End, End], whole_tunnel: bool) -> None:  # noqa: FBT001
    a, b = ends
    near, one, other = a.tunnel(b.host), session(1, netns=b.host.netns), session(2)
    a.datapath.add_tunnel(near)
    a.datapath.add_session(near, one)
    a.datapath.add_session(near, other)
    a.host.ip("link", "set", "pw1", "netns", b.host.netns)
    kill(a.host.workers()[0])
    if whole_tunnel:
        a.datapath.del_tunnel(near)
    else:
        a.datapath.del_session(near, one)
        a.datapath.del_session(near, other)
    assert "pw1" not in b.ifindexes()
    nothing_left(a)
    with pytest.raises(NotFoundError):
        a.datapath.del_tunnel(near)
    with pytest.raises(NotFoundError):
        a.datapath.del_session(near, one)


def test_quitting_leaves_the_netdevs(ends: tuple[End, End]) -> None:
    a, b = ends
    near, one = a.tunnel(b.host), session()
    a.add(near, one)
    (pid,) = a.host.workers()
    assert WorkerPool(a.host.runtime_dir).quit_all() == 1
    assert not runs(pid)
    assert "pw1" in a.ifindexes()
    assert sorted(a.host.runtime_dir.iterdir()) == []
    a.datapath.del_tunnel(near)
    nothing_left(a)


def test_the_worker_ends_with_its_last_tunnel(ends: tuple[End, End]) -> None:
    a, b = ends
    tunnels = [a.tunnel(b.host, name=f"t{n}", tunnel_id=n, local_port=5000 + n) for n in (1, 2, 3)]
    for tunnel in tunnels:
        a.datapath.add_tunnel(tunnel)
    assert len(a.host.workers()) == min(3, len(os.sched_getaffinity(0)))
    for tunnel in tunnels:
        a.datapath.del_tunnel(tunnel)
    nothing_left(a)


def test_a_worker_that_got_no_tunnel_ends(ends: tuple[End, End]) -> None:
    a, _ = ends
    workers = WorkerPool(a.host.runtime_dir)
    with workers.locked():
        workers.start().close()
    eventually(lambda: not a.host.workers(), "the worker ended")
    with workers.locked(), workers.live(clear=True) as crew:
        assert (crew.clients, crew.faults) == ([], [])
    nothing_left(a)


def test_two_hundred_sessions_in_one_worker(ends: tuple[End, End]) -> None:
    a, b = ends
    near, far = a.tunnel(b.host), b.tunnel(a.host)
    sessions = [session(number) for number in range(1, 201)]
    started = time.monotonic()
    a.add(near, *sessions)
    b.add(far, *map(mirrored, sessions))
    assert len(a.host.workers()) == 1
    assert len(a.seen(near).sessions) == 200
    for one in (sessions[0], sessions[99], sessions[199]):
        passes(a.place(one), b.place(one), [60])
        passes(b.place(one), a.place(one), [60])
    a.datapath.del_tunnel(near)
    nothing_left(a)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("encap", Encap)
def test_a_failed_add_leaves_nothing(ends: tuple[End, End], encap: Encap) -> None:
    a, b = ends
    near = a.tunnel(b.host, encap=encap)
    with pytest.raises(NotFoundError, match=f"{PREFIX}none"):
        a.datapath.add_tunnel(dataclasses.replace(near, netns=f"{PREFIX}none"))
    a.host.ip("addr", "del", "10.99.0.1/24", "dev", "u0")
    with pytest.raises(L2tpError, match=r"tunnel t1.*10\.99\.0\.1"):
        a.datapath.add_tunnel(near)
    nothing_left(a)


def test_a_scope_that_is_not_here_is_told(ends: tuple[End, End]) -> None:
    a, b = ends
    near = a.tunnel(b.host, family=6)
    scoped = dataclasses.replace(
        near, local=type(near.remote)("fe80::1%nope0"), remote=type(near.remote)("fe80::2%nope0")
    )
    with pytest.raises(L2tpError, match=r"tunnel t1.*fe80::1%nope0.*netdev that is here"):
        a.datapath.add_tunnel(scoped)
    nothing_left(a)


def test_a_worker_that_does_not_start_leaves_nothing(ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = ends
    import sys

    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(WorkerError, match="did not start"):
        a.datapath.add_tunnel(a.tunnel(b.host))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(L2tpError, match="/nowhere/python"):
        a.datapath.add_tunnel(a.tunnel(b.host))
    nothing_left(a)


def test_a_session_that_the_worker_refuses_leaves_no_netdev(
    ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = ends
    near = a.tunnel(b.host)
    a.datapath.add_tunnel(near)
    from l2tpv3.datapath.user.settings import SessionSettings

    with monkeypatch.context() as patch:
        patch.setattr(SessionSettings, "to_json", lambda self: self._asdict() | {"tx_cookie": "00", "rx_cookie": ""})
        with pytest.raises(L2tpError, match=r"session s1.*cookie"):
            a.datapath.add_session(near, session())
    assert "pw1" not in a.ifindexes()
    a.datapath.add_session(near, session())


def test_a_worker_that_hangs_is_named_and_not_killed(ends: tuple[End, End], monkeypatch: pytest.MonkeyPatch) -> None:
    """Others' bug: it killed processes that it did not start."""
    from l2tpv3.worker import pool as workers

    a, b = ends
    near = a.tunnel(b.host)
    a.datapath.add_tunnel(near)
    (pid,) = a.host.workers()
    monkeypatch.setattr(workers, "LOOK_TIMEOUT_S", 0.3)
    monkeypatch.setattr(workers, "LOOK_AGAIN_S", 0.1)
    os.kill(pid, signal.SIGSTOP)
    try:
        seen = a.datapath.look(a.host.netns)
        assert (seen.tunnels, [fault.pid for fault in seen.faults]) == ([], [pid])
        assert a.datapath.workers() == {pid: False}
        with pytest.raises(WorkerError, match=rf"worker {pid}: does not answer.*kill -9 {pid}"):
            a.datapath.add_session(near, session())
        with pytest.raises(WorkerError, match=f"worker {pid}"):
            a.datapath.del_tunnel(near)
        assert runs(pid)
        time.sleep(0.2)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert len(a.datapath.tunnels(a.host.netns)) == 1
    assert a.datapath.workers() == {pid: True}


def test_a_stale_socket_is_cleared_away_and_its_pid_left_alone(ends: tuple[End, End]) -> None:
    """Others' bug: a stale pid file named a stranger's process, which was killed."""
    a, b = ends
    a.host.runtime_dir.mkdir()
    path = a.host.runtime_dir / "worker-0.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (a.host.runtime_dir / "worker-0.log").write_text("")
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        assert a.datapath.tunnels(a.host.netns) == []
        a.datapath.add_tunnel(a.tunnel(b.host))
        assert bystander.poll() is None
        a.datapath.del_tunnel(a.tunnel(b.host))
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    nothing_left(a)


def test_no_tunnels_without_workers_and_no_process_for_that(ends: tuple[End, End]) -> None:
    a, _ = ends
    assert a.datapath.tunnels(a.host.netns) == []
    assert not a.host.runtime_dir.exists()


def test_a_netdev_whose_namespace_is_deleted(ends: tuple[End, End]) -> None:
    a, b = ends
    third = f"{PREFIX}third"
    near, far, one, other = a.tunnel(b.host), b.tunnel(a.host), session(1), session(2)
    a.add(near, one, other)
    b.add(far, mirrored(one), mirrored(other))
    (pid,) = a.host.workers()
    subprocess.run(["ip", "netns", "add", third], check=True)
    try:
        a.host.ip("link", "set", "pw1", "netns", third)
    finally:
        subprocess.run(["ip", "netns", "del", third], check=True)
    eventually(lambda: a.session(near, one).attached == "", "the worker noticed")
    assert a.session(near, other).attached == "pw2"
    with packet_socket(b.place(one)) as sender:
        sender.send(frame(60, 1))
    passes(b.place(other), a.place(other), [60])
    assert a.counters(near, one).rx_errors == 1
    used = cpu_ticks(pid)
    time.sleep(0.3)
    assert cpu_ticks(pid) - used <= 2, "the worker spins"
    a.datapath.del_session(near, one)
    a.datapath.add_session(near, one)
    a.datapath.del_tunnel(near)
    nothing_left(a)


def cpu_ticks(pid: int) -> int:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_an_idle_worker_sleeps(ends: tuple[End, End]) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    (pid,) = a.host.workers()
    time.sleep(0.1)
    used = cpu_ticks(pid)
    time.sleep(0.3)
    assert cpu_ticks(pid) - used <= 1


def test_a_tunnel_whose_namespace_lost_its_name_can_be_deleted(ends: tuple[End, End]) -> None:
    a, b = ends
    near = a.tunnel(b.host)
    a.add(near, session())
    subprocess.run(["ip", "netns", "del", a.host.netns], check=True)
    a.datapath.del_tunnel(near)
    assert a.host.workers() == []


def test_session_ids_over_ip_are_unique_in_a_namespace(ends: tuple[End, End]) -> None:
    a, b = ends
    b.host.ip("addr", "add", "10.99.0.3/24", "dev", "u0")
    first = a.tunnel(b.host, encap=Encap.IP)
    second = dataclasses.replace(first, name="t2", tunnel_id=2, remote=type(first.remote)("10.99.0.3"))
    a.add(first, session(1))
    a.datapath.add_tunnel(second)
    before = a.ifindexes()
    with pytest.raises(ExistsError, match=r"s2.*4097.*unique"):
        a.datapath.add_session(second, session(2, session_id=0x1001))
    assert a.ifindexes() == before


def test_runtime_directories_with_long_paths(ends: tuple[End, End]) -> None:
    """A unix socket's path has 107 bytes at most."""
    a, b = ends
    long = a.host.folder / ("x" * 100) / ("y" * 50)
    from l2tpv3.datapath.user import UserDatapath
    from l2tpv3.paths import Paths

    datapath = UserDatapath(Paths(long, long))
    near, one = a.tunnel(b.host), session()
    datapath.add_tunnel(near)
    datapath.add_session(near, one)
    assert len(datapath.tunnels(a.host.netns)) == 1
    datapath.del_tunnel(near)
    assert list(long.iterdir()) == []


def test_marks_are_seen_and_only_taps_are_listed(ends: tuple[End, End]) -> None:
    a, b = ends
    a.add(a.tunnel(b.host), session())
    a.host.ip("link", "set", "u0", "alias", "l2tpv3 t1/s1 nobody's")
    with inside(a.host.netns), RouteSocket() as route:
        assert {link.ifname for link in route.links()} == {"lo", "u0", "pw1"}
        (tap,) = route.links("tun")
    assert (tap.ifname, tap.alias) == ("pw1", f"l2tpv3 t1/s1 {a.host.runtime_dir}")


def test_probing(monkeypatch: pytest.MonkeyPatch, ends: tuple[End, End]) -> None:
    a, _ = ends
    assert a.datapath.probe().works
    monkeypatch.setattr(netdev, "TUN_DEVICE", "/dev/net/none")
    support = a.datapath.probe()
    assert not support.works
    assert "modprobe tun" in support.reason
    assert "\n" not in support.reason
    with pytest.raises(UnavailableError):
        netdev.open_tun("session s1")


def test_looking_while_others_add_and_delete(ends: tuple[End, End]) -> None:
    """Workers that are being started or that end are no error to who only looks."""
    a, b = ends
    near, one = a.tunnel(b.host), session()
    done = threading.Event()
    seen: list[int] = []
    failed: list[L2tpError] = []

    def look() -> None:
        while not done.is_set():
            try:
                seen.append(len(a.again().tunnels(a.host.netns)))
            except L2tpError as error:
                failed.append(error)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(8):
            a.datapath.add_tunnel(near)
            a.datapath.add_session(near, one)
            a.datapath.del_tunnel(near)
    finally:
        done.set()
        watcher.join()
    assert failed == []
    assert set(seen) == {0, 1}
    nothing_left(a)
