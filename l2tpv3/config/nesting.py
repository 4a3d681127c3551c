"""Whether a TOML text is nested more deeply than any that could be meant, found out before it is parsed.

tomllib takes time in the square of a key's parts (`a.a.a ...`), and a frame of the stack for each array in an array.
"""

from __future__ import annotations

import re
from typing import Final

LEVELS_MAX: Final = 16
"""Parts of one dotted key, and arrays or inline tables in one another: `tunnel.NAME.session.NAME.WORD` has five."""

_KEY: Final = r"""[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+'"""
_TOKEN: Final = re.compile(
    r"(?P<blank>[ \t\r\n]++|#[^\n]*+)"
    r'''|(?P<text>"""(?s:[^\\]|\\.)*?"{3,5}|\'\'\'(?s:.)*?'{3,5})'''
    r"""|(?P<endless>\"{3}|'{3})"""
    rf"|(?P<keys>(?:{_KEY})(?P<more>(?:[ \t]*+\.[ \t]*+(?:{_KEY}))*+))"
    r"|(?P<open>[\[{])|(?P<close>[\]}])"
    r"""|(?P<unended>["'])"""
    r"|(?P<other>[^\s\"'\[\]{}#])",
)
_DOT: Final = re.compile(rf"[ \t]*+\.[ \t]*+(?:{_KEY})")


def too_deep(text: str) -> int | None:
    """The line, from 1, on which `text` is nested beyond LEVELS_MAX; None where it is not. Takes linear time.

    Like tomllib, it stops where the text can't be TOML any more: at a string that does not end on its line.
    """
    depth = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind in ("endless", "unended"):
            return None
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth = max(0, depth - 1)
        parts = 1 + sum(1 for _ in _DOT.finditer(token["more"])) if token["more"] else 0
        if parts > LEVELS_MAX or depth > LEVELS_MAX:
            return _line(text, token.start())
    return None


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
