"""Tests that need the kernel's L2TP run side by side; one that takes its modules out runs with no other beside it.

Parallel test processes are processes of one kernel. Two locks of files are held by the kernel, so that a test process
which is killed holds none.
"""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_FOLDER = Path(tempfile.gettempdir())


@contextmanager
def kept_loaded() -> Iterator[None]:
    """Meanwhile no other test process takes the modules out."""
    with (_FOLDER / "l2tpv3-tests.turn").open("a") as turn, (_FOLDER / "l2tpv3-tests.modules").open("a") as modules:
        fcntl.flock(turn, fcntl.LOCK_EX)  # whoever waits for all others to end has it: nobody begins before
        fcntl.flock(modules, fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield


@contextmanager
def alone() -> Iterator[None]:
    """Meanwhile no other test process runs a test that needs the modules."""
    with (_FOLDER / "l2tpv3-tests.turn").open("a") as turn, (_FOLDER / "l2tpv3-tests.modules").open("a") as modules:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(modules, fcntl.LOCK_EX)
        yield
