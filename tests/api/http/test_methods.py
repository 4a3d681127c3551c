"""HEAD, OPTIONS, 404, 405, health: what any HTTP client may expect."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager

PROBLEM = "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/tunnels", "/v1/state", "/v1/log", "/healthz", "/openapi.json"])
def test_head_is_get_without_its_body(client: TestClient, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}
    get, head = client.get(path, headers=plain), client.head(path, headers=plain)
    assert head.content == b"" and head.status_code == get.status_code == 200
    assert head.headers["content-length"] == str(len(get.content)) and head.headers.get("etag") == get.headers.get(
        "etag"
    )


def test_head_of_a_stream_ends(client: TestClient) -> None:
    head = client.head("/v1/events")
    assert head.status_code == 200 and head.headers["content-type"].startswith("text/event-stream")


def test_options_tells_what_a_path_takes(client: TestClient) -> None:
    options = client.options("/v1/tunnels/a/sessions/s")
    assert options.status_code == 204 and not any(name.startswith("access-control") for name in options.headers)
    assert options.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert client.options("/nowhere").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/tunnels"), ("TRACE", "/v1/log"), ("GET", "/v1/apply")])
def test_other_methods_are_refused_with_those_that_are_taken(client: TestClient, method: str, path: str) -> None:
    refused = client.request(method, path)
    assert (refused.status_code, refused.headers["content-type"]) == (405, PROBLEM)
    assert refused.headers["allow"] == client.options(path).headers["allow"] != ""


@pytest.mark.parametrize("path", ["/v1", "/v1/tunnels/", "/v1/nothing", "/docs", "/v1/tunnels/a/b"])
def test_there_is_nothing_elsewhere(client: TestClient, path: str) -> None:
    told = client.get(path, follow_redirects=False)
    assert (told.status_code, told.headers["content-type"], told.json()["slug"]) == (404, PROBLEM, "not-found")


def test_ready_is_who_can_read_the_record(client: TestClient, manager: Manager) -> None:
    assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
    manager.add_tunnel("a", {"remote": "127.0.0.2"})
    (manager.paths.state / "l2tpv3.db").write_bytes(b"no database" * 1000)
    refused = client.get("/readyz")
    assert (refused.status_code, refused.json()["slug"]) == (503, "refused")
    assert client.get("/healthz").status_code == 200


def test_a_defect_is_told_without_what_it_is_about(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Manager, limit: int) -> None:
        raise KeyError("5ec4e7")

    monkeypatch.setattr(Manager, "audit", broken)
    quiet = TestClient(client.app, raise_server_exceptions=False)
    told = quiet.get("/v1/log")
    assert (told.status_code, told.headers["content-type"], told.json()["problem"]) == (
        500, PROBLEM, "unexpected KeyError",
    )  # fmt: skip
    assert "5ec4e7" not in told.text
