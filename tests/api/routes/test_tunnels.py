"""/v1/tunnels: what PUT, PATCH and DELETE promise, pages and filters."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.model.spec import TunnelSpec
from l2tpv3.testing.datapath import MemoryDatapath

PEER = {"remote": "127.0.0.2"}


def test_a_tunnel_comes_and_goes(client: TestClient) -> None:
    assert client.get("/v1/tunnels").json() == {"schema": "l2tpv3/status/v1", "tunnels": [], "total": 0, "next": None}
    made = client.put("/v1/tunnels/a", json=PEER)
    assert (made.status_code, made.headers["location"]) == (201, "/v1/tunnels/a")
    assert made.json()["change"] == {"recreated": False, "why": "", "lost": []}
    assert client.get("/v1/tunnels/a").json()["remote"] == "127.0.0.2"
    assert client.delete("/v1/tunnels/a").status_code == 204
    gone = client.get("/v1/tunnels/a")
    assert (gone.status_code, gone.json()["slug"]) == (404, "not-found")
    assert client.delete("/v1/tunnels/a").status_code == 404


def test_the_same_put_again_changes_nothing(client: TestClient) -> None:
    first = client.put("/v1/tunnels/a", json={**PEER, "transient": True})
    again = client.put("/v1/tunnels/a", json={**PEER, "transient": True})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() and first.headers["etag"] == again.headers["etag"]
    assert len(client.get("/v1/log").json()["entries"]) == 1


def test_a_put_is_the_whole_and_leaves_sessions_alone(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={**PEER, "id": 7, "local-port": 5000})
    client.put("/v1/tunnels/a/sessions/s", json={})
    put = client.put("/v1/tunnels/a", json={**PEER, "remote-port": 9}).json()
    assert (put["id"], put["local_port"], put["remote_port"], put["session_count"]) == (7, 5000, 9, 1)
    assert put["change"]["recreated"] is True and "can't change in place" in put["change"]["why"]


def test_a_patch_changes_what_it_names_and_null_resets(client: TestClient) -> None:
    client.put("/v1/tunnels/a", json={**PEER, "local-port": 5000, "remote-port": 5001})
    kind = {"Content-Type": "application/merge-patch+json"}
    patched = client.patch("/v1/tunnels/a", content='{"local-port": null, "peer-id": 9}', headers=kind).json()
    assert (patched["local_port"], patched["remote_port"], patched["peer_id"]) == (1701, 5001, 9)
    refused = client.patch("/v1/tunnels/a", json={"remote": None, "nonsense": None, "id": 0})
    assert refused.status_code == 422
    assert {one["pointer"] for one in refused.json()["errors"]} == {"/remote", "/nonsense", "/id"}
    assert refused.json()["field"] in ("remote", "nonsense", "id")
    assert client.patch("/v1/tunnels/b", json={}).status_code == 404


def test_tunnels_of_others_are_seen_and_never_changed(client: TestClient, memory: MemoryDatapath) -> None:
    local = "127.0.0.1"
    words = {"name": "x", "remote": "127.0.0.3", "local": local, "id": 77, "peer-id": 78}
    memory.add_tunnel(TunnelSpec.from_words(words))
    (seen,) = client.get("/v1/tunnels?foreign=true").json()["tunnels"]
    assert (seen["name"], seen["foreign"], seen["wanted"]) == ("memory:77", True, None)
    assert "etag" not in client.get("/v1/tunnels/memory:77").headers
    assert client.get("/v1/tunnels?foreign=false").json()["total"] == 0
    for change in (client.delete("/v1/tunnels/memory:77"), client.patch("/v1/tunnels/memory:77", json={"id": 5})):
        assert (change.status_code, change.json()["slug"]) in ((409, "foreign"), (422, "invalid-value"))
    assert client.delete("/v1/tunnels/memory:77").json()["slug"] == "foreign"
    adopted = client.post("/v1/adopt", json={"foreign": "memory:77", "name": "mine"})
    assert (adopted.status_code, adopted.headers["location"]) == (201, "/v1/tunnels/mine")
    assert client.get("/v1/tunnels/mine").json()["id"] == 77


@pytest.fixture
def many(manager: Manager, client: TestClient) -> TestClient:
    """Twenty tunnels t00 to t19, the even ones with two sessions."""
    for number in range(20):
        manager.add_tunnel(f"t{number:02}", {"remote": "127.0.0.2", "local-port": 2000 + number})
    for number in range(0, 20, 2):
        for session in ("a", "b"):
            manager.add_session(f"t{number:02}", session, {})
    return client


def test_pages_follow_one_another_whatever_changes_meanwhile(many: TestClient, manager: Manager) -> None:
    seen, cursor, pages = [], None, 0
    while True:
        page = many.get("/v1/tunnels", params={"limit": 6, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["name"] for one in page["tunnels"]]
        cursor, pages = page["next"], pages + 1
        if cursor is None:
            break
        if pages == 1:  # before and after where the next page begins; what is there all the while is seen once
            manager.del_tunnel("t03")
            manager.del_tunnel("t05")
            manager.add_tunnel("s", {"remote": "127.0.0.2", "local-port": 3000})
    assert seen == [f"t{number:02}" for number in range(20)]
    assert pages == 4


def test_lists_are_filtered(many: TestClient) -> None:
    assert many.get("/v1/tunnels?name=t1[0-3]").json()["total"] == 4
    assert many.get("/v1/tunnels?condition=missing").json()["total"] == 0
    assert many.get("/v1/tunnels?datapath=memory&limit=1").json()["total"] == 20
    assert many.get("/v1/sessions?tunnel=t04").json()["total"] == 2
    assert many.get("/v1/sessions?name=b&limit=3").json()["total"] == 10
    assert [one["name"] for one in many.get("/v1/tunnels/t04/sessions").json()["sessions"]] == ["a", "b"]
    assert many.get("/v1/sessions?tunnel=nope").status_code == 404
    counted = many.get("/v1/tunnels/t04").json()
    assert counted["session_count"] == 2 and "sessions" not in counted
    assert len(many.get("/v1/tunnels/t04?include=sessions").json()["sessions"]) == 2


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "cursor=x", "conditon=up", "foreign=2", "include=all"])
def test_a_query_that_cannot_be_meant_is_refused(client: TestClient, query: str) -> None:
    refused = client.get(f"/v1/tunnels?{query}")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert query.partition("=")[0] in refused.json()["subject"]
