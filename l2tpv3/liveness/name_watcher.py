"""Looks up the names of peers in a thread of its own: a lookup may take half a minute, and must hold up nothing."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from l2tpv3.errors import L2tpError
from l2tpv3.linux.name_lookup import LookupFailedError, look_up
from l2tpv3.linux.tasks import Tasks
from l2tpv3.liveness.name_rules import NameRules
from l2tpv3.store import kept, names
from l2tpv3.store.names import NameAnswer
from l2tpv3.store.receptions import tell_changed

_KEEP_S: Final = 20.0
"""How often the answers are written anew. They are good for much longer: a lookup may take its time."""


class NameWatcher:
    """Call `want` whenever the names may have changed, and `close` at the end.

    runtime: where the answers are kept, see l2tpv3.store.names. say: told in a sentence what becomes of a name.
    complain: of errors that nobody expected. Both are called in the thread.
    """

    def __init__(self, runtime: Path, say: Callable[[str], None], complain: Callable[[L2tpError], None]) -> None:
        self._runtime, self._say = runtime, say
        self._tasks = Tasks(complain)
        self._rules = NameRules(random.random)
        self._wanted: frozenset[str] = frozenset()
        self._answers: dict[str, NameAnswer] = {}
        self._woken = threading.Condition()
        self._followed: frozenset[str] = frozenset()
        self._ended = False
        self._hurried = False
        self._keep_at = 0.0
        self._thread: threading.Thread | None = None
        self.changes = 0

    def want(self, wanted: Iterable[str]) -> None:
        """Look these up from now on, and no others."""
        with self._woken:
            changed, self._wanted = self._wanted != frozenset(wanted), frozenset(wanted)
            if changed:
                self._woken.notify()
        if changed and self._thread is None:
            # A lookup that is under way at the end can't be interrupted, and is not waited for.
            self._thread = threading.Thread(target=self._run, name="names", daemon=True)
            self._thread.start()

    def hurry(self) -> None:
        """Look all of them up soon: see NameRules.hurry."""
        with self._woken:
            self._hurried = True
            self._woken.notify()

    def close(self) -> None:
        """End the thread as soon as it is not waiting for the resolver."""
        with self._woken:
            self._ended = True
            self._woken.notify()

    def _run(self) -> None:
        while not self._ended:
            self._tasks.run(self._look_up_due)
            self._tasks.run(self._keep)
            with self._woken:
                if not (self._ended or self._hurried or self._wanted != self._followed):
                    due = [self._keep_at, *filter(None, [self._rules.next_at()])]
                    self._woken.wait(max(0.1, min(due) - time.monotonic()))

    def _look_up_due(self) -> None:
        wanted = self._followed = self._wanted
        self._rules.want(wanted, time.monotonic())
        if self._hurried:
            self._hurried = False
            self._rules.hurry(time.monotonic())
        for name in [name for name in self._answers if name not in wanted]:
            del self._answers[name]
            self._keep_at = 0.0
        for name in self._rules.due(time.monotonic()):
            if self._ended:
                return
            self._note(name, _answer(name))

    def _note(self, name: str, answer: NameAnswer) -> None:
        before = self._answers.get(name)
        self._rules.looked_up(name, time.monotonic(), failed=bool(answer.problem))
        self._answers[name] = answer
        if before is not None and _same(before, answer):
            return
        self._keep_at = 0.0
        self._keep()
        self.changes += 1
        if answer.problem:
            self._say(f"{name} has no address now ({answer.problem}); tunnels to it keep the one that they have")
        elif before is not None and before.problem:
            self._say(f"{name} has an address again: {answer.addresses[0]}")

    def _keep(self) -> None:
        now = time.monotonic()
        if now < self._keep_at:
            return
        changed, self._keep_at = not self._keep_at, now + _KEEP_S
        if self._answers:
            names.keep(self._runtime, self._answers, good_for_s=6 * _KEEP_S)
        else:
            kept.forget(self._runtime, names.FILE)
        if changed:
            tell_changed(self._runtime)


def _answer(name: str) -> NameAnswer:
    try:
        return NameAnswer(look_up(name))
    except LookupFailedError as error:
        return NameAnswer((), str(error))


def _same(one: NameAnswer, other: NameAnswer) -> bool:
    """Whether two answers say the same, but for the turn in which addresses are told."""
    return set(one.addresses) == set(other.addresses) and one.problem == other.problem
