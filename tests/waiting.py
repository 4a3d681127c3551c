"""How tests wait for what happens by itself: for a condition, never for a fixed time.

A test that passes waits no longer than it has to, so there is one bound for all, which holds on a machine that is
busy with other things, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 120.0
"""Seconds that a test waits for anything (a process that starts or ends, an answer, a packet) before it fails."""


def eventually(true: Callable[[], object], what: str = "", patience_s: float = PATIENCE_S) -> float:
    """Wait until the condition is true; give how many seconds that took. `what` says of a failure what was awaited."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() < began + patience_s, what or "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - began
