"""Looks are shared and never older than the question; changes take turns and are ended once begun."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from l2tpv3 import Manager
from l2tpv3_api import Service
from l2tpv3_api.auth.identity import EVERYTHING, Identity
from l2tpv3_api.service.single_flight import SingleFlight

WHO = Identity("tester", EVERYTHING)


def test_whoever_asks_during_a_run_shares_the_next() -> None:
    async def play() -> None:
        runs, gate = 0, asyncio.Event()

        async def make(begin: Callable[[], None]) -> int:
            nonlocal runs
            begin()
            runs += 1
            this = runs
            await gate.wait()
            return this

        shared = SingleFlight(make)
        first = asyncio.create_task(shared.get())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert runs == 1
        later = [asyncio.create_task(shared.get()) for _ in range(50)]
        await asyncio.sleep(0)
        later[7].cancel()
        gate.set()
        assert await first == 1
        rest = await asyncio.gather(*later, return_exceptions=True)
        assert isinstance(rest.pop(7), asyncio.CancelledError) and set(rest) == {2}
        assert runs == 2 and shared.idle

    asyncio.run(play())


def test_an_error_is_everyones_and_the_next_run_another() -> None:
    async def play() -> None:
        answers: list[Any] = [ValueError("once"), "fine"]

        async def make(begin: Callable[[], None]) -> str:
            begin()
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        shared = SingleFlight(make)
        both = await asyncio.gather(shared.get(), shared.get(), return_exceptions=True)
        assert [type(one) for one in both] == [ValueError, ValueError]
        assert await shared.get() == "fine"

    asyncio.run(play())


@pytest.fixture
def service(manager: Manager) -> Service:
    """Not started: nothing of these tests needs events."""
    return Service(manager)


def test_what_was_written_is_seen_by_whoever_asks_then(service: Service) -> None:
    async def write_and_look(number: int) -> None:
        words = {"remote": "127.0.0.2", "local-port": 2000 + number}
        await service.change(WHO, lambda manager: manager.add_tunnel(f"t{number}", words))
        assert (await service.look()).tunnel(f"t{number}").condition == "up"

    async def play() -> None:
        await asyncio.gather(*(write_and_look(number) for number in range(12)))
        await service.stop()

    asyncio.run(play())


def test_a_look_never_sees_half_a_change(service: Service, manager: Manager) -> None:
    """A tunnel made and one removed by one change: each look sees one of them, and nothing foreign."""

    async def play() -> None:
        await service.change(WHO, lambda manager: manager.add_tunnel("t0", {"remote": "127.0.0.2"}))
        done = False

        async def look() -> None:
            while not done:
                (one,) = (await service.look()).tunnels
                assert not one.foreign and one.condition == "up"

        lookers = [asyncio.create_task(look()) for _ in range(5)]
        for number in range(20):
            words = {"remote": "127.0.0.2", "id": number + 2}
            await service.change(WHO, lambda manager, words=words: manager.put_tunnel("t0", words))  # type: ignore[misc]
        done = True
        await asyncio.gather(*lookers)
        await service.stop()

    asyncio.run(play())


def test_a_change_that_takes_long_holds_up_no_look_for_long(service: Service) -> None:
    async def play() -> None:
        release = threading.Event()
        change = asyncio.create_task(service.change(WHO, lambda manager: release.wait(60)))
        await asyncio.sleep(0)
        assert (await asyncio.wait_for(service.look(), 30)).tunnels == ()
        assert not change.done()
        release.set()
        await change
        await service.stop()

    asyncio.run(play())


def test_a_change_goes_on_when_its_client_goes(service: Service, manager: Manager) -> None:
    async def play() -> None:
        begun, release = threading.Event(), threading.Event()

        def work(manager: Manager) -> None:
            begun.set()
            release.wait(60)
            manager.add_tunnel("a", {"remote": "127.0.0.2"})

        change = asyncio.create_task(service.change(WHO, work))
        await asyncio.to_thread(begun.wait, 60)
        change.cancel()
        with pytest.raises(asyncio.CancelledError):
            await change
        release.set()
        await service.stop()  # which waits for it
        assert manager.tunnel("a").condition == "up"

    asyncio.run(play())
