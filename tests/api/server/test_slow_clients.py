"""Clients that are slow, half-open or silent: each is answered or closed, counted, and holds up nobody else."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.api.running import Running, read_all, running

GET = b"GET /v1/tunnels HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    limits = [
        "header-s=4",
        "body-s=1",
        "stall-s=1",
        "idle-s=6",
        "connections-each=80",
        "connections=90",
        "handshake-s=1",
    ]
    limits += ["body-rate=1000000"]
    with running("--listen", "127.0.0.1:0", *[word for one in limits for word in ("--limit", one)]) as one:
        yield one


@pytest.fixture
def service(served: Running) -> Running:
    """With all its places free, whatever the test before it did to it."""
    served.wait_for_room()
    return served


def status(answer: bytes) -> int:
    """The status of an answer; 0 where there is none."""
    return int(answer.split()[1]) if answer else 0


def drip(sock: socket.socket, text: bytes, pause_s: float = 0.2) -> None:
    """Send a byte at a time, until it is all out or the other side has ended."""
    with contextlib.suppress(OSError):
        for byte in text:
            sock.sendall(bytes([byte]))
            time.sleep(pause_s)


def test_a_header_that_does_not_end(service: Running) -> None:
    with service.connect() as sock:
        drip(sock, GET[:40])
        answer = read_all(sock)
    assert status(answer) == 408
    assert b"application/problem+json" in answer
    service.wait_for_record(reason="slow-request")


def test_a_second_header_that_does_not_end(service: Running) -> None:
    with service.connect() as sock:
        sock.sendall(GET + b"\r\n")
        first = b""
        while not first.endswith(b"}"):
            first += sock.recv(65536)
        assert status(first) == 401
        sock.sendall(GET[:20])
        answer = read_all(sock)
    assert status(answer) == 408


def test_one_that_says_nothing(service: Running) -> None:
    with service.connect() as sock:
        assert read_all(sock) == b""
    service.wait_for_record(reason="silent")


def test_one_that_has_said_all_and_stays(service: Running) -> None:
    with service.connect() as sock:
        sock.sendall(GET + b"\r\n")
        assert status(read_all(sock)) == 401


def test_a_body_that_does_not_end(service: Running) -> None:
    token = service.token("slow-body", "write").encode()
    header = b"PUT /v1/tunnels/t HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token
    with service.connect() as sock:
        sock.sendall(header + b"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
        drip(sock, b'{"remote":"192.0.2.2"}')
        answer = read_all(sock)
    assert status(answer) == 408
    with service.connect() as sock:
        sock.sendall(header + b"\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        drip(sock, b"1\r\n{\r\n" * 4)
        answer = read_all(sock)
    assert status(answer) == 408


def test_one_that_goes_away_in_its_body(service: Running) -> None:
    token = service.token("gone", "write").encode()
    header = b"PUT /v1/tunnels/t HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token
    with service.connect() as sock:
        sock.sendall(header + b"\r\nContent-Length: 100\r\n\r\n{")
    service.wait_for_record(reason="gone")
    assert not [record for record in service.records() if "exception" in record]


def test_one_that_reads_nothing(service: Running) -> None:
    """It asks again and again, and takes no answer: what is kept for it is bounded, and then it is cut off."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", service.port))
        sock.settimeout(0.5)
        with contextlib.suppress(OSError):
            for _ in range(20000):
                sock.sendall((GET + b"\r\n") * 50)
        service.wait_for_record(reason="stalled")


def test_half_open_ones_leave_room_for_others(service: Running) -> None:
    """As many as one address may have, none of which gets on; root's clients at the unix socket still do."""
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(service.connect()) for _ in range(80)]
        for sock in many:
            sock.sendall(GET)
        with service.connect() as late:
            assert status(read_all(late)) == 503
        service.wait_for_record(reason="connections-each")
        with service.by_unix() as client:
            for _ in range(20):
                assert client.get("/v1/tunnels").status_code == 200
        assert {status(read_all(sock)) for sock in many} == {408}
    service.wait_for_room()
    with service.connect() as sock:
        sock.sendall(GET + b"Connection: close\r\n\r\n")
        assert status(read_all(sock)) == 401


def test_root_gets_in_when_all_places_are_taken(service: Running) -> None:
    with contextlib.ExitStack() as stack:
        for source in ("127.0.0.1", "127.0.0.2"):
            for _ in range(45):
                to = ("127.0.0.1", service.port)
                stack.enter_context(socket.create_connection(to, source_address=(source, 0)))
        with socket.create_connection(("127.0.0.1", service.port), source_address=("127.0.0.3", 0)) as late:
            assert status(read_all(late)) == 503
        with service.by_unix() as client:
            assert client.get("/v1/tunnels").status_code == 200
