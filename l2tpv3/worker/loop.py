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
_LITTLE: Final = 0.2
_WINDOW_S: Final = 0.005
_EVENTS_MAX: Final = 64  # that one call tells; the others are told by the next

Handler = Callable[[int], None]
"""Called with epoll's events; handles a bounded amount and returns. What is left is told again (level-triggered)."""


class Loop:
    """epoll and a heap of timers. Not thread-safe."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._lone: dict[int, Handler] = {}
        self._timers: list[tuple[float, int, Callable[[float], None]]] = []
        self._timer_count = 0
        self._running = False
        self._begun = self._woken = time.monotonic()  # when the last wait began, and when it ended
        self._load = 1.0  # share of the last _WINDOW_S or so that was spent working
        self._calm = False
        self._answered = 0.0  # share of the last waits that were shorter than SPIN_S
        self._busy = 0.0  # share of the time between the ends of waits that was spent working
        self.on_failure: Callable[[int, Exception], None] | None = None

    def watch(self, fd: int, handler: Handler, events: int = select.EPOLLIN, *, lone: Handler | None = None) -> None:
        """Call `handler` when `fd` is readable (or what `events` says) and on errors. Again: replaces what was set.

        lone: called instead while there is little to do: takes one frame as soon as can be, where `handler` takes many
        at little cost for each.
        """
        if fd in self._handlers:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._handlers[fd] = handler
        self._lone[fd] = lone or handler

    def forget(self, fd: int) -> None:
        """Stop watching `fd`; do it before closing it. Nothing happens when it is not watched."""
        self._lone.pop(fd, None)
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
        """Call handlers, as their files become ready and their timers are due, until `stop` is called."""
        self._running = True
        wait = self._wait
        while self._running:
            waited = wait()
            handlers = self._lone if self._calm else self._handlers
            for fd, events in waited:
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
        if not self._calm and (events := poll(0, _EVENTS_MAX)):
            return events
        begun = now = time.monotonic()
        self._account(begun)
        self._begun, events = begun, []
        if self._answered > _OFTEN and self._busy < _MUCH:
            while not events and now - begun < SPIN_S and not (self._timers and self._timers[0][0] <= now):
                os.sched_yield()
                events = poll(0, _EVENTS_MAX)
                now = time.monotonic()
        if not events:
            events = poll(max(0.0, self._timers[0][0] - now) if self._timers else -1.0, _EVENTS_MAX)
        self._woken = time.monotonic()
        return events

    def _account(self, now: float) -> None:
        """Learn from the last wait and what was done since; only now, as what had come then was not to wait for it."""
        worked, waited = now - self._woken, self._woken - self._begun
        took = worked + waited or 1e-9
        self._answered += ((waited < SPIN_S) - self._answered) / 8
        self._busy += (worked / took - self._busy) / 8
        self._load += (worked / took - self._load) * min(1.0, took / _WINDOW_S)
        self._calm = self._load < _LITTLE

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
