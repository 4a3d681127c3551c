"""A fleet in memory: a bucket, hosts with their agents, links that fail, processes that are killed. Time is stepped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from random import Random
from typing import Any

from l2tpv3.errors import RefusedError, UnreachableError
from l2tpv3.fleet.nats.bucket import decision_key, desired_key
from l2tpv3.fleet.nats.change import Coordinator, Outcome
from l2tpv3.fleet.nats.directory import Directory
from l2tpv3.fleet.nats.host_agent import HostAgent
from l2tpv3.fleet.nats.keys import KEY, HostKeys

TICK_S = 0.5
CONFIRM_S, WAIT_S = 20.0, 8.0


class Killed(BaseException):
    """The process was killed here."""


class MemoryEngine:
    """An l2tpv3.fleet.nats.engine.Engine whose host is a text; its words are the names. It survives its agent."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.text = ""
        self.waiting: tuple[str, str, float] | None = None  # mark, text before, deadline
        self.fails = False
        self.kill_at = 0  # which call is killed, counted from now on; in the middle of it
        self._marks = 0
        self.dead_wires: set[str] = set()
        self.finishing_fails = 0  # how often

    def _maybe_killed(self) -> None:
        self.kill_at -= 1
        if self.kill_at == 0:
            raise Killed

    def names(self, text: str) -> frozenset[str]:
        return frozenset(text.split())

    def refuse_taken(self, names: frozenset[str], owned: Collection[str]) -> None:
        self._maybe_killed()

    def make(self, text: str, owned: Collection[str], confirm_s: float | None) -> str | None:
        self._maybe_killed()
        if self.fails:
            raise RefusedError("this host", "refuses")
        if self.waiting is not None:
            raise RefusedError("this host", "a change waits to be confirmed")
        before, self.text = self.text, text
        mark = None
        if confirm_s is not None and text != before:
            self._marks += 1
            mark = str(self._marks)
            self.waiting = (mark, before, self._clock() + confirm_s)
        self._maybe_killed()
        return mark

    def keep(self, mark: str) -> bool:
        self._maybe_killed()
        waits = self.waits(mark)
        self.waiting = None if waits else self.waiting
        self._maybe_killed()
        return waits

    def go_back(self, mark: str) -> bool:
        self._maybe_killed()
        if not self.waits(mark) or self.waiting is None:
            return False
        self.text, self.waiting = self.waiting[1], None
        self._maybe_killed()
        return True

    def expire(self) -> None:
        if self.waiting is not None and self._clock() >= self.waiting[2]:
            self.text, self.waiting = self.waiting[1], None

    def waits(self, mark: str) -> bool:
        self.expire()
        return self.waiting is not None and self.waiting[0] == mark

    def finish(self) -> None:
        self.finishing_fails -= 1
        if self.finishing_fails >= 0:
            raise RefusedError("this host", "another change has not ended")

    def test(self, wires: Collection[str], nonce: bytes, news: Callable[[], None]) -> MemoryTest:
        self._maybe_killed()
        return MemoryTest(self, frozenset(wires))

    def conditions(self, owned: Collection[str]) -> dict[str, str]:
        return {}


class MemoryTest:
    """An l2tpv3.fleet.nats.wire_test.WireTest: all pass but the engine's dead wires."""

    def __init__(self, engine: MemoryEngine, wires: frozenset[str]) -> None:
        self._engine, self._wires = engine, wires

    def wrong(self) -> dict[str, str]:
        return dict.fromkeys(self._wires & self._engine.dead_wires, "no frame that is sent through it is answered")

    def close(self) -> None:
        pass


class MemoryHost:
    """A host: its engine, and its agent, which is started again after it was killed."""

    def __init__(self, name: str, public: bytes, folder: Path, engine: Any, clock: Callable[[], float]) -> None:
        self.name, self.engine = name, engine
        self.keys = HostKeys(name.encode().ljust(KEY, b"."))
        self.connected = True
        self.said: list[str] = []
        self._public, self._folder, self._clock = public, folder, clock
        folder.mkdir()
        self._agent: HostAgent | None = None
        self._heard: bytes | None = None

    def live(self, bucket: MemoryBucket) -> None:
        """Live through one moment: hear, do, tell."""
        try:
            if self._agent is None:
                self._agent = HostAgent(
                    self.engine, self.name, self._public, self.keys, self._folder, self.said.append
                )  # fmt: skip
                self._agent.start()
            if self.connected:
                self._hear(self._agent, bucket.values)
            for _ in range(4):
                if not self._agent.step(self._clock()):
                    break
            if self.connected and bucket.asked:
                bucket.told[self.name] = self._agent.status()
        except Killed:
            self.restart()

    def restart(self) -> None:
        """Have the agent begin anew, with what it kept in its folder."""
        self._agent = self._heard = None

    def _hear(self, agent: HostAgent, values: dict[str, bytes]) -> None:
        if self._heard != (value := values.get(desired_key(self.name))) and value is not None:
            agent.heard_key(value)
            self._heard = value
        for serial in agent.undecided():
            if decision_key(serial) in values:
                agent.heard_decision(values[decision_key(serial)])


class MemoryBucket:
    """An l2tpv3.fleet.nats.bucket.Bucket, as the coordinator sees it: its own connection to it can fail, too."""

    def __init__(self, live: Callable[[float], None]) -> None:
        self.values: dict[str, bytes] = {}
        self.told: dict[str, bytes] = {}
        self.connected = True
        self.asked = False  # whether the coordinator listens to what is told
        self.kill_at = 0  # at which of its operations the coordinator is killed, before or after it is done
        self._live = live

    def _pass(self) -> None:
        self.kill_at -= 1
        if self.kill_at == 0:
            raise Killed
        self._live(TICK_S / 10)
        if not self.connected:
            raise UnreachableError("the server", "does not answer")

    async def get(self, key: str) -> bytes | None:
        self._pass()
        return self.values.get(key)

    async def put(self, key: str, value: bytes) -> None:
        self._pass()
        self.values[key] = value
        self._pass()  # done, and nobody is told so

    async def create(self, key: str, value: bytes) -> bool:
        self._pass()
        if key in self.values:
            return False
        self.values[key] = value
        self._pass()
        return True

    async def announce(self, serial: int, value: bytes) -> None:
        self._pass()

    async def statuses(self, hosts: Collection[str], timeout_s: float) -> dict[str, bytes]:
        if timeout_s:
            self.asked = True
            self._live(min(timeout_s, TICK_S))
            self.asked = False
        told, self.told = self.told, {}
        return {name: value for name, value in told.items() if name in hosts and self.connected}


class World:
    """Some hosts, a bucket, a coordinator, and the time. happens: called at each tick, to have something go wrong."""

    def __init__(self, folder: Path, names: Collection[str] = ("a", "b", "c")) -> None:
        self.now = 0.0
        self.directory = Directory.open_or_make(folder / "fleet")
        self.bucket = MemoryBucket(self.live)
        self.happens: Callable[[], None] = lambda: None
        self.allowed: dict[str, set[str]] = {}
        self.wires: dict[str, list[str]] = {}
        public = self.directory.key.public
        self.hosts = {
            name: MemoryHost(name, public, folder / name, MemoryEngine(lambda: self.now), lambda: self.now)
            for name in names
        }
        for host in self.hosts.values():
            self.directory.enroll(host.keys.identity(host.name))

    def live(self, seconds: float) -> None:
        """Let that time go by. Each host is checked to have a state that it may have."""
        self.now += seconds
        self.happens()
        for host in self.hosts.values():
            host.live(self.bucket)
            allowed = self.allowed.get(host.name)
            assert allowed is None or host.engine.text in allowed, (
                f"a third state: {host.name} has {host.engine.text!r}"
            )

    def live_long(self, seconds: float) -> None:
        """Let that time go by, tick by tick."""
        until = self.now + seconds
        while self.now < until:
            self.live(TICK_S)

    def run(self, texts: dict[str, str]) -> Outcome | None:
        """Change the hosts; None where the coordinator was killed or cut off before it knew."""
        coordinator = Coordinator(self.directory, self.bucket, clock=lambda: self.now)
        try:
            return asyncio.run(coordinator.change(texts, confirm_s=CONFIRM_S, wait_s=WAIT_S, wires=self.wires))
        except (Killed, UnreachableError):
            return None

    def recover(self) -> Outcome | None:
        """A later run of the coordinator, with everything connected."""
        self.bucket.connected, self.bucket.kill_at = True, 0

        async def both() -> Outcome | None:
            coordinator = Coordinator(self.directory, self.bucket, clock=lambda: self.now)
            outcome = await coordinator.recover()
            await coordinator.refresh()
            return outcome

        return asyncio.run(both())

    def heal(self) -> None:
        """Connect everything, and let nothing go wrong any more."""
        self.happens = lambda: None
        self.bucket.connected, self.bucket.kill_at = True, 0
        for host in self.hosts.values():
            host.connected, host.engine.kill_at, host.engine.fails = True, 0, False

    def has(self) -> dict[str, str]:
        """What each host has."""
        return {name: host.engine.text for name, host in self.hosts.items()}


def partitions(world: World, random: Random) -> Callable[[], None]:
    """Connections that come and go, at random."""

    ends: list[MemoryBucket | MemoryHost] = [world.bucket, *world.hosts.values()]

    def change() -> None:
        for one in ends:
            if random.random() < 0.15:
                one.connected = not one.connected

    return change
