"""A fleet with a real NATS server: what a host may do with its login, changes of hosts, a server that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.errors import L2tpError, NotPermittedError, UnreachableError
from l2tpv3.fleet.nats.agent import AgentConnection
from l2tpv3.fleet.nats.change import Coordinator, Outcome
from l2tpv3.fleet.nats.connection import NatsBucket, bucket_of, connected
from l2tpv3.fleet.nats.host_agent import HostAgent
from l2tpv3.fleet.nats.server import serve, write_accounts
from l2tpv3.fleet.nats.server_config import BUCKET, STATUS_BUCKET, inbox
from l2tpv3.fleet.nats.status import HostReport
from tests.fleet.nats.enrolled import enrolled
from tests.fleet.nats.fleet_in_memory import MemoryEngine

_BOUND_S = 90.0


class _Fleet:
    """A fleet with hosts a and b, and a server that runs in `serving`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory, self.keys = enrolled(folder)
        self.listen = f"127.0.0.1:{free_port()}"
        self.url = f"nats://{self.listen}"

    @contextmanager
    def serving(self) -> Iterator[None]:
        ended = threading.Event()
        failed: list[BaseException] = []

        def run() -> None:
            try:
                serve(self.directory, self.listen, ended=ended.is_set)
            except L2tpError as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            until = time.monotonic() + _BOUND_S
            while not failed and not _answers(self.listen):
                assert time.monotonic() < until
                time.sleep(0.05)
            yield
        finally:
            ended.set()
            thread.join()
        assert not failed

    @asynccontextmanager
    async def bucket(self) -> AsyncIterator[NatsBucket]:
        async with connected(self.url, self.directory.login_seed(), "_INBOX") as client:
            yield await bucket_of(client)

    def host(self, name: str, said: list[str]) -> tuple[MemoryEngine, AgentConnection]:
        engine = MemoryEngine(time.monotonic)
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        agent = HostAgent(engine, name, self.directory.key.public, self.keys[name], folder, said.append)
        return engine, AgentConnection(agent, name, self.url, self.keys[name].login_seed(), said.append)


def free_port() -> int:
    """A port below those of outgoing connections: who tries one of these again and again may come to itself."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _answers(listen: str) -> bool:
    host, _, port = listen.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.fixture
def fleet(tmp_path: Path) -> _Fleet:
    return _Fleet(tmp_path)


async def _change(fleet: _Fleet, texts: dict[str, str], *, wait_s: float = _BOUND_S) -> Outcome:
    async with fleet.bucket() as bucket:
        return await Coordinator(fleet.directory, bucket).change(texts, confirm_s=600.0, wait_s=wait_s)


async def until(condition: Any) -> None:
    """Wait until the condition is true, while the tasks of the loop go on."""
    give_up = time.monotonic() + _BOUND_S
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)


def test_two_hosts_are_changed_as_one_and_again_after_the_server_was_away(fleet: _Fleet) -> None:
    said: list[str] = []

    async def both() -> None:
        stop = asyncio.Event()
        (engine_a, a), (engine_b, b) = fleet.host("a", said), fleet.host("b", said)
        agents = [asyncio.create_task(one.run(stop)) for one in (a, b)]
        with fleet.serving():
            assert (await _change(fleet, {"a": "one", "b": "one"})).committed
            await until(lambda: (engine_a.text, engine_b.text) == ("one", "one"))
            await until(lambda: engine_a.waiting is None and engine_b.waiting is None)
        with pytest.raises(UnreachableError):
            await _change(fleet, {"a": "lost"})
        assert (engine_a.text, engine_b.text) == ("one", "one")
        with fleet.serving():
            assert (await _change(fleet, {"a": "two", "b": "two"})).committed
            await until(lambda: (engine_a.text, engine_b.text) == ("two", "two"))
            engine_b.fails = True
            outcome = await _change(fleet, {"a": "three", "b": "three"})
            assert not outcome.committed and outcome.reasons == {"b": "this host: refuses"}
            await until(lambda: engine_a.text == "two" and engine_a.waiting is None)
        stop.set()
        await asyncio.gather(*agents)

    asyncio.run(both())


def test_a_host_hears_no_decision_that_the_bucket_did_not_take(fleet: _Fleet) -> None:
    async def tries() -> None:
        heard: list[bytes] = []

        async def hear(message: Any) -> None:
            heard.append(message.data)

        async with fleet.bucket() as bucket, connected(fleet.url, fleet.keys["a"].login_seed(), inbox("a")) as client:
            await client.subscribe("decision.*", cb=hear)
            await client.flush()
            assert await bucket.create("decision.1", b"first") and not await bucket.create("decision.1", b"second")
            await bucket.announce(1, b"first")
            await until(lambda: heard)
            assert heard == [b"first"]

    with fleet.serving():
        asyncio.run(tries())


def test_a_host_that_was_expelled_gets_in_no_more(fleet: _Fleet) -> None:
    async def tries() -> None:
        async with connected(fleet.url, fleet.keys["b"].login_seed(), inbox("b")):
            pass
        fleet.directory.expel("b")
        write_accounts(fleet.directory)
        until = time.monotonic() + _BOUND_S
        with pytest.raises(NotPermittedError):
            while time.monotonic() < until:
                with contextlib.suppress(UnreachableError):  # cut in the midst, before it is told why
                    async with connected(fleet.url, fleet.keys["b"].login_seed(), inbox("b")):
                        await asyncio.sleep(0.1)

    with fleet.serving():
        asyncio.run(tries())


_DESIRED, _DECISION, _STATUS = f"$KV.{BUCKET}.desired.b", f"$KV.{BUCKET}.decision.1", f"$KV.{STATUS_BUCKET}.b"
_STREAMS = (f"KV_{BUCKET}", f"KV_{STATUS_BUCKET}")
_ALLOWED = ("get.desired.a", "get.decision.1", "status.a")
"""What host a may publish to."""
_WRITES = [
    _DESIRED, _DECISION, _STATUS, "desired.b", "decision.1", "status.b", "desired.a", f"$KV.{BUCKET}.desired.a",
    *(f"$JS.API.STREAM.{verb}.{stream}" for stream in _STREAMS for verb in
      ("PURGE", "DELETE", "UPDATE", "MSG.DELETE", "MSG.GET", "INFO", "SNAPSHOT", "RESTORE")),
    "$JS.API.STREAM.CREATE.other", "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES", "$JS.API.INFO",
    *(f"$JS.API.CONSUMER.{verb}" for stream in _STREAMS for verb in
      (f"CREATE.{stream}", f"CREATE.{stream}.c.{_DESIRED}", f"DURABLE.CREATE.{stream}.c", f"LIST.{stream}",
       f"DELETE.{stream}.c", f"MSG.NEXT.{stream}.c")),
    f"$JS.API.DIRECT.GET.{_STREAMS[0]}", f"$JS.API.DIRECT.GET.{_STREAMS[0]}.{_DESIRED}",
    f"$JS.API.DIRECT.GET.{_STREAMS[1]}.{_STATUS}", "get.desired.b", "get.desired.*", "get.desired.>", "get.status.b",
    f"$JS.ACK.{_STREAMS[0]}.c.1.1.1.1.1", "$SYS.REQ.SERVER.PING", "_INBOX_b.x", "_R_.x",
]  # fmt: skip
"""What it may not publish to, whatever the answer would be."""
_HEARS = [
    "desired.b", "desired.*", "desired.>", ">", "*", "$KV.>", _DESIRED, _STATUS, "status.*", "_INBOX_b.>", "_INBOX.>",
    "$JS.>", "$SYS.>", "_R_.>",
]  # fmt: skip
"""What it may not listen to."""
_HEADERS = [{"Nats-Rollup": "all"}, {"Nats-Rollup": "sub"}, {"Nats-TTL": "1s"}, {"KV-Operation": "PURGE"},
            {"Nats-Schedule": "@at 2000-01-01T00:00:00Z", "Nats-Schedule-Target": _STATUS},
            {"Nats-Batch-Id": "x", "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"}]  # fmt: skip


def test_a_host_with_its_login_reads_and_writes_nothing_of_another_host(fleet: _Fleet) -> None:
    with fleet.serving():
        asyncio.run(_attack(fleet))


async def _attack(fleet: _Fleet) -> None:
    """Log in as host a, and try everything against host b."""
    async with fleet.bucket() as bucket:
        await bucket.put("desired.a", b"for a")
        await bucket.put("desired.b", b"secret of b")
        await bucket.put("decision.1", b"decided")
        async with connected(fleet.url, fleet.keys["b"].login_seed(), inbox("b")) as client:
            await client.request("status.b", b"status of b", timeout=_BOUND_S)
        heard: list[bytes] = []

        async def hear(message: Any) -> None:
            heard.append(message.data)

        seed = fleet.keys["a"].login_seed()
        for subject in _HEARS:
            async with connected(fleet.url, seed, inbox("a")) as client:
                await client.subscribe(subject, cb=hear)
                await client.flush()
                await bucket.put("desired.b", b"secret of b")
        async with connected(fleet.url, seed, inbox("a")) as client:
            await client.subscribe("_INBOX_a.all", cb=hear)
            for subject in _WRITES:
                for data in (b"", b'{"seq":1}', b'{"last_by_subj":"%s"}' % _DESIRED.encode()):
                    await client.publish(subject, data, reply="_INBOX_a.all")
            await client.flush()
        async with connected(fleet.url, seed, inbox("a")) as client:
            await client.subscribe("_INBOX_a.all", cb=hear)
            for subject in _ALLOWED:
                for data in (b'{"seq":2}', b'{"last_by_subj":"%s"}' % _DESIRED.encode(), b'{"multi_last":["$KV.>"]}'):
                    await client.publish(subject, data, reply="_INBOX_a.all")
                for reply in (*_WRITES, "status.b", "_R_.x"):
                    if "*" not in reply and ">" not in reply:
                        await client.publish(subject, b"by a", reply=reply)
                for headers in _HEADERS:
                    await client.publish(subject, b"by a", reply="_INBOX_a.all", headers=headers)
            await client.flush()
        # an own status still gets through, so all of the above did
        async with connected(fleet.url, seed, inbox("a")) as client:
            await client.request("status.a", b"status of a", timeout=_BOUND_S)
            assert (await client.request("get.desired.a", b"", timeout=_BOUND_S)).data == b"for a"
        assert await bucket.status("a") == b"status of a"
        assert await bucket.get("desired.a") == b"for a"
        assert await bucket.get("desired.b") == b"secret of b"
        assert await bucket.get("decision.1") == b"decided"
        assert await bucket.status("b") == b"status of b"
        assert not [one for one in heard if b"secret of b" in one or b"status of b" in one]


def test_a_status_that_another_signed_is_refused(fleet: _Fleet) -> None:
    report = HostReport(host="b", committed=1, tried=1, waiting=None, error="")
    forged = report.signed(fleet.keys["a"], fleet.directory.key.fleet)
    with pytest.raises(L2tpError, match="its signature is wrong"):
        HostReport.checked(forged, fleet.keys["b"].identity("b"), fleet.directory.key.fleet)
