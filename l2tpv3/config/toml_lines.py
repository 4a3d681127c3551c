"""Finds the line of each key of a TOML document, which tomllib does not tell.

A scanner over text that tomllib has accepted; it decodes nothing but keys. Where text is not TOML after all it
stops, and what comes later has no line of its own.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from bisect import bisect_right

from l2tpv3.model.source import KeyPath

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_SIMPLE_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
# A multi-line string may end in one or two quotes of its own before the closing three (toml.io 1.0 "String"). What is
# left is a number, boolean or date, which may have a space before its time.
_SCALAR = re.compile(
    r'''"""(?s:[^\\]|\\.)*?"{3,5}|\'\'\'(?s:.)*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,\[\]{}#="'][^,\]}#\n]*'''
)


class LineIndex:
    """The lines of one document's keys. text: as tomllib takes it. Made when it is first asked."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._scan: _Scan | None = None
        self._breaks: list[int] = []

    def line(self, path: KeyPath) -> int:
        """The line, from 1, of the key at `path`: of its own heading or assignment where it has one.

        Else of the first that implies it; of one that is not there, of the nearest above it; at last 1.
        """
        if self._scan is None:
            self._breaks = [match.start() for match in re.finditer("\n", self._text)]
            self._scan = _Scan(self._text)
        written, implied = self._scan.written, self._scan.implied
        for length in range(len(path), 0, -1):
            offset = written.get(path[:length], implied.get(path[:length]))
            if offset is not None:
                return bisect_right(self._breaks, offset) + 1
        return 1


class _StopError(Exception):
    """The text is not TOML here."""


class _Scan:
    """One pass over a document: offsets of keys that are written, and of the first mention of those only implied."""

    def __init__(self, text: str) -> None:
        self.written: dict[KeyPath, int] = {}
        self.implied: dict[KeyPath, int] = {}
        self._text, self._at = text, 0
        self._elements: dict[KeyPath, int] = {}  # arrays of tables: how many so far
        with contextlib.suppress(_StopError, RecursionError):
            self._document()

    def _document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            table = self._heading() if self._text[self._at] == "[" else self._assignment(table)
            self._skip(_BLANK)

    def _heading(self) -> KeyPath:
        start, many = self._at, self._text.startswith("[[", self._at)
        self._at += 2 if many else 1
        self._skip(_SPACE)
        keys = self._keys()
        self._skip(_SPACE)
        self._expect("]]" if many else "]")
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._newest((*path, key))
            self.implied.setdefault(path, start)
        path = (*path, keys[-1])
        if many:
            # An array has as many headings as elements; it is written where the first is.
            self.written.setdefault(path, start)
            count = self._elements.get(path, 0)
            self._elements[path] = count + 1
            path = (*path, count)
        self.written[path] = start
        return path

    def _newest(self, path: KeyPath) -> KeyPath:
        count = self._elements.get(path)
        return path if count is None else (*path, count - 1)

    def _assignment(self, table: KeyPath) -> KeyPath:
        """Go over `key = value` below `table`, and give `table` back."""
        start = self._at
        path = table
        keys = self._keys()
        for key in keys[:-1]:
            path = (*path, key)
            self.implied.setdefault(path, start)
        path = (*path, keys[-1])
        self.written.setdefault(path, start)
        self._skip(_EQUALS)
        self._value(path)
        return table

    def _value(self, path: KeyPath) -> None:
        if self._text.startswith("[", self._at):
            self._sequence("]", path)
        elif self._text.startswith("{", self._at):
            self._sequence("}", path)
        elif match := _SCALAR.match(self._text, self._at):
            self._at = match.end()
        else:
            raise _StopError

    def _sequence(self, end: str, path: KeyPath) -> None:
        """An array up to `]`, or an inline table up to `}`. TOML 1.1 has new lines in both."""
        self._at += 1
        self._skip(_BLANK)
        count = 0
        while not self._text.startswith(end, self._at):
            if end == "}":
                self._assignment(path)
            else:
                self.written[(*path, count)] = self._at
                self._value((*path, count))
            count += 1
            self._skip(_BLANK)
            if self._text.startswith(",", self._at):
                self._at += 1
                self._skip(_BLANK)
            elif not self._text.startswith(end, self._at):
                raise _StopError
        self._at += 1

    def _keys(self) -> list[str]:
        keys = [self._key()]
        while match := _DOT.match(self._text, self._at):
            self._at = match.end()
            keys.append(self._key())
        return keys

    def _key(self) -> str:
        match = _SIMPLE_KEY.match(self._text, self._at)
        if match is None:
            raise _StopError
        self._at = match.end()
        key = match[0]
        if key[0] not in "\"'":
            return key
        if key[0] == "'" or "\\" not in key:
            return key[1:-1]
        try:
            return next(iter(tomllib.loads(f"{key} = 0")))
        except tomllib.TOMLDecodeError:
            raise _StopError from None

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self._text, self._at):
            self._at = match.end()

    def _expect(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            raise _StopError
        self._at += len(text)
