"""What passes the gate: security headers, no other site's requests, rates, streams, revoked tokens, and the log."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from l2tpv3_api.auth.tokens import PATTERN
from l2tpv3_api.http.headers import SECURITY
from tests.api.running import Running, running
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running("--listen", "127.0.0.1:0") as one:
        yield one


@pytest.fixture(scope="module")
def tight() -> Iterator[Running]:
    """One that allows little."""
    limits = ["rate=1", "burst=20", "stranger-rate=1", "stranger-burst=10", "streams=3", "streams-each=2"]
    with running("--listen", "127.0.0.1:0", *[word for one in limits for word in ("--limit", one)]) as one:
        yield one


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/tunnels", 401), ("GET", "/nowhere", 404), ("POST", "/v1/apply", 401), ("GET", "/%2f", 400),
     ("PUT", "/", 401), ("HEAD", "/v1/tunnels", 401), ("OPTIONS", "/v1/tunnels", 401)],
)  # fmt: skip
def test_every_answer_has_the_security_headers(service: Running, method: str, path: str, status: int) -> None:
    with service.by_tcp() as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in SECURITY} == SECURITY
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert "set-cookie" not in answer.headers and "server" not in answer.headers


def test_what_the_protocol_itself_answers_has_them_too(service: Running) -> None:
    answer = service.say(b"nonsense\r\n\r\n").lower()
    for name, value in SECURITY.items():
        assert f"{name}: {value}".encode().lower() in answer


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    policy = SECURITY["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe-|https?:|\*", policy)


OURS = "http://127.0.0.1:{port}"
CROSS_SITE = [
    ({"Origin": "http://attacker.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1"}, 403),
    ({"Origin": "https://127.0.0.1:{port}"}, 403),
    ({"Origin": "http://127.0.0.1:{port}.attacker.example"}, 403),
    ({"Origin": ""}, 403),
    ({"Origin": OURS}, 404),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Origin": OURS}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ({"Sec-Fetch-Site": "same-origin", "Origin": OURS}, 404),
    ({"Sec-Fetch-Site": "none"}, 404),
    ({}, 404),
]


@pytest.mark.parametrize(("fields", "expected"), CROSS_SITE, ids=lambda value: str(value))
@pytest.mark.parametrize("method", ["DELETE", "GET"])
def test_no_other_sites_page_does_anything(
    service: Running, fields: dict[str, str], expected: int, method: str
) -> None:
    """Even with the right credential, which a browser might be made to send: a client certificate."""
    headers = {name: value.format(port=service.port) for name, value in fields.items()}
    with service.by_tcp(_token(service)) as client:
        answer = client.request(method, "/v1/tunnels/none", headers=headers)
    assert answer.status_code == expected
    if expected == 403:
        assert answer.json()["slug"] == "not-permitted"


def _token(service: Running, kept: dict[str, str] = {}) -> str:  # noqa: B006 - one for the module
    if str(service.home) not in kept:
        kept[str(service.home)] = service.token("cross", "write")
    return kept[str(service.home)]


def test_a_link_to_the_dashboard_works(service: Running) -> None:
    with service.by_tcp() as client:
        answer = client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
        assert answer.status_code != 403
        assert client.get("/", headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}).status_code == 403


def test_a_token_by_other_means_is_none(service: Running) -> None:
    token = _token(service)
    with service.by_tcp() as client:
        assert client.get("/v1/tunnels", params={"token": token, "access_token": token}).status_code == 401
        assert client.get("/v1/tunnels", headers={"Cookie": f"token={token}"}).status_code == 401
        for said in (token, f"Basic {token}", f"Bearer {token} x", "Bearer", "Bearer x", f"Bearer\t{token}"):
            assert client.get("/v1/tunnels", headers={"Authorization": said}).status_code == 401
        for said in (f"bearer {token}", f"Bearer   {token}"):
            assert client.get("/v1/tunnels", headers={"Authorization": said}).status_code == 200
        twice = [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]
        assert client.get("/v1/tunnels", headers=twice).status_code == 401


def test_guessing_is_slow_and_holds_up_nobody(tight: Running) -> None:
    """Strangers are told to wait; who has a token is not, though it comes from the same address."""
    token = tight.token("honest")

    def guess(number: int) -> httpx.Response:
        with tight.by_tcp(f"l2tpv3_{number:012x}_{'A' * 43}") as client:
            return client.get("/v1/tunnels")

    with ThreadPoolExecutor(16) as guessing:  # one after another, a slow machine may take a second for each
        answers = list(guessing.map(guess, range(80)))
    assert {answer.status_code for answer in answers} == {401, 429}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) > 20
    assert all(int(answer.headers["retry-after"]) >= 1 and answer.json()["retryable"] for answer in refused)
    with tight.by_tcp(token) as client:
        assert client.get("/v1/tunnels").status_code == 200


def test_one_identity_that_asks_too_often_waits_alone(tight: Running) -> None:
    busy, calm = tight.token("busy"), tight.token("calm")
    with tight.by_tcp(busy) as client:
        statuses = [client.get("/v1/tunnels").status_code for _ in range(40)]
    assert statuses[:20] == [200] * 20 and 429 in statuses
    with tight.by_tcp(calm) as client:
        assert client.get("/v1/tunnels").status_code == 200
    with tight.by_unix() as client:  # root
        assert {client.get("/v1/tunnels").status_code for _ in range(60)} == {200}


def test_streams_are_few_and_given_back(tight: Running) -> None:
    first, second = tight.token("streams-1"), tight.token("streams-2")
    with tight.by_tcp(first) as one, tight.by_tcp(second) as two:
        with one.stream("GET", "/v1/events") as a, one.stream("GET", "/v1/events") as b:
            assert (a.status_code, b.status_code) == (200, 200)
            answer = one.get("/v1/events")
            assert (answer.status_code, answer.json()["retryable"]) == (429, True)
            with two.stream("GET", "/v1/events") as c:
                assert c.status_code == 200
                assert two.get("/v1/events").status_code == 503
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            with two.stream("GET", "/v1/events") as d:
                if d.status_code == 200:
                    break
            time.sleep(1)
        assert d.status_code == 200


def test_a_revoked_token_ends_at_once_streams_included(service: Running) -> None:
    token = service.token("revoked")
    with service.by_tcp(token) as client, client.stream("GET", "/v1/events") as stream:
        assert stream.status_code == 200
        assert client.get("/v1/tunnels").status_code == 200
        service.tokens.remove("revoked")
        assert client.get("/v1/tunnels").status_code == 401
        for _ in stream.iter_raw():
            pass  # it ends
    with service.by_tcp(_token(service)) as client:
        assert client.get("/v1/tunnels").status_code == 200


def test_use_is_noted() -> None:
    with running("--listen", "127.0.0.1:0") as one:
        token = one.token("used")
        with one.by_tcp(token) as client:
            client.get("/v1/tunnels")
        assert one.stop() == 0
        assert [token.used is not None for token in one.tokens.all()] == [True]


def test_the_log_has_who_what_and_how_and_no_secret(service: Running) -> None:
    token, wrong = service.token("logged", "write", "secrets"), f"l2tpv3_{'0' * 12}_{'x' * 43}"
    cookie = "0123456789abcdef"
    body = {"tx-cookie": cookie, "rx-cookie": cookie, "ifname": cookie}
    with service.by_tcp(token) as client:
        assert client.get("/v1/tunnels").status_code == 200
        client.put("/v1/tunnels/logged/sessions/s", json=body)
        client.post("/v1/apply", content=f'[tunnel.t.session.s]\ntx-cookie = "{cookie}"')
        client.get(f"/v1/tunnels/{token}")
        client.get("/v1/tunnels", params={"token": token, "cookie": cookie})
        client.get("/v1/tunnels", headers={"Authorization": f"Bearer {wrong}", "Cookie": token, "X-Token": token})
        client.get("/v1/tunnels", headers={"Host": token})
        client.get("/v1/tunnels", headers={"Origin": f"http://{token}"})
    service.say(f"GET /{token} {token}\r\n\r\n".encode())
    record = service.wait_for_record(identity="token logged", status=200, path="/v1/tunnels")
    assert record["method"] == "GET" and record["duration_ms"] > 0 and record["client"] == "127.0.0.1"
    service.wait_for_record(path=f"/v1/tunnels/{token[:19]}_...")
    log = service.log.read_text()
    assert not PATTERN.search(log)
    assert token.split("_", 2)[2] not in log and wrong not in log and cookie not in log


def test_a_log_line_is_one_line(service: Running) -> None:
    with service.by_tcp(_token(service)) as client:
        client.get("/v1/tunnels/a%E2%80%A8b")
    service.wait_for_record(path="/v1/tunnels/a%E2%80%A8b")
    assert all(line.startswith("{") and line.endswith("}") for line in service.log.read_text().splitlines())


def test_what_was_refused_is_counted_and_said_once(tight: Running) -> None:
    for _ in range(5):
        tight.say(b"nonsense\r\n\r\n")
    said = [record for record in tight.records() if record.get("reason") == "malformed"]
    assert len(said) == 1
    with tight.by_unix() as client:
        counted = re.search(
            r'^l2tpv3_api_refused_total\{reason="malformed"\} (\d+)$', client.get("/metrics").text, re.M
        )
    assert counted is not None and int(counted[1]) >= 5


def test_answers_are_the_same_by_http_1_0(service: Running) -> None:
    answer = service.say(b"GET /v1/tunnels HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")
