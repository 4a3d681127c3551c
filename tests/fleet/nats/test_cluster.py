"""A fleet on three servers that are a cluster: the one that leads is killed while a change is under way."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from l2tpv3.errors import UnreachableError
from l2tpv3.fleet.nats.agent import AgentConnection
from l2tpv3.fleet.nats.change import Coordinator, Outcome
from l2tpv3.fleet.nats.connection import NatsBucket, bucket_of, connected
from l2tpv3.fleet.nats.host_agent import HostAgent
from l2tpv3.fleet.nats.pushing import end_elsewhere
from l2tpv3.fleet.nats.server import program, write_accounts
from l2tpv3.fleet.nats.server_config import BUCKET
from tests.fleet.nats.enrolled import enrolled
from tests.fleet.nats.fleet_in_memory import MemoryEngine
from tests.fleet.nats.test_server import free_port, until
from tests.waiting import PATIENCE_S

_CONFIG = """
listen: "127.0.0.1:{port}"
server_name: "{name}"
jetstream {{ store_dir: "{store}", sync_interval: always }}
cluster {{ name: "fleet", listen: "127.0.0.1:{route}", routes: [{routes}] }}
include "{accounts}"
"""


class _Cluster:
    """Three servers, by name, and the hosts a and b of a fleet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory, self.keys = enrolled(folder)
        accounts = write_accounts(self.directory)
        ports = {f"s{number}": (free_port(), free_port()) for number in (1, 2, 3)}
        routes = ", ".join(f'"nats://127.0.0.1:{route}"' for _, route in ports.values())
        self.url = ",".join(f"nats://127.0.0.1:{port}" for port, _ in ports.values())
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        for name, (port, route) in ports.items():
            config = accounts.with_name(f"{name}.conf")
            words = {"port": port, "name": name, "store": folder / name, "route": route, "routes": routes}
            config.write_text(_CONFIG.format(**words, accounts=accounts.name))
            with (folder / f"{name}.log").open("wb") as log:
                self.servers[name] = subprocess.Popen([program(), "--config", config], stdout=log, stderr=log)

    @asynccontextmanager
    async def bucket(self) -> AsyncIterator[NatsBucket]:
        async with connected(self.url, self.directory.login_seed(), "_INBOX") as client:
            yield await bucket_of(client)

    async def leader(self) -> str:
        """The name of the server that leads the bucket's stream."""
        async with connected(self.url, self.directory.login_seed(), "_INBOX") as client:
            info = await client.jetstream().stream_info(f"KV_{BUCKET}")
            return str(info.cluster.leader)

    def host(self, name: str) -> tuple[MemoryEngine, AgentConnection]:
        engine = MemoryEngine(time.monotonic)
        (self.folder / f"host-{name}").mkdir()
        agent = HostAgent(
            engine, name, self.directory.key.public, self.keys[name], self.folder / f"host-{name}", lambda _: None
        )
        return engine, AgentConnection(agent, name, self.url, self.keys[name].login_seed(), lambda _: None)

    async def change(self, text: str, wires: dict[str, list[str]] | None = None) -> Outcome:
        async with self.bucket() as bucket:
            coordinator = Coordinator(self.directory, bucket)
            texts = {"a": text, "b": text}
            return await coordinator.change(texts, confirm_s=600.0, wait_s=PATIENCE_S, wires=wires or {})

    async def change_at_last(self, text: str) -> None:
        """Change the hosts, as soon as enough servers are ready."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(UnreachableError):
                if (await self.change(text)).committed:
                    return
            assert time.monotonic() < give_up
            await asyncio.sleep(0.2)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[_Cluster]:
    made = _Cluster(tmp_path)
    try:
        yield made
    finally:
        for server in made.servers.values():
            server.kill()
            server.wait()


@pytest.mark.timeout(600)
def test_the_leader_is_killed_in_a_change_and_the_change_ends_one_way(cluster: _Cluster) -> None:
    asyncio.run(_kill_the_leader(cluster))


async def _kill_the_leader(cluster: _Cluster) -> None:
    stop = asyncio.Event()
    (engine_a, a), (engine_b, b) = cluster.host("a"), cluster.host("b")
    engines = (engine_a, engine_b)
    agents = [asyncio.create_task(one.run(stop)) for one in (a, b)]
    await cluster.change_at_last("one")
    async with cluster.bucket() as bucket:
        assert await bucket.kept_by() == 3
    engine_b.dead_wires = {"a/s"}
    changing = asyncio.create_task(cluster.change("two", {"b": ["a/s"]}))
    await until(lambda: all(engine.waiting is not None for engine in engines))
    cluster.servers[await cluster.leader()].kill()
    engine_b.dead_wires = set()
    try:
        committed = (await changing).committed
    except UnreachableError:  # its own connection was to that server
        ended = await end_elsewhere(cluster.directory, cluster.bucket, PATIENCE_S, lambda _: None)
        assert ended is not None
        committed = ended.committed
    text = "two" if committed else "one"
    await until(lambda: all(engine.text == text and engine.waiting is None for engine in engines))
    await cluster.change_at_last("three")  # two of three servers go on
    await until(lambda: all(engine.text == "three" and engine.waiting is None for engine in engines))
    stop.set()
    await asyncio.gather(*agents)
