"""If-Match, If-None-Match: of writers that race one wins, and the others learn it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.errors import PreconditionError
from l2tpv3.model.observed import Counters
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3_api.http.etag import Conditions, Tagger

PEER = {"remote": "127.0.0.2"}


def test_of_two_writers_that_race_one_wins(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json=PEER)
    client.put("/v1/tunnels/a/sessions/s", json={})
    path, key = "/v1/tunnels/a/sessions/s", "mtu"
    for turn in range(10):
        tag = client.get(path).headers["etag"]

        def write(value: int, tag: str = tag) -> int:
            return int(client.patch(path, json={key: value}, headers={"If-Match": tag}).status_code)

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(write, (1000 + 2 * turn, 1001 + 2 * turn)))
        assert answers == [200, 412]
    assert len(client.get("/v1/log?limit=100").json()["entries"]) == 2 + 10


def test_a_change_that_came_too_late_is_told_so(client: TestClient) -> None:
    first = client.put("/v1/tunnels/a", json=PEER).headers["etag"]
    second = client.put("/v1/tunnels/a", json={**PEER, "local-port": 5}).headers["etag"]
    assert first != second
    for late in (
        client.put("/v1/tunnels/a", json=PEER, headers={"If-Match": first}),
        client.patch("/v1/tunnels/a", json={"id": 5}, headers={"If-Match": first}),
        client.delete("/v1/tunnels/a", headers={"If-Match": first}),
        client.put("/v1/tunnels/b", json=PEER, headers={"If-Match": "*"}),
        client.delete("/v1/tunnels/a", headers={"If-Match": f"W/{second}"}),  # weak tags don't count here
    ):
        assert (late.status_code, late.json()["slug"], late.json()["exit_code"]) == (412, "precondition-failed", 4)
    assert client.delete("/v1/tunnels/a", headers={"If-Match": f'"x", {second}'}).status_code == 204


def test_what_is_to_be_made_must_not_be_there(client: TestClient) -> None:
    new = {"If-None-Match": "*"}
    assert client.put("/v1/tunnels/a", json=PEER, headers=new).status_code == 201
    again = client.put("/v1/tunnels/a", json=PEER, headers=new)
    assert (again.status_code, again.json()["slug"]) == (412, "exists")
    assert again.json()["detail"] == "tunnel a: exists already; `l2tpctl tunnel set a` changes it"


def test_counters_have_no_part_in_a_tag(client: TestClient) -> None:
    made = client.put("/v1/tunnels/a", json=PEER)
    assert client.get("/v1/tunnels/a").headers["etag"] == made.headers["etag"]


THINGS = {"/v1/tunnels/a": PEER, "/v1/tunnels/a/sessions/s": {}, "/v1/links/l": {"type": "bridge"}, "/v1/state": None}


@pytest.mark.parametrize("path", THINGS)
def test_what_a_client_has_is_not_sent_again(client: TestClient, path: str) -> None:
    for place, words in THINGS.items():
        if words is not None:
            assert client.put(place, json=words).status_code == 201
    tag = client.get(path).headers["etag"]
    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        same = client.get(path, headers={"If-None-Match": header})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag), header
        assert client.head(path, headers={"If-None-Match": header}).status_code == 304
    for header in ('"x"', tag[:-2] + '"'):
        assert client.get(path, headers={"If-None-Match": header}).status_code == 200
    for header, expected in (
        (tag, 200),
        (f'"a,b",, {tag} ,', 200),
        ('"a,b"', 412),
        ("", 412),
        (" , ", 412),
        ("*", 200),
        ('"x"', 412),
        (f"W/{tag}", 412),
    ):
        assert client.get(path, headers={"If-Match": header}).status_code == expected, header
    for name in ("If-Match", "If-None-Match"):
        assert client.get(path, headers={name: "garbage"}).status_code == 400


def test_counters_leave_a_tag_as_it_is_and_a_condition_does_not(
    client: TestClient, manager: Manager, memory: MemoryDatapath
) -> None:
    client.put("/v1/tunnels/a", json=PEER)
    client.put("/v1/tunnels/a/sessions/s", json={})
    path = "/v1/tunnels/a/sessions/s"
    tunnel = manager.tunnel("a")
    memory.count(tunnel.spec, tunnel.sessions[0].spec, Counters(tx_packets=1, rx_packets=1))
    tag = client.get(path).headers["etag"]
    memory.count(tunnel.spec, tunnel.sessions[0].spec, Counters(tx_packets=5, rx_packets=5))
    assert client.get(path).json()["counters"]["tx_packets"] == 5
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    client.post("/v1/down")
    missing = client.get(path, headers={"If-None-Match": tag})
    assert (missing.status_code, missing.json()["condition"]) == (200, "missing")
    assert client.delete(path, headers={"If-Match": tag}).status_code == 204


def test_what_time_and_traffic_change_leaves_a_tag_as_it_is(tmp_path: Path) -> None:
    tagger = Tagger(tmp_path)
    words = tagger.of({}, "tunnel")

    def seen(number: int, hearing: str) -> dict[str, object]:
        encryption = {"by": "wireguard", "handshake": number, "rx_bytes": number, "tx_bytes": number}
        probing = {"state": "answered", "since_s": number, "round_trip_s": number}
        return {"hearing": hearing, "last_received_s": number, "encryption": encryption, "sessions": [probing]}

    tag = tagger.with_seen(words, seen(1, "heard"))
    assert tagger.with_seen(words, seen(2, "heard")) == tag
    assert tagger.with_seen(words, seen(1, "dead")) != tag


@pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_condition_that_is_none_is_no_reason_to_try_again(client: TestClient, name: str, method: str) -> None:
    client.put("/v1/tunnels/a", json=PEER)
    for header in ("garbage", '"open', "W/x", '"a" "b"', '"' + "x" * 5000 + '"'):
        answer = client.request(method, "/v1/tunnels/a", json=PEER, headers={name: header})
        assert (answer.status_code, answer.json()["subject"], answer.json()["retryable"]) == (400, name, False)


def test_the_state_is_not_sent_again_while_it_is_the_same(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json=PEER)
    state = client.get("/v1/state")
    same = client.get("/v1/state", headers={"If-None-Match": f"W/{state.headers['etag']}"})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", state.headers["etag"])
    client.put("/v1/tunnels/a", json={**PEER, "id": 9})
    assert client.get("/v1/state", headers={"If-None-Match": state.headers["etag"]}).status_code == 200


def test_a_tag_is_good_over_a_restart_and_is_no_bare_hash(tmp_path: Path) -> None:
    words = {"tx-cookie": "01234567"}
    tag = Tagger(tmp_path / "a").of(words, "s")
    assert Tagger(tmp_path / "a").of(words, "s") == tag
    assert Tagger(tmp_path / "b").of(words, "s") != tag
    (key,) = (tmp_path / "a").iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.parametrize("header", ["", ",", ' , "other",'])
def test_empty_elements_of_a_list_are_nothing(header: str) -> None:
    with pytest.raises(PreconditionError):
        Conditions.of(header, None).check("it", '"tag"')
    Conditions.of(None, header).check("it", '"tag"')
