"""Which program a worker runs: told by a digest of its source files, as they were when it started."""

from __future__ import annotations

import hashlib
import os
from typing import Final

_HERE: Final = os.path.dirname(__file__)  # noqa: PTH120 - a worker does without pathlib
_FOLDERS: Final = (_HERE, f"{_HERE}/../../wire")


def digest() -> str:
    """32 hex digits of the source files that workers are made from, as they are now.

    Files that can't be read count as empty: a worker must start with or without them.
    """
    whole = hashlib.sha256()
    for folder in _FOLDERS:
        for name in _sources(folder):
            try:
                with open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123
                    text = file.read()
            except OSError:
                text = b""
            whole.update(b"%s %d\n%s" % (name.encode(), len(text), text))
    return whole.hexdigest()[:32]


def _sources(folder: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".py"))  # noqa: PTH208
    except OSError:
        return []
