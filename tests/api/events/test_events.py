"""GET /v1/events over the in-memory datapath: what is told, to whom, and what a slow reader costs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.errors import ConflictError
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.observed import Counters
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.events.apply_progress import Progress
from l2tpv3_api.events.hub import Hub
from l2tpv3_api.routes import events as route
from tests.api.served import reading, served
from tests.waiting import PATIENCE_S


@pytest.fixture
def service(manager: Manager) -> Service:
    return Service(manager)


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    with served(create_app(service, guard=AllowAll())) as address:
        yield address


def wait_until_subscribers(service: Service, count: int) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while service.hub.subscribers != count:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_tunnels_and_sessions_as_a_get_would_tell_them(url: str, manager: Manager) -> None:
    with reading(url) as events:
        manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
        told = events.next("tunnel", name="siteb")
        assert told.data["change"] == "appeared"
        got = httpx.get(f"{url}/v1/tunnels/siteb").json()
        assert got.pop("sessions", []) == []
        assert told.data["document"] == got | {"session_count": 0}
        manager.add_session("siteb", "lan", {"tx-cookie": "00112233", "rx-cookie": "44556677"})
        told = events.next("session", tunnel="siteb", name="lan", change="appeared")
        assert told.data["document"] == httpx.get(f"{url}/v1/tunnels/siteb/sessions/lan").json()
        assert "00112233" not in str(told.data)
        manager.set_session("siteb", "lan", {"mtu": "1400"})
        assert events.next("session", change="changed", name="lan").data["document"]["mtu"] == 1400
        manager.del_tunnel("siteb")
        assert events.next("session", change="vanished").data["name"] == "lan"
        assert events.next("tunnel", change="vanished").data["name"] == "siteb"


def test_links_as_a_get_would_tell_them(url: str, manager: Manager) -> None:
    with reading(url, counters="0.2") as events:
        manager.links.add("br7", {"type": "bridge", "over": ["eth0"]})
        told = events.next("link", name="br7", change="appeared")
        assert told.data["document"] == httpx.get(f"{url}/v1/links/br7").json()
        manager.links.set("br7", {"over": ["eth1"]})
        assert events.next("link", change="changed").data["document"]["over_now"] == ["eth1"]
        while not events.next("counters").data["links"]:
            continue
        (counted,) = events.next("counters").data["links"]
        assert (counted["name"], counted["condition"]) == ("br7", "up") and counted["rates"] is not None
        manager.links.delete("br7")
        events.next("link", change="vanished", name="br7")


def test_a_change_that_another_process_makes(url: str, memory: MemoryDatapath, tmp_path: Path) -> None:
    """As an l2tpctl beside the service would: only the record is shared (and here the datapath, being in memory)."""
    beside = Manager(Paths(tmp_path / "state", tmp_path / "run"), [memory], MemoryConfigurator(memory))
    with reading(url, types="tunnel") as events:
        beside.add_tunnel("siteb", {"remote": "127.0.0.2"})
        assert events.next("tunnel", name="siteb").data["change"] == "appeared"
        beside.del_tunnel("siteb")
        assert events.next("tunnel", name="siteb").data["change"] == "vanished"


def test_going_on_after_the_last_event(url: str, manager: Manager) -> None:
    with reading(url) as events:
        first = events.last_id
        manager.add_tunnel("a", {"remote": "127.0.0.2"})
        seen = events.next("tunnel", name="a").id
        manager.add_tunnel("b", {"remote": "127.0.0.3", "encap": "ip"})
        events.next("tunnel", name="b")
    manager.add_tunnel("c", {"remote": "127.0.0.4", "encap": "ip"})
    with reading(url, last_id=seen) as events:
        assert [events.next("tunnel").data["name"] for _ in range(2)] == ["b", "c"]
    with reading(url, last_id=first) as events:
        assert next(iter(events)).data["name"] == "a"


@pytest.mark.parametrize("last_id", ["0badc0de-1", "nonsense", "0badc0de-99999999999999999999"])
def test_what_can_not_be_resumed_is_said(url: str, manager: Manager, last_id: str) -> None:
    with reading(url, last_id=last_id) as events:
        told = next(iter(events))
        assert told.type == "reset"
        manager.add_tunnel("a", {"remote": "127.0.0.2"})
        after = events.next("tunnel")
    with reading(url, last_id=told.id) as events:
        assert next(iter(events)).id == after.id


def test_counters_with_rates(url: str, manager: Manager, memory: MemoryDatapath) -> None:
    manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
    manager.add_session("siteb", "lan", {})
    record = manager.records()["siteb"]
    with reading(url, counters="0.2") as events:
        assert events.next("counters").data["sessions"][0]["rates"] is None
        memory.count(record.spec, record.sessions[0].spec, Counters(rx_packets=1000))
        while (told := events.next("counters").data)["sessions"][0]["counters"]["rx_packets"] == 0:
            continue
        assert told["sessions"][0]["rates"]["rx_packets_per_s"] == pytest.approx(1000 / told["interval_s"], rel=0.01)
        assert told["schema"] == "l2tpv3/stats/v1"


def test_one_look_serves_all_who_want_counters(url: str, service: Service, manager: Manager) -> None:
    manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
    with (
        reading(url, counters="0.2") as one,
        reading(url, counters="0.2") as two,
        reading(url, counters="0.4") as three,
    ):
        for events in (one, two, three):
            events.next("counters")
        same = {events.next("counters").data["time"] for events in (one, two) for _ in range(4)}
        assert len(same) <= 6, "two that ask for the same get the same documents"
    wait_until_subscribers(service, 0)


@pytest.mark.parametrize("params", [{"types": "tunnels"}, {"types": "counters"}, {"counters": "0"}, {"counters": "x"}])
def test_what_can_not_be_meant(url: str, params: dict[str, str]) -> None:
    answer = httpx.get(f"{url}/v1/events", params=params)
    assert (answer.status_code, answer.json()["slug"]) == (422, "invalid-value")


def test_an_apply_step_by_step(url: str, service: Service, manager: Manager) -> None:
    sessions = (DesiredSession(name="lan"),)
    wanted = [DesiredTunnel(name="siteb", words={"remote": "127.0.0.2"}, sessions=sessions)]
    with reading(url, types="apply") as events:
        with Progress(service.hub, "alice") as progress:
            manager.apply(wanted, on_step=progress)
        told = [events.next("apply").data for _ in range(4)]
        assert [one["state"] for one in told] == ["began", "step", "step", "done"]
        assert {(one["id"], one["who"]) for one in told} == {(progress.id, "alice")}
        assert told[2]["step"]["session"] == "lan" and told[2]["step"]["sign"] == "+"
        taken = [DesiredTunnel(name="x", words={"remote": "127.0.0.2", "local-port": 1701})]
        with pytest.raises(ConflictError), Progress(service.hub, "alice") as progress:
            manager.apply(taken, on_step=progress)
        assert events.next("apply", state="failed").data["slug"] == "conflict"


def test_a_slow_reader_costs_others_nothing(manager: Manager) -> None:
    """It reads nothing while more is told than is kept; it learns of that, and the one beside it misses nothing."""
    service = Service(manager, Hub(ring_events=200, ring_bytes=1 << 20))
    text = "x" * 20_000  # 20 MB in all: sockets' buffers hold some of it
    with served(create_app(service, guard=AllowAll())) as url, reading(url) as quick:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), PATIENCE_S) as slow:
            slow.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            wait_until_subscribers(service, 2)
            stream = iter(quick)
            for number in range(1000):
                service.hub.publish("tunnel", {"number": number, "text": text})
                assert next(stream).data["number"] == number
                assert service.hub.kept_bytes <= 1 << 20
            tail = b""
            while b"event: reset" not in tail:
                piece = slow.recv(1 << 20)
                assert piece, "it was told that it missed some"
                tail = tail[-20:] + piece
            service.hub.publish("session", {"last": True})
            while b'"last":true' not in tail:
                tail = tail[-20:] + slow.recv(1 << 20)


def test_silence_is_broken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a comment, so that neither end takes a quiet stream for a dead one."""
    monkeypatch.setattr(route, "HEARTBEAT_S", 0.1)
    with httpx.stream("GET", f"{url}/v1/events", params={"types": "worker"}, timeout=PATIENCE_S) as response:
        comments = (line for line in response.iter_lines() if line.startswith(":"))
        assert [next(comments), next(comments)] == [": still here"] * 2


def test_streams_end_with_their_clients_and_with_the_service(service: Service) -> None:
    with served(create_app(service, guard=AllowAll())) as url:
        with reading(url), reading(url):
            assert service.hub.subscribers == 2
        wait_until_subscribers(service, 0)
        left = httpx.stream("GET", f"{url}/v1/events", timeout=PATIENCE_S)
        response = left.__enter__()
        next(response.iter_lines())
    assert service.hub.subscribers == 0
    left.__exit__(None, None, None)
