"""Runs a hook (see l2tpv3.linux.hook): without a shell, with nothing of our environment, and for a bounded time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from l2tpv3.errors import RefusedError

TIMEOUT_S: Final = 10.0
"""How long a hook may run before it is killed, with what it has started and not put into a session of its own."""
_ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
_LOOK_S: Final = 0.2
_KILLED_S: Final = 1.0


class RunningHook:
    """A hook that was started, without a shell, and with nothing of our environment."""

    def __init__(self, path: Path, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """words: its arguments. What it prints goes to our stderr. Raises RefusedError when it can't be started."""
        self._subject = f"hook {path.name}"
        try:
            self._process = subprocess.Popen(
                [path, *words], env={**_ENVIRONMENT, **environment}, cwd="/", start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=2,
            )  # fmt: skip
        except OSError as error:
            raise RefusedError(self._subject, f"can't be run: {error.strerror}", f"run {path} by hand") from error

    def wait(self, cancelled: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        """Wait for its end, and kill it when that does not come in time, or when `cancelled` says so.

        Raises RefusedError unless it ends well.
        """
        give_up = time.monotonic() + timeout_s
        while (status := self._ended()) is None:
            if cancelled() or time.monotonic() >= give_up:
                self._kill()
                remedy = "have it start what takes longer in the background, by `setsid`"
                raise RefusedError(self._subject, f"did not end in {timeout_s:g} s, and was killed", remedy)
        if status:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            raise RefusedError(self._subject, how, "what it printed stands above")

    def _ended(self) -> int | None:
        """Its exit status after a short wait; None while it runs."""
        try:
            return self._process.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            return None

    def _kill(self) -> None:
        """End it, and the processes that it started in its session. Nobody has waited for it, so its pid is its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILLED_S)
