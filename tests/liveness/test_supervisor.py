"""`l2tpctl watch`: workers are killed under traffic, and everything about the netdev stays."""

from __future__ import annotations

import functools
import itertools
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Condition
from l2tpv3.errors import WorkerError
from l2tpv3.linux.netns import inside
from tests.here import Here
from tests.host_processes import running
from tests.hosts import Host, Hosts
from tests.waiting import PATIENCE_S, eventually
from tests.watching import as_in_the_unit, said, told, watch

pytestmark = pytest.mark.root

_COOKIES = {"tx-cookie": "00112233", "rx-cookie": "00112233"}


@pytest.fixture
def joined(hosts: Hosts) -> Iterator[tuple[Here, Here]]:
    """Two hosts with a session between them; on the first its netdev is a bridge's port, and there is another one."""
    a, b = (Here(host) for host in hosts.pair())
    a.host.ip_batch(["link add br0 type bridge", "addr add 10.9.0.1/24 dev br0", "link set br0 up"])
    a.add_tunnel("peer", {"remote": b.host.v4, "datapath": "user"})
    a.add_session("peer", "lan", {**_COOKIES, "bridge": "br0"})
    a.add_session("peer", "own", {"address": ["10.8.0.1/24"]})
    b.add_tunnel("peer", {"remote": a.host.v4, "datapath": "user"})
    b.add_session("peer", "lan", {**_COOKIES, "address": ["10.9.0.2/24"]})
    a.host.ip("addr", "add", "10.7.0.1/24", "dev", "l2tpeth1")  # by hand, on no record
    yield a, b


@pytest.fixture
def watching(joined: tuple[Here, Here]) -> Iterator[subprocess.Popen[str]]:
    """`l2tpctl watch` on the first host."""
    with watch(joined[0]) as process:
        yield process


def _netdevs(here: Here) -> list[Any]:
    return [here.session("peer", name).netdev for name in ("lan", "own")]


def _others(host: Host, worker: int) -> list[int]:
    return [pid for pid in host.workers() if pid != worker]


def test_a_worker_killed_under_traffic_is_replaced(joined: tuple[Here, Here], watching: subprocess.Popen[str]) -> None:
    a, _ = joined
    assert a.host.ping("10.9.0.2", count=2)
    before = _netdevs(a)
    ping = a.host.start(["ping", "-n", "-D", "-i", "0.02", "-w", "8", "10.9.0.2"])
    time.sleep(1.0)
    for _ in range(2):
        (worker,) = a.host.workers()
        os.kill(worker, signal.SIGKILL)
        eventually(functools.partial(_others, a.host, worker))
        time.sleep(2.0)
    answers = said(ping)
    times = [float(at) for at in re.findall(r"^\[([\d.]+)\] 64 bytes", answers, re.MULTILINE)]
    gaps = sorted((later - earlier for earlier, later in itertools.pairwise(times)), reverse=True)
    print(f"the longest silences: {gaps[:3]}")
    after = _netdevs(a)
    for one, other in zip(before, after, strict=True):
        assert (one.ifindex, one.mac, one.bridge, one.mtu) == (other.ifindex, other.mac, other.bridge, other.mtu)
        assert set(one.addresses) <= set(other.addresses), "an IPv6 one may have come meanwhile"
    assert {one.condition for one in a.tunnel("peer").sessions} == {Condition.UP}
    assert told(watching, "tunnel peer: restored", 2) == ["tunnel peer: restored"] * 2
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(PATIENCE_S) == 0
    assert said(watching) == ""
    assert a.host.ping("10.9.0.2"), "and workers carry on without it"


class Datagrams:
    """A client that sends a UDP datagram each 10 ms for 5 s, and a server that sends each back. The first has come."""

    def __init__(self, server: Host, client: Host, address: str) -> None:
        self._server = server.start([sys.executable, "-c", _ECHO.format(address=address)])
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"
        self._client = client.start([sys.executable, "-c", _ASK.format(address=address)])
        assert self._client.stdout is not None
        assert self._client.stdout.readline() == "answered\n"

    def came_back(self) -> tuple[int, int]:
        """How many datagrams came back, and how many did not. Waits until the client ends; then the server is ended."""
        sent, lost = map(int, said(self._client).split())
        self._server.kill()
        self._server.wait()
        return sent - lost, lost


_ECHO = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("{address}", 7777))
print("ready", flush=True)
while True:
    data, client = sock.recvfrom(1000)
    sock.sendto(data, client)
"""
_ASK = """
import socket, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.connect(("{address}", 7777))
sock.settimeout(60)
lost, begin, number = 0, time.monotonic(), 0
while time.monotonic() < begin + 5:
    number += 1
    sock.send(number.to_bytes(4, "big"))
    try:
        while int.from_bytes(sock.recv(4), "big") != number:
            pass
        if number == 1:
            print("answered", flush=True)
    except TimeoutError:
        lost += 1
    time.sleep(0.01)
print(number, lost)
"""


def test_what_programs_move_goes_on_without_a_worker_which_is_replaced(hosts: Hosts) -> None:
    a, b = (Here(host) for host in hosts.pair())
    for number, (one, other) in enumerate(((a, b), (b, a)), start=1):
        one.add_tunnel("peer", {"remote": other.host.v4, "datapath": "ebpf"})
        one.add_session("peer", "lan", {**_COOKIES, "address": [f"10.9.0.{number}/24"]})
    before = a.session("peer", "lan").netdev
    datagrams = Datagrams(b.host, a.host, "10.9.0.2")
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not a.host.workers())
    tunnel = a.tunnel("peer")
    assert (tunnel.condition, tunnel.worker_pid) == (Condition.MISSING, None)
    assert "what the kernel's programs move still passes" in tunnel.notes[0]
    assert a.host.ping("10.9.0.2")
    with watch(a, as_in_the_unit("l2tpv3-ebpf.conf")) as process:
        eventually(lambda: a.tunnel("peer").condition is Condition.UP)
        (second,) = a.host.workers()
        os.kill(second, signal.SIGKILL)
        eventually(lambda: a.tunnel("peer").worker_pid not in (None, second))
        came_back, lost = datagrams.came_back()
        assert told(process, "tunnel peer: restored", 2) == ["tunnel peer: restored"] * 2
        process.send_signal(signal.SIGTERM)
        assert said(process) == ""
    assert lost == 0
    session = a.session("peer", "lan")
    assert a.tunnel("peer").notes == () and session.condition is Condition.UP
    assert (session.netdev.ifindex, session.netdev.mac) == (before.ifindex, before.mac)
    assert set(before.addresses) <= set(session.netdev.addresses), "an IPv6 one may have come meanwhile"
    assert session.counters.rx_packets >= came_back > 0, "what was counted stays"


@pytest.mark.parametrize("since", ["before", "after"])
def test_a_worker_that_has_lost_its_socket_is_replaced_when_it_dies(joined: tuple[Here, Here], since: str) -> None:
    a, _ = joined
    (worker,) = a.host.workers()
    (socket,) = a.host.runtime_dir.glob("*.sock")
    if since == "after":
        socket.unlink()
    with watch(a, knows_workers=since == "before"):
        socket.unlink(missing_ok=True)
        time.sleep(2.0)  # so that it has looked again
        assert a.host.workers() == [worker]
        os.kill(worker, signal.SIGKILL)
        eventually(functools.partial(_others, a.host, worker))


def test_what_was_taken_down_or_deleted_stays_so(joined: tuple[Here, Here], watching: subprocess.Popen[str]) -> None:
    a, _ = joined
    a.down()
    time.sleep(1.5)
    assert a.host.workers() == []
    assert a.tunnel("peer").condition is Condition.MISSING
    a.restore()
    a.del_session("peer", "own")
    a.del_tunnel("peer")
    time.sleep(1.5)
    assert a.host.workers() == []
    assert watching.poll() is None
    watching.send_signal(signal.SIGTERM)
    assert said(watching) == ""


def test_a_worker_that_died_before_is_replaced_at_the_start(joined: tuple[Here, Here]) -> None:
    a, _ = joined
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: not a.host.workers())
    with watch(a) as process:
        eventually(lambda: a.tunnel("peer").condition is Condition.UP)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert a.host.ping("10.9.0.2")


def test_a_worker_that_does_not_answer_is_shown_as_such(joined: tuple[Here, Here]) -> None:
    a, _ = joined
    a.add_tunnel("other", {"remote": a.host.v4[:-1] + "9", "datapath": "user", "local-port": 1800})
    a.add_session("other", "lan", {})
    hung = a.tunnel("peer").worker_pid
    assert hung is not None and a.tunnel("other").worker_pid != hung
    os.kill(hung, signal.SIGSTOP)
    shown = {one.name: one for one in a.tunnels()}
    assert shown["peer"].condition is Condition.MISSING
    (note,) = shown["peer"].notes
    assert note.startswith(f"worker {hung} does not answer; it may be this tunnel's: ") and f"kill -9 {hung}" in note
    assert shown["other"].condition is Condition.UP, "the others are shown as usual"
    assert [one.condition for one in shown["other"].sessions] == [Condition.UP]
    a.set_session("other", "lan", {"mtu": 1300})
    (step, *_) = a.plan(a.stated()).steps
    assert step.why == f"worker {hung}, which may carry it, does not answer"
    with pytest.raises(WorkerError, match="does not answer"):
        a.restore("peer")
    os.kill(hung, signal.SIGCONT)
    eventually(lambda: a.tunnel("peer").condition is Condition.UP)
    assert a.host.ping("10.9.0.2")


def test_a_worker_that_does_not_answer_is_ended_and_replaced(
    joined: tuple[Here, Here], watching: subprocess.Popen[str]
) -> None:
    a, _ = joined
    (first,) = a.host.workers()
    os.kill(first, signal.SIGSTOP)
    assert watching.stdout is not None
    assert f"worker {first}: does not answer and can't be ended from here" in watching.stdout.readline()
    before = _netdevs(a)
    os.kill(first, signal.SIGKILL)
    eventually(functools.partial(_others, a.host, first))
    eventually(lambda: a.tunnel("peer").condition is Condition.UP)
    (second,) = a.host.workers()  # this one is its own
    os.kill(second, signal.SIGSTOP)
    eventually(lambda: a.tunnel("peer").worker_pid not in (None, second))
    assert [one.ifindex for one in _netdevs(a)] == [one.ifindex for one in before]
    eventually(lambda: a.host.ping("10.9.0.2", check=False))  # the tunnel is there before its sessions
    watching.send_signal(signal.SIGTERM)
    assert f"worker {second}: did not answer as it should; it is ended" in said(watching)


def test_one_that_answers_again_in_time_is_left_alone(
    joined: tuple[Here, Here], watching: subprocess.Popen[str]
) -> None:
    a, _ = joined
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGSTOP)
    assert a.tunnel("peer").condition is Condition.MISSING
    time.sleep(3.0)
    os.kill(worker, signal.SIGCONT)
    assert a.host.ping("10.9.0.2")
    time.sleep(5.0)
    assert a.tunnel("peer").worker_pid == worker
    watching.send_signal(signal.SIGTERM)
    assert said(watching) == ""


def test_a_tunnel_without_sessions_comes_back_too(joined: tuple[Here, Here], watching: subprocess.Popen[str]) -> None:
    a, _ = joined
    a.add_tunnel("bare", {"remote": a.host.v4[:-1] + "9", "datapath": "user", "local-port": 1800})
    time.sleep(1.5)
    worker = a.tunnel("bare").worker_pid
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: a.tunnel("bare").worker_pid not in (None, worker))
    a.down()
    time.sleep(2.5)
    assert a.tunnel("bare").condition is Condition.MISSING
    assert a.tunnel("bare").notes == ("`l2tpctl down` stopped it; `l2tpctl restore bare` brings it back",)
    assert watching.poll() is None


def test_a_netdev_that_was_deleted_comes_back_and_one_that_was_moved_stays_away(
    joined: tuple[Here, Here], watching: subprocess.Popen[str]
) -> None:
    a, b = joined
    before, lan = _netdevs(a)[1], _netdevs(a)[0]
    a.host.ip("link", "del", "l2tpeth1")
    eventually(lambda: a.session("peer", "own").condition is Condition.UP)
    after = a.session("peer", "own").netdev
    assert (after.mac, after.mtu, after.addresses[0]) == (before.mac, before.mtu, before.addresses[0])
    assert a.session("peer", "lan").netdev == lan, "the other one was not touched"
    a.host.ip("link", "set", "l2tpeth1", "netns", b.host.netns)
    assert a.session("peer", "own").netdev.netns == b.host.netns
    assert a.without_netdevs() == set(), "as a container may have it"
    b.host.ip("link", "del", "l2tpeth1")
    eventually(lambda: a.session("peer", "own").condition is Condition.UP)
    a.down()
    assert a.without_netdevs() == set()
    watching.send_signal(signal.SIGTERM)
    assert set(said(watching).splitlines()) == {"tunnel peer: restored"}


def test_one_that_cannot_be_restored_yet_is_tried_again(
    joined: tuple[Here, Here], watching: subprocess.Popen[str]
) -> None:
    a, b = joined
    a.host.ip("addr", "flush", "dev", "u0")
    (worker,) = a.host.workers()
    os.kill(worker, signal.SIGKILL)
    assert watching.stdout is not None
    assert "can't reach" in watching.stdout.readline()
    a.host.ip("addr", "add", f"{a.host.v4}/24", "dev", "u0")
    eventually(lambda: a.tunnel("peer").condition is Condition.UP)
    assert a.host.ping("10.9.0.2")
    assert b.tunnel("peer").condition is Condition.UP


def test_what_nobody_confirmed_is_undone_though_its_watcher_was_killed(
    joined: tuple[Here, Here], watching: subprocess.Popen[str], tmp_path: Path
) -> None:
    a, _ = joined
    wanted = tmp_path / "more.toml"
    wanted.write_text(f'[tunnel.more]\nremote = "{a.host.v4[:-1]}9"\ndatapath = "user"\nlocal-port = 1800\n')
    a.host.ctl("apply", "-f", str(wanted), "--confirm", "2")
    killed = running(a.host, b"expire")
    assert len(killed) == 1
    os.kill(killed[0], signal.SIGKILL)
    assert "more" in a.records()
    eventually(lambda: "more" not in a.records())
    assert watching.poll() is None


class Cards:
    """A host with two virtual cards on one NIC, each in a namespace of its own, and a neighbour."""

    def __init__(self, hosts: Hosts) -> None:
        a, self.wire = hosts.pair()
        self.here, self.guests = Here(a), hosts.add("one", "two")
        for number, guest in enumerate(self.guests, start=1):
            words = {"type": "vnic", "over": "u0", "netns": guest.netns, "address": [f"10.99.0.1{number}/24"]}
            with inside(a.netns):
                self.here.manager.links.add(f"va{number}", words)

    def netdevs(self) -> list[Any]:
        with inside(self.here.host.netns):
            return [one.netdev for one in self.here.manager.links.all()]

    def worker(self) -> int | None:
        """The one that has both; None in between."""
        with inside(self.here.host.netns):
            pids = {one.worker_pid for one in self.here.manager.links.all()}
        return pids.pop() if len(pids) == 1 else None

    def reached(self) -> bool:
        """From the wire and from each other."""
        return all(self.wire.ping(f"10.99.0.1{n}") for n in (1, 2)) and self.guests[0].ping("10.99.0.12")


def test_virtual_cards_get_another_worker_and_keep_their_netdevs(hosts: Hosts) -> None:
    cards = Cards(hosts)
    before = cards.netdevs()
    with watch(cards.here, []) as watching:
        for _ in range(2):
            worker = cards.worker()
            assert worker is not None
            os.kill(worker, signal.SIGKILL)
            gone_s = eventually(lambda worker=worker: cards.worker() not in (None, worker))  # type: ignore[misc]
            print(f"without a worker for {gone_s:.2f} s")
            assert cards.reached()
            assert told(watching, "link va2: restored") == ["link va1: restored", "link va2: restored"]
        after = cards.netdevs()
        for one, other in zip(before, after, strict=True):
            assert (one.ifindex, one.mac, one.mtu) == (other.ifindex, other.mac, other.mtu)
            assert set(one.addresses) <= set(other.addresses), "an IPv6 one may have come meanwhile"
        watching.send_signal(signal.SIGTERM)
        assert watching.wait(PATIENCE_S) == 0
        assert said(watching) == ""


def test_a_virtual_cards_worker_that_hangs_is_ended_and_replaced(hosts: Hosts) -> None:
    cards = Cards(hosts)
    with watch(cards.here, []) as watching:
        hung = cards.worker()
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        eventually(lambda: cards.worker() not in (None, hung))
        assert cards.reached()
        watching.send_signal(signal.SIGTERM)
        assert f"worker {hung}: did not answer as it should; it is ended" in said(watching)


def test_virtual_cards_that_were_taken_down_or_deleted_stay_so(hosts: Hosts) -> None:
    cards = Cards(hosts)
    with watch(cards.here, []) as watching:
        cards.here.down()
        time.sleep(2.5)
        assert cards.here.host.workers() == []
        cards.here.restore()
        assert cards.reached()
        with inside(cards.here.host.netns):
            for name in ("va1", "va2"):
                cards.here.manager.links.delete(name)
        time.sleep(2.5)
        assert cards.here.host.workers() == []
        assert watching.poll() is None
        watching.send_signal(signal.SIGTERM)
        assert said(watching) == ""
