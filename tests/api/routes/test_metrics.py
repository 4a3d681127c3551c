"""GET /metrics: tunnels, and the service itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from l2tpv3 import Manager
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from tests.api.served import reading, served


@pytest.fixture
def url(manager: Manager) -> Iterator[str]:
    with served(create_app(Service(manager), guard=AllowAll())) as address:
        yield address


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    parse: Any = text_string_to_metric_families
    return {(one.name, frozenset(one.labels.items())): one.value for family in parse(text) for one in family.samples}


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[name, frozenset(labels.items())]


def test_tunnels_and_requests(client: TestClient, manager: Manager) -> None:
    manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
    for name in ("siteb", "siteb", "nowhere"):
        client.get(f"/v1/tunnels/{name}")
    client.get("/no/such/thing")
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.text
    assert value(text, "l2tpv3_tunnel_up", tunnel="siteb") == 1
    asked = {"method": "GET", "route": "/v1/tunnels/{tunnel}"}
    assert value(text, "l2tpv3_api_requests_total", **asked, status="200") == 2
    assert value(text, "l2tpv3_api_requests_total", **asked, status="404") == 1
    assert value(text, "l2tpv3_api_requests_total", method="GET", route="other", status="404") == 1
    assert value(text, "l2tpv3_api_request_duration_seconds_count", **asked) == 3
    assert value(text, "l2tpv3_api_request_duration_seconds_bucket", **asked, le="+Inf") == 3
    assert value(text, "l2tpv3_api_requests_running") == 1, "this one"


def test_openmetrics_for_those_who_accept_it(client: TestClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    parse: Any = openmetrics_parser
    names = {one.name for one in parse.text_string_to_metric_families(answer.text)}
    assert {"l2tpv3_api_requests", "l2tpv3_session_tx_packets", "l2tpv3_build"} <= names


def test_streams_and_what_their_readers_missed(url: str) -> None:
    import httpx

    with reading(url, types="worker"), reading(url, last_id="long-ago") as late:
        assert next(iter(late)).type == "reset"
        text = httpx.get(f"{url}/metrics").text
        assert value(text, "l2tpv3_api_streams", route="/v1/events") == 2
        assert value(text, "l2tpv3_api_event_subscribers") == 2
        assert value(text, "l2tpv3_api_events_resets_total") == 1


def test_packed_for_those_who_accept_it(client: TestClient, manager: Manager) -> None:
    manager.add_tunnel("siteb", {"remote": "127.0.0.2"})
    for number in range(20):
        manager.add_session("siteb", f"s{number}", {})
    packed = client.get("/metrics", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    plain = client.get("/metrics", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert [line for line in packed.text.splitlines() if "_session_" in line] == [
        line for line in plain.text.splitlines() if "_session_" in line
    ]
