"""The agent of a host with its connection: pulls the host's own key, has it made, and tells the host's status.

It connects again by itself, after a time with a random part, so that the agents of a fleet do not all come at once.
What it hears is only noted where it is heard; one thread at a time does what is to be done, whatever the connection
does.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from l2tpv3.errors import L2tpError
from l2tpv3.fleet.nats.bucket import decision_key, desired_key
from l2tpv3.fleet.nats.connection import TIMEOUT_S, connected, translated
from l2tpv3.fleet.nats.host_agent import HostAgent
from l2tpv3.fleet.nats.server_config import inbox

STEP_S: Final = 1.0
"""How often is looked whether something has to be done without anything heard."""
ASK_S: Final = 2.0
"""How often a decision is asked for that was not heard."""
POLL_S: Final = 30.0
"""How often the key is got although nothing was heard of it, and the status is told although it is the same."""
_DELAY_FIRST_S: Final = 0.5
_DELAY_MAX_S: Final = 8.0

Say = Callable[[str], None]


class AgentConnection:
    """Runs a HostAgent. url: of the servers. seed: of the host's nkey. complain: told of errors, once each."""

    def __init__(self, agent: HostAgent, host: str, url: str, seed: str, complain: Say) -> None:
        self._agent, self._host, self._url, self._seed = agent, host, url, seed
        self._complain_aloud = complain
        self._complained = ""
        self._stopping = False
        self._inbox: list[tuple[str, bytes]] = []
        self._wake, self._tell = asyncio.Event(), asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. What is being done then is done first."""
        loop = asyncio.get_running_loop()
        self._agent.news = lambda: _wake_soon(loop, self._wake)
        connecting = asyncio.create_task(self._stay_connected())
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._step()
                waking = asyncio.create_task(self._wake.wait())
                await asyncio.wait({waking, stopping}, timeout=STEP_S, return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
                self._wake.clear()
        finally:
            self._stopping = True
            stopping.cancel()
            while not connecting.done():  # more than once: what it waits for in nats-py may take a cancel for a timeout
                connecting.cancel()
                await asyncio.wait({connecting}, timeout=STEP_S)
            await asyncio.to_thread(self._agent.close)

    # -- doing ---------------------------------------------------------------------------------------------------

    async def _step(self) -> None:
        heard, self._inbox = self._inbox, []
        try:
            news = await asyncio.shield(asyncio.to_thread(self._do, heard))
        except L2tpError as error:
            self._complain(str(error))
            return
        except Exception as error:  # a defect of ours must not end the agent: the next step may do better
            self._complain(f"a defect: {error!r}")
            return
        if news:
            self._tell.set()

    def _do(self, heard: list[tuple[str, bytes]]) -> bool:
        for key, value in heard:
            if key == desired_key(self._host):
                self._agent.heard_key(value)
            else:
                self._agent.heard_decision(value)
        news = False
        while self._agent.step(time.monotonic()):
            news = True
        return news

    def _complain(self, text: str) -> None:
        if text != self._complained:
            self._complain_aloud(text)
        self._complained = text

    # -- hearing -------------------------------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        delay_s = _DELAY_FIRST_S
        while not self._stopping:
            began = time.monotonic()
            try:
                await self._connection()
            except L2tpError as error:
                self._complain(str(error))
            except Exception as error:  # nor may what a server says that nats-py does not understand
                self._complain(f"{self._url}: {error!r}")
            if time.monotonic() - began > POLL_S:
                delay_s = _DELAY_FIRST_S
            await asyncio.sleep(random.uniform(0.0, delay_s))
            delay_s = min(_DELAY_MAX_S, 2 * delay_s)

    async def _connection(self) -> None:
        """Live through one connection. Raises L2tpError when there is none, or it is lost."""
        lost = asyncio.Event()
        async with connected(self._url, self._seed, inbox(self._host), lost) as client:
            with translated(self._url):
                await client.subscribe(desired_key(self._host), cb=self._hear)
                await self._get(client, desired_key(self._host))
                await self._follow(client, lost)

    async def _follow(self, client: Any, lost: asyncio.Event) -> None:
        """Hear, ask and tell until the connection is lost."""
        subscribed: dict[int, Any] = {}
        asked_at = polled_at = told_at = -POLL_S
        self._complained = ""
        while not (lost.is_set() or self._stopping):
            now = time.monotonic()
            undecided = self._agent.undecided()
            await self._subscribe(client, undecided, subscribed)
            if undecided and now >= asked_at + ASK_S:
                for serial in undecided:
                    await self._get(client, decision_key(serial))
                asked_at = now
            if now >= polled_at + POLL_S:
                await self._get(client, desired_key(self._host))
                polled_at = now + random.uniform(0.0, POLL_S / 3)
            if self._tell.is_set() or now >= told_at + POLL_S:
                self._tell.clear()
                status = await asyncio.to_thread(self._agent.status)
                await client.request(f"status.{self._host}", status, timeout=TIMEOUT_S)
                told_at = now
            await self._wait(lost)

    async def _subscribe(self, client: Any, undecided: set[int], subscribed: dict[int, Any]) -> None:
        for serial in undecided - subscribed.keys():
            subscribed[serial] = await client.subscribe(decision_key(serial), cb=self._hear)
            await self._get(client, decision_key(serial))
        for serial in subscribed.keys() - undecided:
            await subscribed.pop(serial).unsubscribe()

    async def _wait(self, lost: asyncio.Event) -> None:
        """Wait for something to tell, for the loss of the connection, or a moment."""
        waits = [asyncio.create_task(one.wait()) for one in (lost, self._tell)]
        await asyncio.wait(waits, timeout=STEP_S / 2, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()

    async def _get(self, client: Any, key: str) -> None:
        message = await client.request(f"get.{key}", b"", timeout=TIMEOUT_S)
        if (message.headers or {}).get("Nats-Subject") and message.data:
            self._note(key, message.data)

    async def _hear(self, message: Any) -> None:
        self._note(message.subject, message.data)

    def _note(self, key: str, value: bytes) -> None:
        self._inbox.append((key, bytes(value)))
        self._wake.set()


def _wake_soon(loop: asyncio.AbstractEventLoop, wake: asyncio.Event) -> None:
    """Set an event of a loop from another thread."""
    with contextlib.suppress(RuntimeError):  # the loop has ended
        loop.call_soon_threadsafe(wake.set)


@contextlib.contextmanager
def in_background(run: Callable[[asyncio.Event], Any]) -> Iterator[None]:
    """Run a coroutine function on a thread of its own while the block runs; it gets the event that ends it."""
    ready = threading.Event()
    found: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        found.append((asyncio.get_running_loop(), stop))
        ready.set()
        await run(stop)

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="fleet agent")
    thread.start()
    ready.wait()
    try:
        yield
    finally:
        loop, stop = found[0]
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(stop.set)
        thread.join()
