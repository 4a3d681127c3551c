"""The hub: events are published here, and each subscriber reads them at its own pace.

There is one ring of the last events. A subscriber is a place in it, so one that reads slowly, or not at all, costs
nothing and holds up nobody: when the ring has moved past its place, it gets a single `reset` and goes on from now.
Resuming by Last-Event-ID is the same thing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Final

from l2tpv3_api.events.event import Event, EventType

RING_EVENTS: Final = 4096
RING_BYTES: Final = 16 << 20
"""How many events, and bytes of them, are kept for those who read slowly or come again."""


class Hub:
    """Call from any thread. changed() is heard by whoever set `on_changed` (the watcher, which looks and compares)."""

    def __init__(self, *, ring_events: int = RING_EVENTS, ring_bytes: int = RING_BYTES) -> None:
        self._lock = threading.Lock()
        self._ring: deque[Event] = deque()
        self._ring_events, self._ring_bytes = ring_events, ring_bytes
        self._bytes = 0
        self._epoch = secrets.token_hex(4)
        self._last = 0  # number of the newest event
        self._subscribers: set[Subscription] = set()
        self._closed = False
        self.published = 0
        self.missed = 0
        self.on_changed: Callable[[], None] = _nothing
        self.on_subscribers: Callable[[int], None] = _ignore

    def publish(self, type: str, data: dict[str, Any]) -> None:
        """Tell all subscribers. data must be JSON-ready, and hold no secrets."""
        with self._lock:
            self._last += 1
            event = Event.of(type, data, f"{self._epoch}-{self._last}")
            self._ring.append(event)
            self._bytes += len(event.data)
            while len(self._ring) > self._ring_events or (self._bytes > self._ring_bytes and len(self._ring) > 1):
                self._bytes -= len(self._ring.popleft().data)
            self.published += 1
            waiting = list(self._subscribers)
        for one in waiting:
            one.wake()

    def changed(self) -> None:
        """Say that something may have changed, so that the watcher looks soon. Cheap, however often it is called."""
        self.on_changed()

    def subscribe(self, types: Collection[str] = (), last_id: str | None = None) -> Subscription:
        """A stream of events, to be iterated with `async for` in the running loop, and closed.

        types: only these (none: all); `reset` comes always. last_id: the id of the last event that was received
        earlier: those since come first, or a `reset` when that can't be told any more.
        """
        with self._lock:
            subscription = Subscription(self, frozenset(types), self._place(last_id))
            if self._closed:
                subscription.wake()
            self._subscribers.add(subscription)
            count = len(self._subscribers)
        self.on_subscribers(count)
        return subscription

    def _place(self, last_id: str | None) -> int | None:
        """The number after which to go on; None: that is lost."""
        if not last_id:
            return self._last
        epoch, _, number = last_id.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdigit() and len(number) < 19):
            return None
        return int(number) if int(number) <= self._last else None

    @property
    def subscribers(self) -> int:
        """The number of subscribers."""
        return len(self._subscribers)

    @property
    def kept_bytes(self) -> int:
        """Bytes of the data of all events in the ring."""
        return self._bytes

    def id_of(self, place: int | None) -> str:
        """The id with which a client resumes at a place in the ring."""
        return f"{self._epoch}-{self._last if place is None else place}"

    def after(self, place: int | None) -> tuple[Event | None, int]:
        """The next event after a place in the ring and the place after it; (None, place) when there is none yet."""
        with self._lock:
            first = self._last - len(self._ring) + 1
            if place is None or place < first - 1:
                self.missed += 1
                return Event.of(EventType.RESET, {}, f"{self._epoch}-{self._last}"), self._last
            if place >= self._last:
                return None, place
            return self._ring[place + 1 - first], place + 1

    def forget(self, subscription: Subscription) -> None:
        """A subscription's end; see Subscription.close."""
        with self._lock:
            self._subscribers.discard(subscription)
            count = len(self._subscribers)
        self.on_subscribers(count)

    @property
    def closed(self) -> bool:
        """Whether no more events come."""
        return self._closed

    def close(self) -> None:
        """End all subscriptions: each gets what was published before, then its end."""
        with self._lock:
            self._closed = True
            waiting = list(self._subscribers)
        for one in waiting:
            one.wake()


class Subscription:
    """One subscriber's stream: iterate it in the loop in which it was made; close it."""

    def __init__(self, hub: Hub, types: frozenset[str], place: int | None) -> None:
        self._hub, self._types, self._place = hub, types, place
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._waking = False
        self._latest: Event | None = None

    def wake(self) -> None:
        """There is something to read. From any thread."""
        if self._waking:
            return  # what has been published since is found as well
        self._waking = True
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self._loop.call_soon_threadsafe(self._wake_up)

    def _wake_up(self) -> None:
        self._waking = False
        self._news.set()

    @property
    def last_id(self) -> str:
        """The id to continue from: another subscription with it as last_id goes on where this one is."""
        return self._hub.id_of(self._place)

    def offer(self, event: Event) -> None:
        """Give this one subscriber what is soon out of date (counters): only the latest waits to be read."""
        self._latest = event
        self.wake()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while True:
            self._news.clear()
            event, self._place = self._hub.after(self._place)
            if event is not None:
                if not self._types or event.type in self._types or event.type == EventType.RESET:
                    return event
                continue
            latest, self._latest = self._latest, None
            if latest is not None:
                return latest
            if self._hub.closed:
                raise StopAsyncIteration
            await self._news.wait()

    def close(self) -> None:
        """End the subscription."""
        self._hub.forget(self)


def _nothing() -> None:
    """Do nothing when the first subscriber comes or the last goes: nobody asked to be told."""


def _ignore(_: int) -> None:
    """Count nothing: nobody asked for counts."""
