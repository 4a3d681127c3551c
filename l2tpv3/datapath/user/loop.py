"""A worker's event loop: files that became readable, and times that came. It knows nothing of tunnels."""

from __future__ import annotations

import heapq
import os
import select
import time
from collections.abc import Callable
from typing import Final

SPIN_S: Final = 0.0001
"""How long it looks for more at most before it sleeps."""
_OFTEN: Final = 0.25
_MUCH: Final = 0.4

Handler = Callable[[int], None]
"""Called with epoll's events; handles a bounded amount and returns. What is left is told again (level-triggered)."""


class Loop:
    """epoll and a heap of timers. Not thread-safe."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Callable[[float], None]]] = []
        self._timer_count = 0
        self._running = False
        self._woken = 0.0  # when the last wait ended
        self._answered = 0.0  # share of the last waits that were shorter than SPIN_S
        self._busy = 0.0  # share of the time between the ends of waits that was spent working
        self.on_failure: Callable[[int, Exception], None] | None = None

    def watch(self, fd: int, handler: Handler, events: int = select.EPOLLIN) -> None:
        """Call `handler` when `fd` is readable (or what `events` says) and on errors. Again: replaces what was set."""
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Stop watching `fd`; do it before closing it. Nothing happens when it is not watched."""
        if self._handlers.pop(fd, None) is None:
            return
        try:
            self._epoll.unregister(fd)
        except OSError:
            return  # closed already, which unregisters too

    def at(self, when: float, call: Callable[[float], None]) -> None:
        """Call `call` with the time once time.monotonic() has reached `when`."""
        self._timer_count += 1
        heapq.heappush(self._timers, (when, self._timer_count, call))

    def stop(self) -> None:
        """Have `run` return after the present round."""
        self._running = False

    def run(self) -> None:
        """Until `stop`."""
        self._running = True
        handlers = self._handlers
        while self._running:
            for fd, events in self._wait():
                handler = handlers.get(fd)
                if handler is None:
                    continue  # an earlier handler of this round forgot it
                try:
                    handler(events)
                except Exception as error:
                    self._failed(fd, error)
            if self._timers:
                self._run_timers()

    def _wait(self) -> list[tuple[int, int]]:
        """The next events. Before it sleeps it looks for a moment, while that often is enough: being woken takes long.

        So questions and answers are quick. Beside bulk traffic others need the CPU more, and a packet now and then is
        not worth it.
        """
        poll = self._epoll.poll
        if events := poll(0):
            return events
        begun = now = time.monotonic()
        worked, events = begun - self._woken, []
        if self._answered > _OFTEN and self._busy < _MUCH:
            while not events and now - begun < SPIN_S and not (self._timers and self._timers[0][0] <= now):
                os.sched_yield()
                events = poll(0)
                now = time.monotonic()
        if not events:
            events = poll(max(0.0, self._timers[0][0] - now) if self._timers else -1.0)
        self._woken = time.monotonic()
        waited = self._woken - begun
        self._answered += ((waited < SPIN_S) - self._answered) / 8
        self._busy += (worked / (worked + waited) - self._busy) / 8
        return events

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, call = heapq.heappop(self._timers)
            try:
                call(now)
            except Exception as error:
                self._failed(-1, error)

    def _failed(self, fd: int, error: Exception) -> None:
        """A handler's bug must not stop the others' traffic; but whoever runs the loop is told."""
        if self.on_failure is None:
            raise error
        self.on_failure(fd, error)
