"""Many clients that mean no good, at once and in turn: nothing is left of them afterwards, nor logged as a fault."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.running import Running, running
from tests.waiting import PATIENCE_S

SEED = 20261120
HALF_OPEN = 500
WATCHING = 4  # descriptors by which it watches the host, from the first reader of events on


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    limits = ["header-s=2", "body-s=2", "idle-s=2", "stranger-rate=100000", "stranger-burst=100000", "rate=100000"]
    limits += ["burst=100000"]
    with running("--listen", "127.0.0.1:0", *[word for one in limits for word in ("--limit", one)]) as one:
        yield one


def descriptors(service: Running) -> int:
    return len(os.listdir(f"/proc/{service.pid}/fd"))  # noqa: PTH208 - of a process that may end


def settles(service: Running, before: int) -> bool:
    """Whether it has given back its descriptors in time."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if descriptors(service) <= before + WATCHING:
            return True
        time.sleep(0.1)
    return False


def test_half_open_connections_by_the_hundred(service: Running) -> None:
    """Each has sent half a header. Others are served meanwhile; each of them is answered in the end."""
    before = descriptors(service)
    with contextlib.ExitStack() as stack, service.by_unix() as client:
        client.get("/v1/tunnels")
        many = [stack.enter_context(service.connect()) for _ in range(HALF_OPEN)]
        for sock in many:
            sock.sendall(b"GET /v1/tunnels HTTP/1.1\r\nHost: loc")
        answered = 0
        while service_is_waiting(many):
            assert client.get("/v1/tunnels").status_code == 200
            answered += 1
        assert answered >= 10
        assert {sock.recv(12) for sock in many} == {b"HTTP/1.1 408"}
    assert settles(service, before)


def service_is_waiting(many: list[socket.socket]) -> bool:
    """Whether the last of them has no answer yet."""
    many[-1].settimeout(0)
    try:
        return not many[-1].recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    finally:
        many[-1].settimeout(PATIENCE_S)


VALID = [
    b"GET /v1/tunnels?limit=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"PUT /v1/tunnels/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"
    b'Content-Type: application/json\r\nContent-Length: 22\r\n\r\n{"remote":"127.0.0.2"}',
    b"POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
    b"GET /v1/events HTTP/1.1\r\nHost: [::1]:80\r\nAuthorization: Bearer TOKEN\r\nLast-Event-ID: x-1\r\n\r\n",
    b"DELETE /v1/tunnels/%61 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\nIf-Match: *\r\n\r\n",
]
PIECES = [b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"%", b"%2f", b"%00", b"../", b"\xff", b"Host: x\r\n", b"0",
          b"-1", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"A" * 5000, b"Connection: Upgrade\r\n",
          b"Upgrade: websocket\r\n", b"HTTP/1.0", b"\xe2\x80\xa8", b"*", b"?", b"#",
          b"http://x/", b"{", b'"']  # fmt: skip


def mutated(request: bytes, chance: random.Random) -> bytes:
    """A request with some pieces put in, taken out or doubled."""
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(request) + 1)
        length = chance.choice((0, 0, 1, 2, 8, 40))
        what = chance.choice(PIECES) if chance.random() < 0.7 else request[place : place + length] * 2
        request = request[:place] + what + request[place + length :]
    return request


def test_mutated_requests(service: Running) -> None:
    """The same each time. Some get half of it out and reset the connection, some don't wait for their answer."""
    chance = random.Random(SEED)
    token = service.token("mutants", "write").encode()
    before = descriptors(service)
    statuses: dict[bytes, int] = {}
    for number in range(1500):
        said = mutated(chance.choice(VALID), chance).replace(b"TOKEN", token)
        with service.connect() as sock:
            sock.settimeout(0.005 if number % 3 else 0.05)
            with contextlib.suppress(OSError):
                sock.sendall(said)
                answer = sock.recv(12)
                statuses[answer[9:12]] = statuses.get(answer[9:12], 0) + 1
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert {status[:1] for status in statuses} <= {b"1", b"2", b"4", b"", b"5"}, statuses
    assert not statuses.get(b"500"), statuses
    with service.by_unix() as client:
        assert client.get("/v1/tunnels").status_code == 200
    assert settles(service, before)


def test_streams_that_are_dropped(service: Running) -> None:
    """Opened, and reset at once: nothing is left that would write to them."""
    token = service.token("dropper").encode()
    before = descriptors(service)
    for _ in range(200):
        with service.connect() as sock:
            sock.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + b"\r\n\r\n")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert settles(service, before)
    with service.by_unix() as client:
        give_up = time.monotonic() + PATIENCE_S
        while "l2tpv3_api_event_subscribers 0" not in client.get("/metrics").text:
            assert time.monotonic() < give_up
            time.sleep(0.1)


def test_many_that_come_and_go_at_once(service: Running) -> None:
    """Connections from several threads, closed at any moment, while one asks in earnest."""
    before = descriptors(service)
    stop = threading.Event()

    def come_and_go(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(150):
            with contextlib.suppress(OSError), service.connect() as sock:
                sock.sendall(VALID[0][: chance.randrange(len(VALID[0]))])
                if chance.random() < 0.5:
                    sock.shutdown(chance.choice((socket.SHUT_RD, socket.SHUT_WR)))
        stop.set()

    threads = [threading.Thread(target=come_and_go, args=(SEED + number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    with service.by_unix() as client:
        while not stop.is_set():
            assert client.get("/v1/tunnels").status_code == 200
    for thread in threads:
        thread.join()
    assert settles(service, before)


def test_memory_is_given_back(service: Running) -> None:
    """Bodies and headers of strangers are not kept: resident memory does not grow from round to round."""

    def resident_kb() -> int:
        lines = Path(f"/proc/{service.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def after_strangers() -> int:
        for _ in range(300):
            with contextlib.suppress(OSError), service.connect() as sock:
                sock.sendall(
                    b"POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n" + bytes(300_000)
                )
        return resident_kb()

    # How many bodies are in memory at a time depends on the machine, and Python keeps room for so many. What strangers
    # send in one round would be 90 MB.
    rounds = [after_strangers() for _ in range(3)]
    assert min(later - earlier for earlier, later in itertools.pairwise(rounds)) < 20_000


def test_nothing_of_that_was_a_fault_of_its_own(service: Running) -> None:
    faults = [record for record in service.records() if record["level"] == "error" or "exception" in record]
    assert faults == [], "\n".join(fault.get("exception", fault["message"]) for fault in faults)
    assert service.stop() == 0
