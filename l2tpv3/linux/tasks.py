"""The tasks of a loop that goes on whatever happens: an error in one that nobody expected is told, the others run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Final

from l2tpv3.errors import L2tpError, RefusedError

DELAY_FIRST_S: Final = 1.0
DELAY_MAX_S: Final = 60.0
"""How long a task that failed is left alone: twice as long each time, until it succeeds."""


class Tasks:
    """Give each turn's tasks to `run`. complain: told of an unexpected error, of the same one in a row only once."""

    def __init__(self, complain: Callable[[L2tpError], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._complain, self._clock = complain, clock
        self._failed: dict[str, tuple[float, float, str]] = {}  # since when, how long it is left alone, and why

    def run(self, task: Callable[[], object], name: str = "") -> None:
        """Run it, unless it has failed a short while ago. name: what it is known by; by default its function's."""
        name = name or task.__name__.strip("_")
        since, delay_s, told = self._failed.get(name, (0.0, 0.0, ""))
        if self._clock() < since + delay_s:
            return
        try:
            task()
        except Exception as error:
            delay_s = min(DELAY_MAX_S, max(DELAY_FIRST_S, 2 * delay_s))
            text = _in_words(error)
            self._failed[name] = self._clock(), delay_s, text
            if text != told:
                remedy = "everything else goes on, and it is tried again; please report it"
                self._complain(RefusedError(name.replace("_", " "), text, remedy))
        else:
            self._failed.pop(name, None)


def _in_words(error: Exception) -> str:
    """What it is, and where it came from: there is no traceback in a line of the journal."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{error}" if isinstance(error, L2tpError) else f"unexpected {type(error).__name__}{where}: {error}"
