"""One change at a time: a lock file in the runtime directory, freed by the kernel when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from l2tpv3.errors import BusyError, file_error, from_errno

_POLL_S = 0.02


@contextlib.contextmanager
def exclusive(runtime: Path, *, timeout_s: float = 120.0) -> Iterator[None]:
    """Hold the host's lock for the block. Raises BusyError when another change takes longer than `timeout_s`."""
    with locked(runtime / "lock", os.O_CREAT | os.O_RDWR, timeout_s=timeout_s):
        yield


@contextlib.contextmanager
def locked(path: Path, flags: int, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock on a file, or on a directory itself, for the block. flags: os.open()'s.

    Raises BusyError when it is not free within `timeout_s`, or what opening it raises.
    """
    try:
        file = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as error:
        elsewhere = "set L2TPV3_RUNTIME_DIR to another directory"
        raise file_error(path, "open the lock", error, elsewhere=elsewhere) from error
    try:
        give_up = time.monotonic() + timeout_s
        while not _taken(file, path):
            if time.monotonic() > give_up:
                remedy = f"`fuser {path}` shows who holds it"
                raise BusyError(str(path), f"another change has not ended in {timeout_s:g} s", remedy)
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(file)


def _taken(file: int, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise from_errno(str(path), "take the lock", error.errno or 0) from error
    return True


def held(runtime: Path) -> bool:
    """Whether a change is under way now. False where that can't be told."""
    try:
        file = os.open(runtime / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Shared, and given up at once: whoever wants it meanwhile tries again anyway.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False
