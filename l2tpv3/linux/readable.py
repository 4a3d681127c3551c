"""Waits until one of some files has something to read.

By poll(2), never select(2): that can't take a descriptor above 1023 (FD_SETSIZE), which a process with as many files
open has, and Python then raises ValueError.
"""

from __future__ import annotations

import math
import select
from collections.abc import Iterable
from typing import Protocol


class HasFileno(Protocol):
    """A socket, a monitor, an open file."""

    def fileno(self) -> int:
        """The file descriptor."""


def wait_readable(files: Iterable[int | HasFileno], timeout_s: float | None) -> bool:
    """Whether one of `files` has something to read, or has ended or failed, within `timeout_s`; None is without limit.

    A pidfd can be read when its process has ended (pidfd_open(2)). Raises OSError.
    """
    poll = select.poll()
    for one in files:
        poll.register(one, select.POLLIN)
    # Rounded up: rounded down, the last millisecond would be spent in a loop that does not wait.
    return bool(poll.poll(None if timeout_s is None else math.ceil(max(0.0, timeout_s) * 1000)))
