"""The whole state: plan, apply, confirm, rollback, restore; and who may see cookies."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from l2tpv3 import Manager
from l2tpv3.connect.invitation import Invitation
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.allow_all import AllowAll
from l2tpv3_api.auth.identity import CHANGING, READING, Identity, Scope
from tests.waiting import PATIENCE_S

COOKIE = "0123456789abcdef"
STATE = {"tunnel": {"a": {"remote": "127.0.0.2", "session": {"s": {"tx-cookie": COOKIE, "rx-cookie": "none"}}}}}
TOML = {"Accept": "application/toml"}


@pytest.fixture
def writer(manager: Manager) -> Iterator[TestClient]:
    """Someone who may change things and not see cookies."""
    guard = AllowAll(Identity("alice (group l2tpv3)", CHANGING))
    with TestClient(create_app(Service(manager), guard=guard)) as one:
        yield one


def test_a_plan_touches_nothing_and_apply_does_it(client: TestClient) -> None:
    plan = client.post("/v1/plan", json=STATE).json()
    assert plan["changes"] is True and [step["sign"] for step in plan["steps"]] == ["+", "+"]
    assert client.get("/v1/tunnels").json()["total"] == 0
    applied = client.post("/v1/apply", json=STATE).json()
    assert applied["steps"] == plan["steps"] and applied["confirm_s"] is None
    assert client.post("/v1/apply", json=STATE).json()["changes"] is False
    assert client.post("/v1/apply?prune=true", json={"tunnel": {}}).status_code == 409
    other = {"tunnel": {"b": {"remote": "127.0.0.3", "local-port": 5}}}
    signs = [step["sign"] for step in client.post("/v1/apply?prune=true", json=other).json()["steps"]]
    assert signs == ["-", "+"]


def test_what_the_state_tells_makes_it_again(client: TestClient) -> None:
    client.post("/v1/apply", json=STATE)
    json, toml = client.get("/v1/state"), client.get("/v1/state", headers=TOML)
    assert toml.headers["content-type"] == "application/toml" and json.headers["vary"].startswith("Accept")
    before = client.get("/v1/tunnels?include=sessions&secrets=true").json()
    client.delete("/v1/tunnels/a")
    client.post("/v1/apply", content=toml.content, headers={"Content-Type": "application/toml"})
    assert client.post("/v1/plan?prune=true", json=json.json()).json()["changes"] is False
    after = client.get("/v1/tunnels?include=sessions&secrets=true").json()
    for one in (before, after):
        del one["tunnels"][0]["sessions"][0]["netdev"]  # another one, with another index and MAC address
    assert before == after


def test_cookies_are_for_those_who_may_see_them(client: TestClient, writer: TestClient) -> None:
    writer.post("/v1/apply", json=STATE)
    assert COOKIE in client.get("/v1/state").text and COOKIE in client.get("/v1/tunnels/a/peer").text
    assert COOKIE not in client.get("/v1/state?secrets=false").text
    assert COOKIE in client.get("/v1/tunnels/a/sessions/s?secrets=true").text
    for path in ("state", "tunnels?include=sessions", "sessions", "tunnels/a/sessions/s", "log", "stats"):
        told = writer.get(f"/v1/{path}")
        assert told.status_code == 200 and COOKIE not in told.text
    wanted = (
        "state?secrets=true",
        "tunnels?secrets=true",
        "tunnels/a/peer",
        "tunnels/a/invitation",
        "sessions?secrets=true",
    )
    for path in wanted:
        refused = writer.get(f"/v1/{path}")
        assert (refused.status_code, refused.json()["slug"]) == (403, "not-permitted")
    put = writer.put("/v1/tunnels/a/sessions/s", json={"tx-cookie": "none"})
    assert put.json()["tx_cookie"] == {"length": 0} and "tx-cookie" not in put.json()["wanted"]


def test_readers_change_nothing(manager: Manager) -> None:
    guard = AllowAll(Identity("bob", READING))
    manager.add_tunnel("a", {"remote": "127.0.0.2"})
    with TestClient(create_app(Service(manager), guard=guard)) as reader:
        for method, path in (
            ("PUT", "tunnels/b"), ("PATCH", "tunnels/a"), ("DELETE", "tunnels/a"), ("PUT", "tunnels/a/sessions/s"),
            ("PATCH", "tunnels/a/sessions/s"), ("DELETE", "tunnels/a/sessions/s"), ("POST", "apply"), ("POST", "down"),
            ("POST", "restore"), ("POST", "confirm"), ("POST", "rollback"), ("POST", "adopt"),
        ):  # fmt: skip
            assert reader.request(method, f"/v1/{path}", json={}).status_code == 403, path
        assert reader.post("/v1/plan", json=STATE).status_code == 200, "it may ask"
    assert len(manager.audit()) == 1


def test_the_log_names_whoever_asked(writer: TestClient) -> None:
    writer.post("/v1/apply", json=STATE)
    (entry,) = writer.get("/v1/log").json()["entries"]
    assert entry["who"] == "alice (group l2tpv3)"
    assert writer.get("/v1/capabilities").json()["you"] == {"name": entry["who"], "scopes": ["read", "write"]}


def test_what_is_confirmed_stays(client: TestClient) -> None:
    assert client.post("/v1/confirm").status_code == 404
    assert client.post("/v1/apply?confirm_s=600", json=STATE).json()["confirm_s"] == 600
    waiting = client.get("/v1/confirmation").json()
    assert waiting["awaited"] is True and 0 < waiting["left_s"] <= 600
    refused = client.put("/v1/tunnels/b", json={"remote": "127.0.0.3"})
    assert (refused.status_code, refused.json()["slug"]) == (409, "conflict")
    assert client.post("/v1/confirm").json() == {"confirmed": True}
    assert client.get("/v1/confirmation").json() == {"awaited": False, "left_s": None}


def test_what_is_rolled_back_or_never_confirmed_goes(client: TestClient) -> None:
    assert client.post("/v1/rollback").status_code == 404
    client.post("/v1/apply?confirm_s=600", json=STATE)
    assert client.post("/v1/rollback").json()["steps"][0]["sign"] == "-"
    client.post("/v1/apply?confirm_s=0.3", json=STATE)
    _until_gone(client)
    assert client.get("/v1/log").json()["entries"][-1]["who"] == "nobody confirmed in time"


def test_a_service_that_starts_again_undoes_what_nobody_confirmed(client: TestClient, manager: Manager) -> None:
    manager.apply([], confirm_s=1)
    from l2tpv3.model.desired import DesiredTunnel

    manager.apply([DesiredTunnel(name="a", words={"remote": "127.0.0.2"})], confirm_s=0.3)
    with TestClient(create_app(Service(manager), guard=AllowAll())) as another:
        _until_gone(another)


def _until_gone(client: TestClient) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while client.get("/v1/tunnels").json()["total"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_down_and_restore(client: TestClient) -> None:
    client.post("/v1/apply", json=STATE)
    assert client.post("/v1/down").json()["steps"]
    assert client.get("/v1/tunnels?condition=missing").json()["total"] == 1
    assert client.post("/v1/restore?tunnel=nope").status_code == 404
    assert client.post("/v1/restore?tunnel=a").json()["restored"] == ["a"]
    assert client.get("/v1/tunnels?condition=up").json()["total"] == 1


def test_the_far_end_is_told_in_other_words(client: TestClient) -> None:
    client.post("/v1/apply", json=STATE)
    told = client.get("/v1/tunnels/a/peer")
    assert told.text.startswith("l2tpctl tunnel add a --remote 127.0.0.1") and COOKIE in told.text
    noted = client.get("/v1/tunnels/a/peer?as=iproute2", headers={"Accept": "application/json"}).json()
    assert noted["text"].startswith("ip l2tp add") and noted["notes"]
    refused = client.get("/v1/tunnels/a/peer?as=cisco")
    assert refused.status_code == 409 and "--encap ip" in refused.json()["remedy"]
    assert client.get("/v1/tunnels/a/peer?as=nonsense").status_code == 422


def test_an_invitation_is_a_line_or_its_qr_code(client: TestClient) -> None:
    client.post("/v1/apply", json=STATE)
    place = "/v1/tunnels/a/invitation"
    said = client.get(f"{place}?name=there&expires_s=60")
    invitation = Invitation.of_line(said.text)
    assert said.headers["content-type"].startswith("text/plain") and 50 < invitation.expires - time.time() <= 60
    assert invitation.tunnel.name == "there" and invitation.tunnel.words["remote"] == "127.0.0.1"
    (session,) = invitation.tunnel.sessions
    assert session.words["rx-cookie"] == COOKIE
    full = client.get(place, headers={"Accept": "application/json"}).json()
    assert Invitation.of_line(full["line"]).secret != invitation.secret and len(full["qr"]) == len(full["qr"][0]) > 50
    drawn = client.get(place, headers={"Accept": "image/svg+xml"})
    assert drawn.text.startswith("<svg ") and drawn.headers["content-type"].startswith("image/svg+xml")
    assert client.get(f"{place}?name=a/b").status_code == 422 and client.get(f"{place}?expires_s=0").status_code == 422
    assert Invitation.of_line(client.post(place).text).tunnel == Invitation.of_line(client.get(place).text).tunnel
    client.put("/v1/tunnels/a/sessions/second", json={})
    for refused in (client.get(place), client.post(place)):
        assert refused.status_code == 409 and "has 2 sessions" in refused.json()["problem"]


def test_to_draw_an_invitation_takes_both_scopes(manager: Manager, writer: TestClient) -> None:
    writer.post("/v1/apply", json=STATE)
    place = "/v1/tunnels/a/invitation"
    assert writer.post(place).status_code == 403, "it may change, and see no secrets"
    reading = AllowAll(Identity("bob", frozenset({Scope.READ, Scope.SECRETS})))
    with TestClient(create_app(Service(manager), guard=reading)) as reader:
        assert reader.get(place).status_code == 200 and reader.post(place).status_code == 403


def test_counters(client: TestClient) -> None:
    client.post("/v1/apply", json=STATE)
    (one,) = client.get("/v1/stats?tunnel=a").json()["sessions"]
    assert one == client.get("/v1/tunnels/a/sessions/s/stats").json()["sessions"][0]
    assert one["counters"]["tx_packets"] == 0
    assert client.get("/v1/stats?tunnel=b").status_code == 404
