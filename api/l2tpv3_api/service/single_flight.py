"""One answer for everyone who asks at the same time, and never one that is older than the question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Calls `make` for many. Whoever asks while it runs waits for the next run, which all of those share.

    make: takes what it calls when it really begins, which may be after some waiting: until then others may join.
    """

    def __init__(self, make: Callable[[Callable[[], None]], Awaitable[T]]) -> None:
        self._make = make
        self._running: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Give the result of a run that began after this call. A waiter that is cancelled does not affect others."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._running))
        return await asyncio.shield(self._next)

    async def _after(self, running: asyncio.Task[T] | None) -> T:
        if running is not None:
            await asyncio.wait([running])
        try:
            return await self._make(self._begin)
        finally:
            self._begin()

    def _begin(self) -> None:
        """Note that a run has begun: who asks from now on waits for the one after it."""
        this = asyncio.current_task()
        if self._next is this:
            self._running, self._next = self._next, None

    @property
    def idle(self) -> bool:
        """Whether nobody waits for anything."""
        return self._next is None and (self._running is None or self._running.done())
