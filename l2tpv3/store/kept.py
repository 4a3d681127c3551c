"""Files in the runtime directory in which `l2tpctl watch` keeps what it knows of sessions, good for a short while.

What is kept is by the keys that receptions.reception_key gives. Nothing of it is a secret, or needed after a restart.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from l2tpv3.errors import from_errno

FOLDER: Final = "liveness"
"""Name of the folder in the runtime directory. In that itself a new file means that workers come or go."""
_SIZE_MAX: Final = 64 << 20
"""Bytes of a file that is still read: about 400,000 sessions."""


def write(runtime: Path, name: str, sessions: Mapping[str, Any], *, good_for_s: float) -> None:
    """Replace a file as a whole. sessions: JSON-ready. good_for_s: who reads it later takes it that nobody knows.

    Raises L2tpError.
    """
    folder = runtime / FOLDER
    path, new = folder / name, folder / f"{name}.new"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump({"good_until": time.monotonic() + good_for_s, "sessions": sessions}, file)
        new.replace(path)
    except OSError as error:
        raise from_errno(str(path), "write this file", error.errno or 0) from error


def forget(runtime: Path, name: str) -> None:
    """Remove a file: there are no such sessions."""
    with contextlib.suppress(OSError):
        (runtime / FOLDER / name).unlink(missing_ok=True)
        (runtime / FOLDER).rmdir()  # if it is empty


def read(runtime: Path, name: str, now: float) -> Mapping[str, Any]:
    """What a file says at that time of time.monotonic(): nothing where it is not there, is not ours, or is too old."""
    try:
        with (runtime / FOLDER / name).open("rb") as file:
            document = json.loads(file.read(_SIZE_MAX))
        fresh = isinstance(document["good_until"], float) and now <= document["good_until"]
        return document["sessions"] if fresh and isinstance(document["sessions"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
