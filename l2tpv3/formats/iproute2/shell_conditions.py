"""Under which conditions a script's commands stand, as far as can be told without running it. Grammar: dash(1).

A script for both starting and stopping is read as it starts: the branches of a `case` that stop it are left out.
"""

from __future__ import annotations

from enum import Enum

_OPENING = ("if", "case", "while", "until")
_CLOSING = ("fi", "esac", "done")
_STOPPING = {
    *("stop", "down", "pre-down", "post-down", "del", "delete", "remove", "rm", "off", "kill", "clean", "destroy"),
    *("restart", "reload", "status", "show", "help", "-h", "--help"),
}


class Standing(Enum):
    """How a command stands: it runs always, under a condition, or not when the script starts things."""

    ALWAYS = "always"
    CONDITION = "condition"
    NEVER = "never"


class Conditions:
    """Follows a script, command by command."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._left_out_from: int | None = None  # the depth of the `case` whose branch is left out
        self._ended = False
        self._before = ""

    def take(self, separator: str, words: list[str]) -> Standing:
        """The next command. separator: what stands before it (`;`, `&&`, `)`, ... or "" at the start of a line)."""
        chained = separator in ("&&", "||") and self._before != "ip"
        self._before = _program(words)
        first = words[0]
        if first in _CLOSING and self._open:
            self._open.pop()
            if self._left_out_from is not None and len(self._open) < self._left_out_from:
                self._left_out_from = None
        elif separator == ";;":
            self._left_out_from = None
        standing = self._standing(chained=chained)
        if first in (*_OPENING, "for"):
            self._open.append(first)
        if first == "exit" and separator not in ("&&", "||") and not self._open:
            self._ended = True
        elif first == "{" or words[-1] == "{":
            self._open.append("{")
        elif first == "}" and self._open:
            self._open.pop()
        return standing

    def pattern(self, word: str) -> None:
        """A `case` pattern: what stands before `)`."""
        if "case" in self._open and word in _STOPPING and self._left_out_from is None:
            self._left_out_from = len(self._open)

    def _standing(self, *, chained: bool) -> Standing:
        if self._ended or self._left_out_from is not None:
            return Standing.NEVER
        conditions = [one for one in self._open if one in _OPENING]
        return Standing.CONDITION if chained or conditions else Standing.ALWAYS


def _program(words: list[str]) -> str:
    """The program that a command runs, where it is one whose success can be taken for granted: `ip`, `modprobe`."""
    names = [word.rpartition("/")[2] for word in words]
    return "ip" if {"ip", "modprobe", "bridge", "brctl", "ifconfig"} & set(names[:2]) else ""
