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
        self._answers = 0.0
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
        """The next events. It looks for a moment before it sleeps, while that often is enough: being woken takes long.

        _answers: how often of late something came within SPIN_S, of at most 1: so questions and answers are quick, and
        a single packet now and then costs nothing more.
        """
        poll = self._epoll.poll
        if events := poll(0):
            return events
        begun = now = time.monotonic()
        if self._answers > _OFTEN:
            while now - begun < SPIN_S:
                os.sched_yield()
                if events := poll(0):
                    self._answers += (1 - self._answers) / 8
                    return events
                now = time.monotonic()
                if self._timers and self._timers[0][0] <= now:
                    return []
        events = poll(max(0.0, self._timers[0][0] - now) if self._timers else -1.0)
        soon = time.monotonic() - begun < SPIN_S
        self._answers += (soon - self._answers) / 8
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
