"""Probes sessions in a thread of its own: what else `l2tpctl watch` does may take seconds, and must cost no probe."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux.tasks import Tasks
from l2tpv3.liveness.hooks import Hooks
from l2tpv3.liveness.probe_news import ProbeNews, WorkerNews
from l2tpv3.liveness.probed import Probed, probed
from l2tpv3.model.probe import ProbeReport, ProbeTarget
from l2tpv3.paths import config_directory
from l2tpv3.store import kept, probes
from l2tpv3.store.receptions import tell_changed

_LAST_ROUNDS: Final = 3
_LAST_ROUND_S: Final = 0.1
"""At the end, the other ends of BFD are told so so often that this end watches no more, so long apart: a program that
is to end can't take the time that it takes otherwise."""

_KEEP_S: Final = 3.0
"""How often what is known is written anew. It is good for three times as long, also when this ends without a word."""


class Prober:
    """Call `want` with all there is to probe whenever that may have changed, and `close` at the end.

    runtime: where the results are kept, see l2tpv3.store.probes. say: told in a sentence when something is dead, or
    alive again; complain: of errors that nobody expected. Both are called in the thread.
    """

    def __init__(self, runtime: Path, say: Callable[[str], None], complain: Callable[[L2tpError], None]) -> None:
        self._runtime = runtime
        self._tasks = Tasks(complain)
        self._hooks = Hooks(config_directory() / "hooks", complain)
        self._news = ProbeNews(say, self._hooks)
        self._workers = WorkerNews(runtime, self._news)
        self._lock = threading.Lock()
        self._wanted: dict[str, ProbeTarget] = {}
        self._probed: dict[str, Probed] = {}
        self._leaving: dict[Probed, float] = {}  # those that have something to say yet, and when
        self._keep_at = 0.0
        self._ended = False
        self._thread: threading.Thread | None = None
        self._woken, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def want(self, targets: Iterable[ProbeTarget]) -> None:
        """Probe these from now on, and no others. Those that are probed already go on as they are."""
        wanted = {one.key: one for one in targets}
        with self._lock:
            changed, self._wanted = wanted != self._wanted, wanted
        if changed and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="prober", daemon=True)
            self._thread.start()
        elif changed:
            self._wake()

    def hear(self, found: Iterable[tuple[ProbeTarget, ProbeReport]]) -> None:
        """Take what workers have found that probe by themselves."""
        self._workers.look(found)

    def close(self) -> None:
        """End the thread."""
        self._ended = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        self._hooks.close()
        self._leave_all()
        os.close(self._woken)
        os.close(self._waker)

    def _leave_all(self) -> None:
        leaving = [*self._probed.values(), *self._leaving]
        for _ in range(_LAST_ROUNDS):
            leaving = [one for one in leaving if one.leave(time.monotonic()) is not None]
            if leaving:
                time.sleep(_LAST_ROUND_S)
        for one in leaving:
            one.close()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is full of such calls already
            os.write(self._waker, b"\0")

    def _run(self) -> None:
        while not self._ended:
            for task in (self._follow, self._leave, self._probe, self._keep):
                self._tasks.run(task)
            self._wait()

    def _follow(self) -> None:
        """Take on what is wanted now."""
        with self._lock:
            wanted = dict(self._wanted)
        for key in [key for key, one in self._probed.items() if wanted.get(key) != one.target]:
            self._leaving[self._probed.pop(key)] = 0.0
            self._keep_at = 0.0
        now = time.monotonic()
        for key, target in wanted.items():
            if key not in self._probed:
                self._make_room(target)
                self._probed[key] = probed(target, now)
                self._keep_at = 0.0

    def _make_room(self, target: ProbeTarget) -> None:
        """Have those end that left and still have BFD's port of the netdev, which can be had once."""
        place = target.netns, target.ifname
        now = time.monotonic()
        for one in [one for one in self._leaving if (one.target.netns, one.target.ifname) == place]:
            del self._leaving[one]
            for _ in range(_LAST_ROUNDS):
                one.leave(now)
            one.close()

    def _leave(self) -> None:
        """Go on saying that those are probed no more which were."""
        now = time.monotonic()
        for one in [one for one, at in self._leaving.items() if at <= now]:
            again_at = one.leave(now)
            if again_at is None:
                del self._leaving[one]
            else:
                self._leaving[one] = again_at

    def _probe(self) -> None:
        for one in self._probed.values():
            before = one.rules.state
            one.receive()  # first: what has come in time must not count as lost because we are late
            one.send()
            if one.rules.state is not before:
                self._keep_at = 0.0
                self._news.tell(one.target, before, one.rules.report(time.monotonic()))

    def _keep(self) -> None:
        now = time.monotonic()
        if now < self._keep_at:
            return
        changed = not self._keep_at
        self._keep_at = now + _KEEP_S
        if self._probed:
            reports = {key: one.rules.report(now) for key, one in self._probed.items()}
            probes.keep(self._runtime, reports, good_for_s=3 * _KEEP_S)
        else:
            kept.forget(self._runtime, probes.FILE)
        if changed:
            tell_changed(self._runtime)

    def _wait(self) -> None:
        """Wait for answers, for the next probe, or for what is wanted to change."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        for one in self._probed.values():
            if one.socket is not None:
                poll.register(one.socket.fileno(), select.POLLIN)
        times = [one.rules.next_at for one in self._probed.values()] + list(self._leaving.values())
        due = min(times, default=time.monotonic() + 60.0)
        poll.poll(max(1.0, 1000 * (min(due, max(self._keep_at, time.monotonic())) - time.monotonic())))
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 4096)
