"""GET /v1/hosts, .../hosts and .../flows: who is behind a wire and what passes it, for whoever may see that."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import jsonschema
import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.documents.schemas import FLOWS_SCHEMA, HOSTS_SCHEMA, json_schema
from l2tpv3.flows import watching
from l2tpv3.flows.report import Flows
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.auth.identity import CHANGING, Identity
from l2tpv3_api.schemas import examples
from tests.api.served import served
from tests.capture.test_recorder import Pair
from tests.hosts import Host
from tests.waiting import PATIENCE_S, eventually

SESSION = "/v1/tunnels/t/sessions/one"


def test_examples_are_of_their_schemas() -> None:
    jsonschema.validate(examples.HOSTS, json_schema(HOSTS_SCHEMA))
    jsonschema.validate(examples.FLOWS, json_schema(FLOWS_SCHEMA))


def test_who_may_only_change_things_may_not_see_them(manager: Manager) -> None:
    with TestClient(create_app(Service(manager), guard=AllowAll(Identity("someone", CHANGING)))) as client:
        client.put("/v1/tunnels/t", json={"remote": "127.0.0.2"})
        client.put(SESSION, json={})
        for path in ("/v1/hosts", f"{SESSION}/hosts", f"{SESSION}/flows"):
            refused = client.get(path)
            assert refused.status_code == 403 and "scope secrets" in refused.json()["problem"], path


def test_what_can_not_be_looked_at(client: TestClient) -> None:
    client.put("/v1/tunnels/t", json={"remote": "127.0.0.2"})
    client.put(SESSION, json={})
    for path, status in (
        ("/v1/hosts?tunnel=u", 404),
        ("/v1/hosts?listen_s=11", 422),
        ("/v1/tunnels/t/sessions/two/hosts", 404),
        ("/v1/tunnels/t/sessions/two/flows", 404),
        (f"{SESSION}/flows?interval_s=11", 422),
        (f"{SESSION}/flows?interval_s=0", 422),
        (f"{SESSION}/flows?limit=0", 422),
    ):
        assert client.get(path).status_code == status, path
    client.post("/v1/down")
    assert client.get(f"{SESSION}/flows").json()["slug"] == "not-found"
    unseen = client.get(f"{SESSION}/hosts?listen_s=0").json()["unseen"]
    assert unseen == ["session t/one: its netdev is not there; `l2tpctl doctor t` says why"]


def test_looks_at_a_session_are_shared_or_take_turns(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that differ take turns, those that are the same are shared; when 16 wait, nobody else may."""
    running, begun = 0, 0
    service = Service(manager)

    def watch(*_: object, interval_s: float, most: int) -> Iterator[Flows]:
        nonlocal running, begun
        begun += 1
        running += 1
        seen.append(running)
        hold.wait(PATIENCE_S)
        running -= 1
        yield Flows(interval_s=interval_s, flows=(), count=most, bytes_per_s=0.0, rest_bytes_per_s=0.0)

    seen: list[int] = []
    hold = threading.Event()
    monkeypatch.setattr(watching, "watch_flows", watch)
    with served(create_app(service, guard=AllowAll())) as url, ThreadPoolExecutor(30) as askers:
        httpx.put(f"{url}/v1/tunnels/t", json={"remote": "127.0.0.2"})
        httpx.put(f"{url}{SESSION}", json={})

        def ask(limit: int) -> httpx.Response:
            return httpx.get(f"{url}{SESSION}/flows", params={"limit": limit}, timeout=PATIENCE_S)

        first = askers.submit(ask, 1)
        eventually(lambda: begun == 1)
        others = [askers.submit(ask, limit) for limit in range(2, 17)]
        eventually(lambda: service.passing.count == 16)
        assert ask(17).json()["slug"] == "busy"
        hold.set()
        counts = sorted(one.result().json()["count"] for one in (first, *others))
    assert counts == list(range(1, 17)) and set(seen) == {1} and begun == 16


@pytest.mark.root
def test_hosts_and_flows_of_a_pseudowire(underlay: tuple[Host, Host]) -> None:
    pair = Pair(underlay)
    with served(create_app(Service(pair.manager), guard=AllowAll())) as url:
        pinging = pair.a.start(["ping", "-q", "-n", "-i", "0.02", "10.9.1.2"])

        def ways() -> bool:
            found = httpx.get(f"{url}{SESSION}/flows?interval_s=0.5", timeout=PATIENCE_S).json()
            jsonschema.validate(found, json_schema(FLOWS_SCHEMA))
            seen = {(one["out"], one["source"]) for one in found["flows"] if one["protocol"] == "icmp"}
            return seen == {(True, "10.9.1.1"), (False, "10.9.1.2")}

        eventually(ways)
        _end(pinging)
        found = httpx.get(f"{url}{SESSION}/hosts?listen_s=0.1", timeout=PATIENCE_S).json()
        jsonschema.validate(found, json_schema(HOSTS_SCHEMA))
        ((session),) = found["sessions"]
        assert any(one["far"] and one["addresses"] == ["10.9.1.2"] for one in session["hosts"]), session
        everywhere = httpx.get(f"{url}/v1/hosts?listen_s=0", timeout=PATIENCE_S).json()
        assert [one["name"] for one in everywhere["sessions"]] == ["one", "two"]


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
