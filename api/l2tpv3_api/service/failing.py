"""The service's own tasks that fail at present. Each task goes on whatever happens; /readyz and the log tell of it."""

from __future__ import annotations

import logging

from l2tpv3.errors import L2tpError

_log = logging.getLogger(__name__)


class Failing:
    """tasks: those that failed and are tried again, each with why. /readyz tells of them."""

    def __init__(self) -> None:
        self.tasks: dict[str, str] = {}

    def note(self, task: str, error: Exception) -> None:
        """Note that a task failed. The log has it once, with a traceback if the error was not expected."""
        expected = isinstance(error, L2tpError)
        text = str(error) if expected else f"unexpected {type(error).__name__}"
        if self.tasks.get(task) != text:
            _log.error("%s: failed, and is tried again: %s", task, text, exc_info=None if expected else error)
        self.tasks[task] = text

    def clear(self, task: str) -> None:
        """Note that a task works, or has nothing to do."""
        if self.tasks.pop(task, None) is not None:
            _log.info("%s: works again", task)
