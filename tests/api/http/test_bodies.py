"""Bodies: all that is wrong is told at once, nothing of this host is read for them, and they are bounded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from l2tpv3_api.http import bodies

PUT = "/v1/tunnels/a"
JSON = {"Content-Type": "application/json"}


def test_all_problems_are_told_at_once_with_pointers(client: TestClient) -> None:
    wrong = {"remote": "no/where", "id": 0, "a/b~c": 1, "local-port": "x", "transient": 3, "netns": []}
    told = client.put(PUT, json=wrong).json()
    assert {one["pointer"] for one in told["errors"]} == {
        "/remote", "/id", "/a~1b~0c", "/local-port", "/transient", "/netns",
    }  # fmt: skip
    assert told["status"] == 422 and told["type"] == "urn:l2tpv3:problem:invalid-value"


def test_problems_of_a_whole_state_have_their_places(client: TestClient) -> None:
    state = {"tunnel": {"a": {"remote": "127.0.0.2", "session": {"s": {"mtu": 3}, "t": {"mu": 1}}}, "b": {}}}
    told = client.post("/v1/apply", json=state).json()
    paths = ["/tunnel/a/session/s/mtu", "/tunnel/a/session/t/mu", "/tunnel/b"]
    assert sorted(one["pointer"] for one in told["errors"]) == paths
    assert client.get("/v1/tunnels").json()["total"] == 0


def test_tunnels_that_are_in_each_others_way_are_a_conflict(client: TestClient) -> None:
    state = {"tunnel": {"a": {"remote": "127.0.0.2", "id": 5}, "b": {"remote": "127.0.0.3", "id": 5}}}
    told = client.post("/v1/plan", json=state)
    assert (told.status_code, told.json()["errors"][0]["pointer"]) == (409, "/tunnel/b/id")


def test_a_file_can_be_sent_as_it_is_and_is_told_of_by_line(client: TestClient) -> None:
    kind = {"Content-Type": "application/toml"}
    good = '[tunnel.a]\nremote = "127.0.0.2"\n[tunnel.a.session.s]\nmtu = 1400\n'
    assert client.post("/v1/apply", content=good, headers=kind).json()["changes"] is True
    told = client.post("/v1/apply", content='[tunnel.a]\n\nremot = "127.0.0.2"\n', headers=kind).json()
    assert {"pointer": "/tunnel/a/remot", "detail": "line 3: unknown key; did you mean remote?"} in told["errors"]
    assert client.post("/v1/apply", content="[tunnel", headers=kind).status_code == 400


@pytest.mark.parametrize("cookie", ["@{file}", "credential:x", "@/etc/hostname"])
def test_no_file_of_this_host_is_read_for_a_cookie(client: TestClient, tmp_path: Path, cookie: str) -> None:
    file = tmp_path / "cookie"
    file.write_text("0123456789abcdef")
    client.put(PUT, json={"remote": "127.0.0.2"})
    told = client.put(f"{PUT}/sessions/s", json={"tx-cookie": cookie.format(file=file)})
    assert (told.status_code, told.json()["errors"][0]["pointer"]) == (422, "/tx-cookie")
    assert str(file) not in told.text


def test_a_refused_cookie_is_not_repeated(client: TestClient) -> None:
    client.put(PUT, json={"remote": "127.0.0.2"})
    for cookie in ("5ec4e75ec4e75ec4e7", ["5ec4e7"], {"5ec4e7": 1}, "5ec4e7\n"):
        told = client.put(f"{PUT}/sessions/s", json={"tx-cookie": cookie})
        assert told.status_code == 422 and "5ec4e7" not in told.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_00, 400),
        (b'{"id": ' + b"9" * 5000 + b"}", 400),
        (b'{"id": NaN}', 400),
        (b'{"id": 1, "id": 2}', 422),
        (b"[]", 422),
        (b'{"remote": "\\ud800"}', 422),
        (b'{"\\ud800": 1}', 422),
        (b'{"id": 1e400}', 422),
    ],
)
def test_what_is_no_good_json_is_refused(client: TestClient, body: bytes, status: int) -> None:
    told = client.put(PUT, content=body, headers=JSON)
    assert (told.status_code, told.headers["content-type"]) == (status, "application/problem+json")
    assert told.json()["slug"] == "invalid-value"


def test_bodies_are_bounded(client: TestClient) -> None:
    long = json.dumps({"remote": "1" * bodies.WORDS_BYTES})
    assert client.put(PUT, content=long, headers=JSON).status_code == 413
    many = json.dumps({f"k{number}": 1 for number in range(4000)})
    assert len(client.put(PUT, content=many, headers=JSON).json()["errors"]) == 100


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_taken_for_json(client: TestClient, kind: str) -> None:
    told = client.put(PUT, content="{}", headers={"Content-Type": kind})
    assert told.status_code == 415 and "application/json" in told.json()["remedy"]


def test_whole_numbers_may_have_a_point(client: TestClient) -> None:
    made = client.put(PUT, content='{"remote": "127.0.0.2", "id": 7.0, "local-port": 5e3}', headers=JSON).json()
    assert (made["id"], made["local_port"]) == (7, 5000)


def test_what_does_not_go_with_what_is_there_is_a_conflict(client: TestClient) -> None:
    client.put(PUT, json={"remote": "127.0.0.2"})
    client.put(f"{PUT}/sessions/s", json={"sublayer": "none"})
    told = client.patch(f"{PUT}/sessions/s", json={"sequencing": "both"})
    assert (told.status_code, told.json()["errors"][0]["pointer"]) == (409, "/sequencing")
