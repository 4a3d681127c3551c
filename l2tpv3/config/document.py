"""Reads one file: parses it as TOML, and knows the line of each key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from l2tpv3.config.nesting import LEVELS_MAX, too_deep
from l2tpv3.config.problem import Problem
from l2tpv3.config.toml_lines import LineIndex
from l2tpv3.linux.read_file import read_file, readable_by_all
from l2tpv3.model.source import Source
from l2tpv3.value_class import value_class

FILE_MAX = 64 << 20
"""Bytes of a file at most: 100,000 sessions have about 25 MB."""

_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_END = " (at end of document)"


@value_class(frozen=True, slots=True)
class Document:
    """A parsed file. root: the source that all others are `of`. readable_by_all: others on this host can read it.

    sent: it is no file, but came from elsewhere; so it can't name files and credentials of this host to be read.
    """

    content: dict[str, Any]
    root: Source
    readable_by_all: bool = False
    sent: bool = False


def read_document(file: Path) -> Document | Problem:
    """The file's content, or why there is none: it can't be read, or is not TOML. Never what is in it: secrets are."""
    try:
        data = read_file(file, FILE_MAX)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file's name"
        return Problem(file, 0, "", f"can't read it: {reason}", "give a readable TOML file")
    parsed = _parse(data, file)
    return parsed if isinstance(parsed, Problem) else replace(parsed, readable_by_all=readable_by_all(file))


def read_sent(data: bytes, what: Path) -> Document | Problem:
    """Read the content of a file that was sent, as read_document reads a file. what: its name in problems."""
    parsed = _parse(data, what)
    return parsed if isinstance(parsed, Problem) else replace(parsed, sent=True)


def _parse(data: bytes, file: Path) -> Document | Problem:
    try:
        # As tomllib.load() does it: TOML's line ends are LF and CRLF.
        text = data.decode("utf-8-sig").replace("\r\n", "\n")  # some editors begin with a byte order mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Problem(file, line, "", "not UTF-8, which TOML has to be", "save it as UTF-8")
    if (deep := too_deep(text)) is not None:
        return _nested(file, deep)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _syntax(file, text, str(error))
    except RecursionError:
        return _nested(file, 0)
    except ValueError:  # int() refuses more than 4300 digits
        return Problem(file, 0, "", "a number with thousands of digits", "ids have 32 bits")
    return Document(content, Source(file, (), LineIndex(text).line))


def _nested(file: Path, line: int) -> Problem:
    problem = f"keys, arrays or tables nested too deeply (over {LEVELS_MAX} levels)"
    return Problem(file, line, "", problem, "[tunnel.NAME.session.NAME] is the deepest there is")


def _syntax(file: Path, text: str, message: str) -> Problem:
    """tomllib's message, its place taken out of it."""
    match = _LINE.search(message)
    if match:
        line, message = int(match[1]), message[: match.start()]
    else:
        line, message = text.rstrip().count("\n") + 1, message.removesuffix(_END)
    if message.startswith(("Cannot declare", "Cannot overwrite")):
        return Problem(file, line, "", f"not TOML: {message}", "each key and table is written once")
    return Problem(file, line, "", f"not TOML: {message}", "text needs quotes, a table's heading brackets")
