"""What a client sends takes bounded time and memory, and nobody else's requests wait for it."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from l2tpv3.config import DATAPATHS
from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.filelock import exclusive
from l2tpv3_api.http.body_process import BodyProcesses
from l2tpv3_api.http.faults import BodyError, MalformedError, TooLargeError
from l2tpv3_api.http.state_body import JSON, TOML, parse_state
from tests.api.running import running

MANY = 40_000
LIMIT_S = 20
"""Of CPU time. Each takes less than 1 s; what grows with the square of its length would take minutes."""


def sent(document: object) -> bytes:
    return json.dumps(document).encode()


HOSTILE = {
    "unknown": sent({f"k{i}": 1 for i in range(MANY)}),
    "unknown words": sent({"tunnel": {"a": {f"k{i}": 1 for i in range(MANY)}}}),
    "no tables": sent({"tunnel": {f"k{i}": 1 for i in range(MANY)}}),
    "one id": sent({"tunnel": {f"k{i}": {"remote": "192.0.2.1", "id": 1} for i in range(MANY // 10)}}),
    "ring": sent({"link": {f"l{i}": {"type": "bridge", "over": [f"l{(i + 1) % 5000}"]} for i in range(5000)}}),
    "deep": b'{"a":' * MANY,
    "deep arrays": b"[" * MANY + b"]" * MANY,
    "less deep": b'{"tunnel":' + b"[" * 500 + b"]" * 500 + b"}",
    "digits": b'{"tunnel":' + b"1" * MANY + b"}",
    "long key": sent({"k" * MANY: 1}),
    "long name": sent({"tunnel": {"a" * MANY: {}}}),
    "long word": sent({"tunnel": {"a": {"remot" * MANY: 1}}}),
    "one key": b"{" + b'"a":1,' * MANY + b'"a":1}',
    "empty arrays": b'{"tunnel":[' + b"[]," * MANY + b"[]]}",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_no_body_takes_long_or_is_repeated_at_length(data: bytes) -> None:
    began = time.thread_time()
    with pytest.raises(InvalidValueError) as caught:
        parse_state(data, JSON, DATAPATHS)
    assert time.thread_time() - began < LIMIT_S
    assert len(str(caught.value)) < 2000 and "set_int_max_str_digits" not in str(caught.value)


def test_a_chain_of_links_is_no_deep_recursion() -> None:
    chain = {f"l{i}": {"type": "bridge", "over": [f"l{i + 1}"]} for i in range(2000)}
    assert len(parse_state(sent({"link": chain}), JSON, DATAPATHS)) == len(chain)


def test_a_process_of_its_own_finds_the_same() -> None:
    good = sent({"tunnel": {"a": {"remote": "192.0.2.1", "session": {"s": {"tx-cookie": "01234567"}}}}})
    assert asyncio.run(BodyProcesses().parse(good, JSON, DATAPATHS)) == parse_state(good, JSON, DATAPATHS)
    for data, kind in ((sent({"tunnel": {"a": {"id": 0}}}), JSON), (b"[tunnel", TOML)):
        with pytest.raises(InvalidValueError) as there:
            asyncio.run(BodyProcesses().parse(data, kind, DATAPATHS))
        with pytest.raises(InvalidValueError) as here:
            parse_state(data, kind, DATAPATHS)
        assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))
        if isinstance(here.value, BodyError):
            assert isinstance(there.value, BodyError) and there.value.faults == here.value.faults
        else:
            assert isinstance(here.value, MalformedError)


def test_time_and_memory_of_a_large_body_are_limited() -> None:
    with pytest.raises(TooLargeError, match="128 MiB"):
        asyncio.run(BodyProcesses(memory_bytes=128 << 20).parse(b"[" + b"[]," * (2 << 20) + b"[]]", JSON, DATAPATHS))
    text = "a = [" + "1, " * 3_000_000 + "]"
    with pytest.raises(TooLargeError, match="1 s"):
        asyncio.run(BodyProcesses(cpu_s=1).parse(text.encode(), TOML, DATAPATHS))


@pytest.mark.slow
def test_others_are_served_while_a_body_is_read_and_sigterm_ends_it_all() -> None:
    large = ("a = [" + "1, " * 4_000_000 + "]").encode()  # some ten seconds of reading
    small = b"[" + b"a." * 30_000 + b"a]"
    with running("--listen", "127.0.0.1:0") as one, ThreadPoolExecutor(8) as threads:
        reader = one.token("reader")

        def plan(body: bytes) -> int:
            with one.by_tcp(reader) as client:
                return client.post("/v1/plan", content=body, headers={"Content-Type": TOML}).status_code

        assert plan(small) == 400
        plans = [threads.submit(plan, large) for _ in range(2)]
        time.sleep(0.5)
        with one.by_unix() as root:
            for _ in range(3):
                assert root.get("/v1/tunnels").status_code == 200
            assert root.put("/v1/tunnels/t", json={"remote": "127.0.0.2"}).status_code == 201
        assert not any(each.done() for each in plans)
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 10  # 5 of its own; the rest is this machine's load
        for each in plans:
            each.exception()


def test_sigterm_ends_a_change_that_waits_for_the_lock_and_streams() -> None:
    def change() -> int:
        with one.by_unix() as client:
            try:
                return client.put("/v1/tunnels/t", json={"remote": "127.0.0.2"}).status_code
            except httpx.TransportError:
                return 0

    with (
        running("--listen", "127.0.0.1:0") as one,
        ThreadPoolExecutor(1) as threads,
        exclusive(one.paths.runtime),
        one.by_unix() as root,
        root.stream("GET", "/v1/events") as events,
    ):
        assert next(events.iter_bytes())
        waiting = threads.submit(change)
        time.sleep(0.3)
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 10  # 5 of its own; the rest is this machine's load
        assert waiting.result() in (0, 500, 503)
