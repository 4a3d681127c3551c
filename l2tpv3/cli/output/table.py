"""Plain aligned columns: never wrapped or cut, so that they can be piped, and made without a library (rich: 60 ms)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from l2tpv3.printable import printable

_COLOURS = {"up": "32", "down": "33", "missing": "31", "incomplete": "31"}


def colourful() -> bool:
    """Whether stdout is a terminal whose user did not ask for no colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, right: Iterable[str] = (), indent: int = 0) -> str:
    """Columns under their heads, two spaces apart, those in `right` aligned right; an empty cell is `-`.

    Every line ends with a newline; a table without rows is its heads alone.
    """
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(len(line[column]) for line in [list(heads), *cells]) for column in range(len(heads))]
    aligned_right = set(right)

    def line(words: Sequence[str], *, paint: bool) -> str:
        parts = []
        for head, word, width in zip(heads, words, widths, strict=True):
            pad = " " * (width - len(word))
            shown = _paint(word) if paint and head == "CONDITION" else word
            parts.append(pad + shown if head in aligned_right else shown + pad)
        return (" " * indent + "  ".join(parts)).rstrip() + "\n"

    paint = colourful()
    return line(heads, paint=False) + "".join(line(row, paint=paint) for row in cells)


def pairs(items: Iterable[tuple[str, object]], *, indent: int = 0) -> str:
    """One `key  value` a line, values aligned. None and empty values are left out."""
    kept = [(key, _text(value)) for key, value in items if value not in (None, "", (), [])]
    width = max((len(key) for key, _ in kept), default=0)
    paint = colourful()
    return "".join(
        f"{' ' * indent}{key:<{width}}  {_paint(value) if paint and key == 'condition' else value}\n"
        for key, value in kept
    )


def _text(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "-" if cell is None or cell == "" else printable(str(cell))


def _paint(word: str) -> str:
    colour = _COLOURS.get(word.split(" ")[0].split(",")[0])
    return f"\x1b[{colour}m{word}\x1b[0m" if colour else word
