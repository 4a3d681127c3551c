"""/v1/links: what PUT, PATCH and DELETE promise, pages and filters; links in whole states."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.documents.schemas import LINKS_SCHEMA, PLAN_SCHEMA, STATS_SCHEMA, json_schema
from l2tpv3.model.links.options import LinkType

BRIDGE = {"type": "bridge", "over": ["eth0"]}
PATCH = {"Content-Type": "application/merge-patch+json"}


def pointers(answer: Any) -> set[str]:
    return {one["pointer"] for one in answer.json()["errors"]}


def test_a_link_comes_and_goes(client: TestClient) -> None:
    assert client.get("/v1/links").json() == {"schema": "l2tpv3/links/v1", "links": [], "total": 0, "next": None}
    made = client.put("/v1/links/br7", json={**BRIDGE, "address": ["10.9.0.1/24"]})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/links/br7")
    assert made.json()["change"] == {"recreated": False, "why": ""}
    got = client.get("/v1/links/br7")
    assert got.headers["etag"] == made.headers["etag"]
    jsonschema.validate({"schema": LINKS_SCHEMA, "links": [got.json()]}, json_schema(LINKS_SCHEMA))
    assert (got.json()["over_now"], got.json()["netdev"]["addresses"]) == (["eth0"], ["10.9.0.1/24"])
    assert client.delete("/v1/links/br7").status_code == 204
    gone = client.get("/v1/links/br7")
    assert (gone.status_code, gone.json()["slug"]) == (404, "not-found")
    assert client.delete("/v1/links/br7").status_code == 404


def test_the_same_put_again_changes_nothing(client: TestClient) -> None:
    first = client.put("/v1/links/br7", json={**BRIDGE, "transient": True})
    again = client.put("/v1/links/br7", json={**BRIDGE, "transient": True})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() and first.headers["etag"] == again.headers["etag"]
    assert first.json()["transient"] is True
    assert len(client.get("/v1/log").json()["entries"]) == 1


def test_a_put_is_the_whole_and_a_patch_some(client: TestClient) -> None:
    client.put("/v1/links/br7", json={**BRIDGE, "priority": 4096, "mtu": 1400})
    put = client.put("/v1/links/br7", json={**BRIDGE, "mtu": 1300}).json()
    assert (put["wanted"]["priority"], put["netdev"]["mtu"]) == (32768, 1300)
    patched = client.patch("/v1/links/br7", content='{"mtu": null, "priority": 7}', headers=PATCH).json()
    assert (patched["wanted"]["priority"], patched["wanted"]["mtu"]) == (7, "auto")
    assert patched["change"] == {"recreated": False, "why": ""}
    client.put("/v1/links/v5", json={"type": "vlan", "id": 5, "over": ["eth1"]})
    anew = client.patch("/v1/links/v5", json={"id": 6}).json()
    assert anew["change"] == {"recreated": True, "why": "id can't change in place"}
    assert client.patch("/v1/links/none", json={}).status_code == 404


def test_conditions(client: TestClient) -> None:
    tag = client.put("/v1/links/br7", json=BRIDGE, headers={"If-None-Match": "*"}).headers["etag"]
    again = client.put("/v1/links/br7", json=BRIDGE, headers={"If-None-Match": "*"})
    assert (again.status_code, again.json()["slug"]) == (412, "exists")
    assert again.json()["remedy"] == "`l2tpctl link set br7` changes it"
    client.patch("/v1/links/br7", json={"mtu": 1400}, headers={"If-Match": tag}).raise_for_status()
    for late in (
        client.patch("/v1/links/br7", json={"mtu": 1300}, headers={"If-Match": tag}),
        client.delete("/v1/links/br7", headers={"If-Match": tag}),
    ):
        assert (late.status_code, late.json()["slug"]) == (412, "precondition-failed")
    assert client.get("/v1/links/br7").json()["netdev"]["mtu"] == 1400


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({}, 422, {""}),
        ({"type": "bridg"}, 422, {"/type"}),
        ({"type": None}, 422, {""}),  # null is the default, and a type has none
        ({"type": "bridge", "mtu": 5, "prio": 1, "hash": "layer2"}, 422, {"/mtu", "/prio", "/hash"}),
        ({"type": "vlan", "over": ["eth0"]}, 422, {""}),
        ({"type": "vlan", "id": 5}, 422, {""}),
        ({"type": "bridge", "over": "eth0", "isolated": ["eth1"]}, 409, {"/isolated"}),
        ({"type": "bridge", "over": ["br7"]}, 409, {"/over"}),
        ({"type": "bridge", "transient": 1}, 422, {"/transient"}),
        ({"type": "bond", "over": ["eth0"], "arp-interval-ms": 100}, 409, {"/arp-interval-ms"}),
    ],
)
def test_what_can_not_be_meant(client: TestClient, body: dict[str, Any], status: int, where: set[str]) -> None:
    told = client.put("/v1/links/br7", json=body)
    assert (told.status_code, told.json()["slug"]) == (status, "invalid-value"), told.text
    assert pointers(told) == where
    assert client.get("/v1/links").json()["total"] == 0


@pytest.mark.parametrize(
    ("patch", "status", "where"),
    [
        ({"priority": 99999}, 422, {"/priority"}),
        ({"mode": "source"}, 409, {"/mode"}),
        ({"nonsense": None, "hash": None}, 422, {"/nonsense", "/hash"}),
        ({"type": None}, 422, {"/type"}),
        ({"isolated": ["eth1"]}, 409, {"/isolated"}),
        ({"type": "vlan"}, 409, set()),
    ],
)
def test_patches_that_do_not_fit(client: TestClient, patch: dict[str, Any], status: int, where: set[str]) -> None:
    before = client.put("/v1/links/br7", json=BRIDGE).headers["etag"]
    told = client.patch("/v1/links/br7", json=patch)
    assert (told.status_code, told.json()["slug"]) == (status, "invalid-value"), told.text
    assert pointers(told) == where
    assert client.get("/v1/links/br7").headers["etag"] == before


def test_what_is_in_the_way(client: TestClient) -> None:
    client.put("/v1/links/br7", json=BRIDGE)
    taken = client.put("/v1/links/br8", json=BRIDGE)
    assert (taken.status_code, taken.json()["slug"]) == (409, "conflict")
    absent = client.put("/v1/links/br8", json={"type": "bridge", "over": ["eth9"]})
    assert (absent.status_code, absent.json()["slug"], absent.json()["retryable"]) == (404, "not-found", True)
    client.put("/v1/links/v5", json={"type": "vlan", "id": 5, "over": ["br7"]})
    kept = client.delete("/v1/links/br7")
    assert (kept.status_code, kept.json()["problem"]) == (409, "link v5 is over it")


def test_pages_and_filters(client: TestClient, manager: Manager) -> None:
    for number in range(12):
        manager.links.add(f"v{number:02}", {"type": "vlan", "id": number + 1, "over": ["eth0"]})
    manager.links.add("br7", {"type": "bridge", "up": False})
    seen, cursor = [], None
    while True:
        page = client.get("/v1/links", params={"limit": 5, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["name"] for one in page["links"]]
        assert page["total"] == 13
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["br7", *(f"v{number:02}" for number in range(12))]
    assert client.get("/v1/links?type=bridge").json()["total"] == 1
    assert client.get("/v1/links?name=v1*").json()["total"] == 2
    assert client.get("/v1/links?condition=down").json()["links"][0]["name"] == "br7"
    for query in ("type=tunnel", "over=eth0", "limit=0"):
        assert client.get(f"/v1/links?{query}").status_code == 422


def test_counters(client: TestClient) -> None:
    client.put("/v1/links/br7", json=BRIDGE)
    told = client.get("/v1/links/br7/stats").json()
    jsonschema.validate(told, json_schema(STATS_SCHEMA))
    assert (told["sessions"], [one["name"] for one in told["links"]]) == ([], ["br7"])
    assert [one["name"] for one in client.get("/v1/stats").json()["links"]] == ["br7"]
    assert client.get("/v1/links/none/stats").status_code == 404


def test_a_whole_state(client: TestClient) -> None:
    client.put("/v1/links/old", json={"type": "alias", "over": ["eth1"]})
    state = {
        "tunnel": {"siteb": {"remote": "127.0.0.2", "session": {"lan": {"ifname": "lan0"}}}},
        "link": {"br7": {"type": "bridge", "over": ["siteb/lan", "eth0"]}},
    }
    plan = client.post("/v1/plan?prune=true", json=state).json()
    jsonschema.validate(plan, json_schema(PLAN_SCHEMA))
    assert [(one["sign"], one["link"]) for one in plan["steps"] if one["link"]] == [
        ("-", "old"), ("+", "br7"), ("~", "br7"),
    ]  # fmt: skip
    assert client.post("/v1/apply?prune=true", json=state).json()["steps"] == plan["steps"]
    on_record = client.get("/v1/state").json()
    assert on_record["link"] == state["link"]
    toml = client.get("/v1/state", headers={"Accept": "application/toml"}).text
    assert '[link.br7]\ntype = "bridge"' in toml
    again = client.post("/v1/plan?prune=true", content=toml, headers={"Content-Type": "application/toml"}).json()
    assert (again["steps"], again["changes"]) == ([], False)
    only_link = client.post("/v1/plan?prune=true", json={"link": {"br7": {"type": "bridge"}}})
    assert {one["sign"] for one in only_link.json()["steps"]} == {"-", "~"}


@pytest.mark.parametrize(
    ("link", "status", "where"),
    [
        ({"type": "vlan", "over": ["eth0"]}, 422, {"/link/x"}),
        ({"type": "bridge", "isolated": ["eth0"]}, 409, {"/link/x/isolated"}),
        ({"type": "bridge", "prio": 7}, 422, {"/link/x/prio"}),
        ({"type": "bridge", "netns": "blue"}, 409, set()),
        ([], 422, {"/link/x"}),
    ],
)
def test_a_state_that_can_not_be_meant(client: TestClient, link: Any, status: int, where: set[str]) -> None:
    for path in ("/v1/plan", "/v1/apply"):
        told = client.post(path, json={"link": {"x": link}})
        assert (told.status_code, told.json()["slug"]) == (status, "invalid-value"), told.text
        assert pointers(told) == where


def test_down_and_restore(client: TestClient) -> None:
    client.put("/v1/links/br7", json=BRIDGE)
    assert [one["link"] for one in client.post("/v1/down").json()["steps"]] == ["br7"]
    assert client.get("/v1/links/br7").json()["condition"] == "missing"
    told = client.post("/v1/restore").json()
    assert told["restored"] == ["link br7"]
    assert told["news"] == [{"tunnel": "", "link": "br7", "turn": "restored", "why": "", "changed": ""}]
    client.post("/v1/down")
    lines = client.post("/v1/restore", headers={"Accept": "application/x-ndjson"}).text
    assert '"link": "br7"' in lines.splitlines()[0]


def test_capabilities_tell_of_every_type(client: TestClient) -> None:
    told = client.get("/v1/capabilities").json()["links"]
    assert [one["type"] for one in told] == [*LinkType]
    assert all(one["reason"] for one in told)
