"""Runs the hooks of sessions that are dead, or alive again, in a thread of its own: a hook may take its time.

One runs at a time, in the order in which things happened. Of a session that changes while hooks are waited for, the
last state alone is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from l2tpv3.errors import L2tpError
from l2tpv3.linux.hook import find_hook
from l2tpv3.linux.running_hook import TIMEOUT_S, RunningHook
from l2tpv3.model.probe import ProbeReport, ProbeState, ProbeTarget

_PLACES = ("L2TPV3_STATE_DIR", "L2TPV3_RUNTIME_DIR", "L2TPV3_CONFIG_DIR")
"""What tells an `l2tpctl` that a hook runs which host it is on."""


class Hooks:
    """Call `tell` with what happened, and `close` at the end.

    folder: where hooks lie. complain: told of a hook that can't be run, or ends badly. It is called in the thread.
    timeout_s: how long each may run.
    """

    def __init__(self, folder: Path, complain: Callable[[L2tpError], None], timeout_s: float = TIMEOUT_S) -> None:
        self._folder, self._complain, self._timeout_s = folder, complain, timeout_s
        self._waiting: dict[str, tuple[ProbeTarget, ProbeReport]] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._thread: threading.Thread | None = None

    def tell(self, target: ProbeTarget, report: ProbeReport) -> None:
        """Have the session's hook run, if it has one, with the state that it is in now: that it is dead, or alive."""
        if target.hook is None or report.state is ProbeState.STARTING:
            return
        with self._changed:
            self._waiting.pop(target.key, None)
            self._waiting[target.key] = target, report
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="hooks", daemon=True)
                self._thread.start()
            self._changed.notify()

    def close(self) -> None:
        """End the thread, and the hook that runs."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (told := self._next()) is not None:
            try:
                self._call(*told)
            except L2tpError as error:
                if not self._ended:
                    self._complain(error)

    def _next(self) -> tuple[ProbeTarget, ProbeReport] | None:
        """What to tell next, which is waited for; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            return None if self._ended else self._waiting.pop(next(iter(self._waiting)))

    def _call(self, target: ProbeTarget, report: ProbeReport) -> None:
        assert target.hook is not None
        path = find_hook(self._folder, target.hook)
        RunningHook(path, _words(target, report), _environment(target, report)).wait(
            lambda: self._ended, self._timeout_s
        )


def _words(target: ProbeTarget, report: ProbeReport) -> list[str]:
    tunnel, _, session = target.name.partition("/")
    return [report.state.value, tunnel, session]


def _environment(target: ProbeTarget, report: ProbeReport) -> Mapping[str, str]:
    told = {
        "L2TPV3_IFNAME": target.ifname,
        "L2TPV3_NETNS": target.netns or "",
        "L2TPV3_PROBED": "" if target.address is None else str(target.address),
        "L2TPV3_REASON": report.reason,
    }
    return told | {name: os.environ[name] for name in _PLACES if name in os.environ}
