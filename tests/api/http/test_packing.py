"""Answers and events are packed for those who take that, and readable at once."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.model.observed import Counters
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.http.negotiation import takes_gzip
from tests.api.served import Reader, served
from tests.waiting import PATIENCE_S

NAMES = tuple(f"s{number}" for number in range(40))


@pytest.fixture
def many(manager: Manager) -> Manager:
    sessions = tuple(DesiredSession(name=name) for name in NAMES)
    manager.apply([DesiredTunnel(name="a", words={"remote": "127.0.0.2"}, sessions=sessions)])
    return manager


@pytest.fixture
def url(many: Manager) -> Iterator[str]:
    with served(create_app(Service(many), guard=AllowAll())) as address:
        yield address


@pytest.mark.parametrize(
    ("field", "taken"),
    [("gzip", True), ("GZIP", True), ("br, gzip;q=0.5", True), ("*", True), ("x-gzip", True), ("", False),
     ("gzip;q=0", False), ("gzip; q=0.000", False), ("*;q=0", False), ("gzip;q=0, *", False), ("gzipped", False),
     ("identity", False), ("gzip;q=x", False)],
)  # fmt: skip
def test_who_takes_gzip(field: str, taken: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert takes_gzip(field) is taken


@pytest.mark.parametrize(
    "path", ["/v1/sessions", "/v1/tunnels?include=sessions", "/v1/state", "/v1/stats", "/openapi.json"]
)
def test_json_is_packed(client: TestClient, many: Manager, path: str) -> None:
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and "Accept-Encoding" in plain.headers["vary"]
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert packed.json().keys() == plain.json().keys()
    assert packed.headers.get("etag") == plain.headers.get("etag")
    head = client.head(path, headers={"Accept-Encoding": "gzip"})
    assert (head.status_code, head.content) == (200, b"")


def test_what_is_small_or_unchanged_is_not(client: TestClient) -> None:
    small = client.get("/v1/confirmation")
    assert "content-encoding" not in small.headers and small.json() == {"awaited": False, "left_s": None}
    tag = client.get("/v1/state").headers["etag"]
    assert client.get("/v1/state", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    ("accept", "lines"),
    [("application/x-ndjson", True), ("application/x-ndjson, application/json;q=0.5", True), ("*/*", False),
     ("application/x-ndjson;q=0, application/json", False), ("application/x-ndjsonfoo", False), ("", False),
     ("application/json, application/x-ndjson;q=0.1", False)],
)  # fmt: skip
def test_one_way_of_reading_accept(client: TestClient, accept: str, lines: bool) -> None:  # noqa: FBT001
    answer = client.post("/v1/restore", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/x-ndjson") is lines
    metrics = client.get("/metrics", headers={"Accept": accept.replace("x-ndjson", "openmetrics-text")})
    wanted = lines or "q=0.1" in accept  # who takes that a little takes plain text not at all
    assert metrics.headers["content-type"].startswith("application/openmetrics-text;") is wanted


def counters(url: str, packed: bool, **params: Any) -> Iterator[Any]:  # noqa: FBT001
    """The data of counters events."""
    headers = {"Accept-Encoding": "gzip" if packed else "identity"}
    query = {"counters": "0.2", "types": "counters", **params}
    with httpx.stream("GET", f"{url}/v1/events", params=query, headers=headers, timeout=PATIENCE_S) as answer:
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
        yield from (told.data for told in Reader(answer.iter_lines()))


@pytest.mark.parametrize("packed", [False, True])
def test_counters_of_the_chosen_and_of_those_in_trouble(
    url: str, many: Manager, memory: MemoryDatapath, *, packed: bool
) -> None:
    tunnel = many.tunnel("a")
    events = counters(url, packed, session=["a/s1", "a/nowhere"])
    first = next(events)
    assert [one["name"] for one in first["sessions"]] == ["s1"] and first["links"] == []
    assert first["totals"]["sessions"]["count"] == len(NAMES) and first["totals"]["sessions"]["rates"] is None
    by_name = {one.name: one.spec for one in tunnel.sessions}
    memory.count(tunnel.spec, by_name["s2"], Counters(tx_packets=100))
    memory.count(tunnel.spec, by_name["s3"], Counters(rx_cookie_discards=1, tx_packets=11))
    told = next(one for one in events if one["totals"]["sessions"]["counters"]["tx_packets"] == 111)
    assert [one["name"] for one in told["sessions"]] == ["s1", "s3"]
    assert told["totals"]["sessions"]["rates"]["tx_packets_per_s"] > 0
    events.close()  # type: ignore[attr-defined]
    everything = counters(url, packed)
    assert len(next(everything)["sessions"]) == len(NAMES)
    everything.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("query", ["session=a/s1", "counters=1&session=s1", "counters=1&session=a/b/c", "link=x"])
def test_what_is_no_choice(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/events?{query}").status_code == 422


def test_a_packed_stream_is_readable_as_it_comes(url: str) -> None:
    headers = {"Accept-Encoding": "gzip"}
    with httpx.stream("GET", f"{url}/v1/events", headers=headers, timeout=PATIENCE_S) as answer:
        unpacking = zlib.decompressobj(31)
        assert unpacking.decompress(next(answer.iter_raw())).startswith(b"retry: ")
    state = httpx.get(f"{url}/v1/state", headers=headers)
    assert json.loads(gzip.decompress(gzip.compress(state.content)))["tunnel"]
