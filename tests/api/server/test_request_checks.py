"""Requests of odd shapes: two lengths, huge headers, paths with tricks, hosts that are not ours."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.api.running import Running, running


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    limits = ("--limit", "body-bytes=100000", "--limit", "body-s=1")
    with running("--listen", "127.0.0.1:0", "--host-name", "l2tp.example", *limits) as one:
        yield one


@pytest.fixture(scope="module")
def token(service: Running) -> bytes:
    return service.token("shapes", "write").encode()


def request(line: str, *fields: bytes, body: bytes = b"", host: bytes = b"Host: localhost") -> bytes:
    """A request as bytes, that asks for the connection to end."""
    return b"\r\n".join([line.encode(), host, b"Connection: close", *fields, b"", body])


def status(answer: bytes) -> int:
    return int(answer.split()[1]) if answer else 0


def problem(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["problem"])


SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"

SMUGGLING = {
    "both lengths": [b"Content-Length: 4", b"Transfer-Encoding: chunked"],
    "both lengths, other order": [b"Transfer-Encoding: chunked", b"Content-Length: 4"],
    "two lengths": [b"Content-Length: 4", b"Content-Length: 5"],
    "lengths in a list": [b"Content-Length: 4, 5"],
    "negative": [b"Content-Length: -1"],
    "signed": [b"Content-Length: +4"],
    "not decimal": [b"Content-Length: 0x4"],
    "empty": [b"Content-Length:"],
    "not ASCII": ["Content-Length: ４".encode()],
    "huge": [b"Content-Length: " + b"9" * 5000],
    "identity coding": [b"Transfer-Encoding: identity", b"Content-Length: 4"],
    "unknown coding": [b"Transfer-Encoding: xchunked"],
    "two codings": [b"Transfer-Encoding: gzip, chunked"],
    "coding twice": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
    "space before the colon": [b"Content-Length : 4"],
    "space before the coding's colon": [b"Transfer-Encoding : chunked"],
    "coding with a vertical tab": [b"Transfer-Encoding: \x0bchunked"],
    "a NUL": [b"X: a\0b"],
    "a bare CR": [b"X: a\rContent-Length: 4"],
    "no name": [b": a"],
}


@pytest.mark.parametrize("fields", SMUGGLING.values(), ids=SMUGGLING)
def test_nothing_is_smuggled(service: Running, token: bytes, fields: list[bytes]) -> None:
    """One answer at most, a refusal, and the connection ends: what follows is never taken for a request."""
    head = b"POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + b"\r\n"
    answer = service.say(head + b"\r\n".join(fields) + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert status(answer) in (400, 411, 413, 431, 501)
    assert "/v1/smuggled" not in {record.get("path") for record in service.records()}


def test_a_folded_field_has_no_other_in_it(service: Running, token: bytes) -> None:
    """RFC 9112 section 5.2: the fold is a space. So this request has no body, and "0" is no request."""
    head = b"POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + b"\r\n"
    answer = service.say(head + b"X: a\r\n Content-Length: 4\r\n\r\n0\r\n\r\n" + SMUGGLED)
    assert answer.count(b"HTTP/1.1 ") == 2 and b"HTTP/1.1 400 " in answer
    assert "/v1/smuggled" not in {record.get("path") for record in service.records()}


CHUNKS = {
    "no length": b"\r\nabc\r\n0\r\n\r\n",
    "negative": b"-1\r\na\r\n0\r\n\r\n",
    "prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "longer than it says": b"2\r\nabcd\r\n0\r\n\r\n",
    "enormous": b"f" * 16 + b"\r\n",
    "more digits than any": b"1" * 100 + b"\r\n",
    "bare line feed": b"3\nabc\n0\n\n",
}


@pytest.mark.parametrize("method", [b"POST", b"HEAD"])
@pytest.mark.parametrize("body", CHUNKS.values(), ids=CHUNKS)
def test_bad_chunks(service: Running, token: bytes, body: bytes, method: bytes) -> None:
    head = method + b" /v1/plan HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + b"\r\n"
    answer = service.say(head + b"Transfer-Encoding: chunked\r\n\r\n" + body + SMUGGLED)
    assert status(answer) in (400, 408, 413)
    assert "/v1/smuggled" not in {record.get("path") for record in service.records()}


def test_large_headers(service: Running) -> None:
    assert status(service.say(request("GET /v1/tunnels HTTP/1.1", b"X: " + b"a" * 40000))) == 431
    assert status(service.say(request("GET /v1/tunnels HTTP/1.1", *[b"X: a"] * 8000))) == 431
    assert status(service.say(request(f"GET /{'a' * 40000} HTTP/1.1"))) == 431
    assert status(service.say(b"A" * 3_000_000)) in (0, 400, 431)
    assert status(service.say(request("GET /v1/tunnels HTTP/1.1", b"X: " + b"a" * 30000))) == 401


@pytest.mark.parametrize(
    "line",
    [
        "GET /v1/tunnels/a%2Fsessions%2fb HTTP/1.1",
        "DELETE /v1/tunnels/..%2f..%2f HTTP/1.1",
        "GET /v1/../v1/tunnels HTTP/1.1",
        "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1",
        "GET /v1/./tunnels HTTP/1.1",
        "GET /v1/tunnels/a%00 HTTP/1.1",
        "GET /v1/tunnels/a%0d%0aX-Injected:%20yes HTTP/1.1",
        "GET /v1/tunnels/a%5c..%5c HTTP/1.1",
        "GET /v1/tunnels/% HTTP/1.1",
        "GET /v1/tunnels/%zz HTTP/1.1",
        "GET http://localhost/v1/tunnels HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET v1/tunnels HTTP/1.1",
        "CONNECT localhost:22 HTTP/1.1",
    ],
)
def test_paths_with_tricks(service: Running, token: bytes, line: str) -> None:
    answer = service.say(request(line, b"Authorization: Bearer " + token))
    assert status(answer) == 400
    assert b"x-injected" not in answer.lower().partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("%E2%82%AC", {404, 422}), ("%ff%fe", {404, 422}), ("%252F", {404, 422}), ("a%3Fb", {404, 422}),
     ("%25", {404, 422}), ("a;b", {404, 422}), ("*", {404, 422}), ("a%20b", {404, 422}), ("x" * 3000, {404, 422})],
)  # fmt: skip
def test_names_with_tricks_are_names(service: Running, token: bytes, name: str, expected: set[int]) -> None:
    answer = service.say(request(f"GET /v1/tunnels/{name} HTTP/1.1", b"Authorization: Bearer " + token))
    assert status(answer) in expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"Host: localhost", 401),
        (b"Host: LOCALHOST.:8080", 401),
        (b"Host: 127.0.0.1", 401),
        (b"Host: [::1]:8080", 401),
        (b"Host: l2tp.example", 401),
        (b"Host: attacker.example", 421),
        (b"Host: localhost.attacker.example", 421),
        (b"Host: l2tp.example@attacker.example", 400),
        (b"Host: localhost, attacker.example", 400),
        (b"Host: localhost/x", 400),
        (b"Host: localhost:99999", 400),
        (b"Host: localhost:" + b"9" * 5000, 400),
        (b"Host: [attacker]", 400),
        (b"Host:", 400),
        (b"Host: localhost\r\nHost: attacker.example", 400),
        (b"X: no host at all", 400),
        (b"X-Forwarded-Host: localhost\r\nHost: attacker.example", 421),
    ],
)
def test_hosts(service: Running, host: bytes, expected: int) -> None:
    """DNS rebinding: a browser that was told that attacker.example is at this address."""
    assert status(service.say(request("GET /v1/tunnels HTTP/1.1", host=host))) == expected


def test_a_body_that_is_too_large(service: Running, token: bytes) -> None:
    bearer = b"Authorization: Bearer " + token
    said = service.say(request("POST /v1/plan HTTP/1.1", bearer, b"Content-Length: 100001"))
    assert status(said) == 413
    body = b"10000\r\n" + b" " * 65536 + b"\r\n"
    said = service.say(request("POST /v1/plan HTTP/1.1", bearer, b"Transfer-Encoding: chunked", body=body * 2))
    assert status(said) == 413
    said = service.say(request("POST /v1/plan HTTP/1.1", b"Content-Length: 100000", body=b" " * 1000))
    assert status(said) == 401  # a stranger's is not even read
    said = service.say(request("POST /v1/plan HTTP/1.1", bearer, b"Expect: 100-continue", b"Content-Length: 100001"))
    assert said.startswith(b"HTTP/1.1 413 ")  # and not asked for


@pytest.mark.parametrize(
    "said",
    [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 100,
     b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n\xff\xff\r\n\r\n", b"HELO localhost\r\n\r\n"],
)  # fmt: skip
def test_what_is_not_http(service: Running, said: bytes) -> None:
    assert status(service.say(said)) in (400, 505)


def test_pipelined_requests_are_answered_in_turn(service: Running, token: bytes) -> None:
    one = b"GET /v1/tunnels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + b"\r\n\r\n"
    answer = service.say(one * 20 + request("GET /v1/tunnels/none HTTP/1.1", b"Authorization: Bearer " + token))
    assert answer.count(b"HTTP/1.1 200") == 20
    assert answer.count(b"HTTP/1.1 404") == 1


def test_upgrades_are_not_taken(service: Running, token: bytes) -> None:
    fields = [b"Authorization: Bearer " + token, b"Upgrade: websocket", b"Sec-WebSocket-Version: 13"]
    said = service.say(b"GET /v1/tunnels HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n"
                       + b"\r\n".join(fields) + b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")  # fmt: skip
    assert b"101" not in said[:15]


def test_none_of_it_made_it_complain(service: Running) -> None:
    """After all of the above: no exception in its log, and it still answers."""
    assert [record for record in service.records() if "exception" in record or record["level"] == "error"] == []
    with service.by_unix() as client:
        assert client.get("/v1/tunnels").status_code == 200
