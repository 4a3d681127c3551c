"""What GET gives as `wanted` can be sent back by PUT: read, change one word, write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

TUNNELS: list[dict[str, Any]] = [
    {"remote": "127.0.0.2"},
    {"remote": "127.0.0.2", "local": "127.0.0.1", "id": 7, "peer-id": 8, "local-port": 5, "remote-port": 6},
    {"remote": "127.0.0.2", "encap": "ip", "id": 9, "transient": True},
    {"remote": "127.0.0.3", "local-port": 7, "netns": None},
]
SESSIONS: list[dict[str, Any]] = [
    {},
    {"tx-cookie": "none", "rx-cookie": "01234567", "sequencing": "both", "reorder-timeout-ms": 5},
    {"vlan": 5, "egress": "rewrite", "mtu": 1400, "mac": "02:00:00:00:00:01", "up": False},
    {"address": ["10.9.0.1/24", "2001:db8::1/64"]},
    {"bridge": "br0", "sublayer": "none", "ifname": "pw0"},
]
LINKS: list[dict[str, Any]] = [
    {"type": "bridge"},
    {"type": "bridge", "over": ["eth0"], "priority": 4096, "address": ["10.8.0.1/24"], "transient": True},
    {"type": "bond", "over": ["eth0", "eth1"], "mode": "active-backup", "primary": "eth1"},
    {"type": "vlan", "over": ["eth0"], "id": 7},
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
