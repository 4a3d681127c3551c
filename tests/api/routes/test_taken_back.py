"""What GET gives as `wanted` can be sent back by PUT: read, change one word, write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

TUNNELS: list[dict[str, Any]] = [
    {"remote": "127.0.0.2"},
    {"remote": "127.0.0.2", "local": "127.0.0.1", "id": 7, "peer_id": 8, "local_port": 5, "remote_port": 6},
    {"remote": "127.0.0.2", "encap": "ip", "id": 9, "transient": True},
    {"remote": "127.0.0.3", "local_port": 7, "netns": None},
]
SESSIONS: list[dict[str, Any]] = [
    {},
    {"tx_cookie": "none", "rx_cookie": "01234567", "sequencing": "both", "reorder_timeout_ms": 5},
    {"vlan": 5, "egress": "rewrite", "mtu": 1400, "mac": "02:00:00:00:00:01", "up": False},
    {"address": ["10.9.0.1/24", "2001:db8::1/64"]},
    {"bridge": "br0", "sublayer": "none", "ifname": "pw0"},
]
LINKS: list[dict[str, Any]] = [
    {"type": "bridge"},
    {"type": "bridge", "over": ["eth0"], "priority": 4096, "address": ["10.8.0.1/24"], "transient": True},
    {"type": "bond", "over": ["eth0", "eth1"], "mode": "active-backup", "primary": "eth1"},
    {"type": "vlan", "over": ["eth0"], "id": 7},
    {"type": "port", "over": ["eth0", "eth1"]},
    {"type": "macvlan", "over": ["eth0"], "mode": "private"},
]
CASES = [
    *(("/v1/tunnels/a", words) for words in TUNNELS),
    *(("/v1/tunnels/a/sessions/s", words) for words in SESSIONS),
    *(("/v1/links/l", words) for words in LINKS),
]


@pytest.mark.parametrize(("path", "words"), CASES, ids=lambda value: json.dumps(value)[:60])
@pytest.mark.parametrize("secrets", ["", "?secrets=true"])
def test_what_is_wanted_can_be_sent_back(client: TestClient, path: str, words: dict[str, Any], secrets: str) -> None:
    if "sessions" in path:
        client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    made = client.put(path, json=words)
    assert made.status_code == 201, made.text
    seen = client.get(path + (secrets if "links" not in path else ""))
    log = client.get("/v1/log").json()
    same = client.put(path, json=seen.json()["wanted"], headers={"If-Match": seen.headers["etag"]})
    assert same.status_code == 200, same.text
    assert same.headers["etag"] == seen.headers["etag"], "the very same"
    assert client.get("/v1/log").json() == log, "nothing was changed"
    patched = client.patch(path, json={"name": seen.json()["name"], "netns": None})
    assert patched.status_code == 200, patched.text


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(("path", "words"), [CASES[0], CASES[4], CASES[9]], ids=["tunnel", "session", "link"])
def test_another_name_is_no_word(client: TestClient, path: str, words: dict[str, Any], method: str) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    client.put(path, json=words)
    for name in ("other", "", 5, ["a"]):
        answer = client.request(method, path, json={**words, "name": name})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/name")


def test_null_is_a_default_and_not_a_value(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2", "local": "127.0.0.1", "encap": "ip"})
    assert client.put("/v1/tunnels/a", json={"remote": "127.0.0.2", "encap": None}).json()["encap"] == "udp"
    assert client.put("/v1/tunnels/a", json={"remote": None}).status_code == 422
    assert client.put("/v1/tunnels/a", json={"remote": "127.0.0.2", "nonsense": None}).status_code == 422


def test_words_are_taken_as_the_command_line_spells_them_too(client: TestClient) -> None:
    words = {"remote": "127.0.0.2", "local-port": 5000, "udp-checksum": "off"}
    made = client.put("/v1/tunnels/a", json=words)
    wanted = made.json()["wanted"]
    assert (wanted["local_port"], wanted["udp_checksum"]) == (5000, False)
    named = {"remote": "127.0.0.2", "local_port": 5000, "udp_checksum": False}
    same = client.put("/v1/tunnels/a", json=named, headers={"If-Match": made.headers["etag"]})
    assert (same.status_code, same.headers["etag"]) == (200, made.headers["etag"])
    twice = client.put("/v1/tunnels/a", json={**named, "local-port": 5000})
    assert (twice.status_code, twice.json()["errors"][0]["pointer"]) == (422, "/local_port")


def test_a_document_spells_its_names_in_one_way(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    client.put("/v1/tunnels/a/sessions/s", json={})
    client.put("/v1/links/l", json={"type": "bridge", "over": ["eth0"]})
    for path in ("/v1/tunnels?include=sessions&secrets=true", "/v1/sessions", "/v1/links", "/v1/state"):
        assert not [name for name in names(client.get(path).json()) if "-" in name], path
    places = {"/tunnel/a/peer_id": {"peer_id": 0}, "/tunnel/a/peer-id": {"peer-id": 0}}
    for pointer, words in places.items():
        told = client.post("/v1/plan", json={"tunnel": {"a": {"remote": "127.0.0.2", **words}}}).json()
        assert [one["pointer"] for one in told["errors"]] == [pointer]


def test_what_is_wanted_can_be_part_of_a_whole_state(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={"remote": "127.0.0.2"})
    client.put("/v1/tunnels/a/sessions/s", json={})
    client.put("/v1/links/l", json={"type": "bridge", "over": ["eth0"]})
    tunnel = client.get("/v1/tunnels/a").json()["wanted"]
    tunnel["session"] = {"s": client.get("/v1/tunnels/a/sessions/s").json()["wanted"]}
    link = client.get("/v1/links/l").json()["wanted"]
    plan = client.post("/v1/plan?prune=true", json={"tunnel": {"a": tunnel}, "link": {"l": link}})
    assert plan.json()["changes"] is False, plan.text
    wrong = client.post("/v1/plan", json={"link": {"l": {**link, "transient": True, "name": "m"}}}).json()
    assert {one["pointer"] for one in wrong["errors"]} == {"/link/l/transient", "/link/l/name"}


def names(value: Any) -> list[str]:
    """Every key in a document, however deep."""
    if isinstance(value, list):
        return [name for one in value for name in names(one)]
    return [*value, *(name for one in value.values() for name in names(one))] if isinstance(value, dict) else []
