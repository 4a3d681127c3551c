"""The lock that allows one change at a time: a file in the runtime directory.

The kernel frees it when its holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from l2tpv3.errors import LockedError, file_error, from_errno

TIMEOUT_S = 120.0
"""How long a change waits for another one to end."""

_POLL_S = 0.02


@contextlib.contextmanager
def exclusive(runtime: Path, *, timeout_s: float | None = None) -> Iterator[None]:
    """Hold the host's lock for the block. timeout_s: None is TIMEOUT_S.

    Raises LockedError when another change takes longer than that.
    """
    timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
    with locked(runtime / "lock", os.O_CREAT | os.O_RDWR, timeout_s=timeout_s):
        yield


@contextlib.contextmanager
def locked(path: Path, flags: int, *, timeout_s: float) -> Iterator[None]:
    """Hold the lock on a file, or on a directory itself, for the block. flags: os.open()'s.

    Raises LockedError when it is not free within `timeout_s`, or what opening it raises.
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
                raise _taken_by_another(path, file, timeout_s)
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


def holder(file: int) -> int | None:
    """The pid of the process that holds the flock(2) on an open file; None when nobody does, or that is not told.

    From /proc/locks (proc_locks(5)): `1: FLOCK  ADVISORY  WRITE 4711 00:1c:5678 0 EOF`, of which the file system's
    device may not be the one that fstat(2) tells (btrfs, overlayfs). Of other pid namespaces it has nothing.
    """
    status = os.fstat(file)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    try:
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return None
    found: dict[str, int] = {}
    for words in lines:
        if len(words) == 8 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == str(status.st_ino):
            found[words[5].rpartition(":")[0]] = int(words[4])
    pid = found.get(device) or (next(iter(found.values())) if len(found) == 1 else 0)
    return pid if pid > 0 else None


def _taken_by_another(path: Path, file: int, timeout_s: float) -> LockedError:
    """The error about a lock that could not be had, which names who has it and what helps."""
    pid = holder(file)
    problem = f"another change has not ended in {timeout_s:g} s"
    if pid is None:
        return LockedError(str(path), problem, "try again later")
    name, state = _process(pid)
    problem += f": process {pid} ({name}) holds the lock"
    if state in ("T", "t"):
        return LockedError(str(path), f"{problem}, and is stopped", f"`kill -CONT {pid}` has it go on")
    return LockedError(str(path), problem, f"try again later, or end it with `kill {pid}`")


def _process(pid: int) -> tuple[str, str]:
    """A process' name, escaped, and the letter of its state in /proc/PID/stat; "?" when it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes().decode("utf-8", "replace")
    except OSError:
        return "?", "?"
    name, _, rest = text.partition("(")[2].rpartition(")")
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in name), rest.split()[0]
