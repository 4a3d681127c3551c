"""What a run looks like to the person who reads it: each step, what was typed, what came back, and whether it held."""

from __future__ import annotations

import os
import shutil
from typing import TextIO

_INDENT = "  "


class Story:
    """Writes to a stream; colours only on a terminal and without NO_COLOR (no-color.org)."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._width = min(shutil.get_terminal_size((110, 40)).columns, 140)

    def title(self, title: str, picture: str) -> None:
        """Opens the story."""
        self._line(self._paint(title, "1"))
        if picture:
            self._line("")
            for line in picture.splitlines():
                self._line(_INDENT + line)
        self._line("")

    def step(self, say: str) -> None:
        """A step begins."""
        self._line(self._paint(say, "1"))

    def typed(self, host: str, command: str, stdin: str = "") -> None:
        """What was typed at a host; long lines are broken as a shell takes them. stdin: what the command then read."""
        prompt = f"{host}# "
        lines = _wrapped(command, self._width - len(_INDENT) - len(prompt) - 2)
        if stdin:
            lines = [*lines[:-1], f"{lines[-1]} <<'END'"]
        self._line(_INDENT + self._paint(prompt, "36") + lines[0])
        for line in lines[1:]:
            self._line(_INDENT + " " * len(prompt) + line)
        if stdin:
            for line in (*stdin.strip("\n").splitlines(), "END"):
                self._line(f"{_INDENT}{line}".rstrip())

    def printed(self, text: str, limit: int) -> None:
        """What came back: all of it (limit -1), or its first lines."""
        lines = text.rstrip("\n").splitlines()
        shown = lines if limit < 0 else lines[:limit]
        for line in shown:
            self._line(_INDENT + _INDENT + self._paint(line, "2") if line.strip() else "")
        if limit and len(shown) < len(lines):
            self._line(_INDENT + _INDENT + self._paint(f"… {len(lines) - len(shown)} lines more", "2"))

    def verdict(self, *, ok: bool, summary: str, seconds: float) -> None:
        """How the step ended."""
        mark = self._paint("✓", "32") if ok else self._paint("✗", "31;1")
        text = f"{mark} {summary}".rstrip()
        self._line(f"{_INDENT}{text} {self._paint(f'{seconds:.2f} s', '2')}")
        if ok:
            self._line("")

    def complaint(self, text: str) -> None:
        """One thing that was not as expected."""
        for line in text.splitlines():
            self._line(_INDENT + _INDENT + self._paint(line, "31"))

    def note(self, text: str) -> None:
        """A line outside of any step."""
        self._line(text)

    def end(self, *, ok: bool, text: str) -> None:
        """Closes the story."""
        self._line(self._paint(("✓ " if ok else "✗ ") + text, "32;1" if ok else "31;1"))

    def _line(self, text: str) -> None:
        # Flushed line by line: the reader follows a run that is under way, through a pipe too.
        print(text, file=self._stream, flush=True)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def _wrapped(command: str, width: int) -> list[str]:
    """The command in lines of at most `width`, broken with a backslash, an option never from its value."""
    lines: list[str] = []
    line = ""
    for part in _parts(command):
        if line and len(line) + 1 + len(part) > width:
            lines.append(line + " \\")
            line = "    " + part
        else:
            line = f"{line} {part}" if line else part
    return [*lines, line]


def _parts(command: str) -> list[str]:
    """Words, but each option together with its value."""
    parts: list[str] = []
    for word in command.split():
        if parts and parts[-1].startswith("-") and " " not in parts[-1] and not word.startswith("-"):
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts
