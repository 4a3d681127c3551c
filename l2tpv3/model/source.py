"""The place in a file where a value is written: file, key and line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KeyPath = tuple[str | int, ...]
"""Keys from the document's root down; an integer is the place in an array."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A key in a file. `line` is looked up when it is asked for: most sources are never printed. 0: it has none."""

    file: Path
    path: KeyPath
    line_of: Callable[[KeyPath], int]

    @property
    def line(self) -> int:
        """The line of the file on which the key is written, from 1."""
        return self.line_of(self.path)

    @property
    def key(self) -> str:
        """The key's path as TOML writes it: `tunnel.siteb.session.lan`."""
        return format_path(self.path)

    def of(self, *keys: str | int) -> Source:
        """The source of a key below this one."""
        return Source(self.file, (*self.path, *keys), self.line_of)

    @property
    def table(self) -> Source:
        """The source of the table that this key is in."""
        return Source(self.file, self.path[:-1], self.line_of)

    def __str__(self) -> str:
        line = self.line
        return f"{self.file}:{line}" if line else str(self.file)


def format_path(path: KeyPath) -> str:
    """A dotted key that TOML takes (but for places in arrays: `[0]`)."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f"{'.' if text else ''}{format_key(part)}"
    return text


def format_key(key: str) -> str:
    """One key, quoted where TOML needs it."""
    return key if _BARE.fullmatch(key) else format_text(key)


def format_text(text: str) -> str:
    """A TOML basic string. JSON's escapes are TOML's too, but JSON leaves DEL as it is (toml.io 1.0 "String")."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
