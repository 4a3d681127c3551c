"""Tables and lines that fit the terminal. What is piped is never cut, so that a script finds every column."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence

from l2tpv3.cli.output.table import pairs, table

_COLOUR = re.compile(r"\x1b\[\d*m")
_MIN = 20
"""The least width, in columns, that output is made to fit into."""


def columns() -> int | None:
    """How wide a line may be: as the terminal, which $COLUMNS may tell. None: as wide as it likes, as in a pipe."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return max(shutil.get_terminal_size().columns, _MIN)


def fitted_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Iterable[str] = (),
    indent: int = 0,
    spare: Sequence[str] = (),
) -> str:
    """A table, see cli.table.table, that fits the terminal.

    spare: heads of columns that are left out where there is no room for them, the first one first; a line below names
    them. Where that is not enough, the last column's values are cut at their commas, each part on a line of its own;
    and where that isn't either, each row becomes a block with a line for each value.
    """
    rows, limit = [tuple(row) for row in rows], columns()
    if limit is None:
        return table(heads, rows, right=right, indent=indent)
    for fold in (False, True):
        for count in range(len(spare) + 1):
            left_out = spare[:count]
            text = _table_without(left_out, heads, rows, right=right, indent=indent, fold=fold)
            if _width(text) <= limit:
                return text + (_no_room(left_out, limit, indent) if left_out else "")
    names = [head.lower() for head in heads]
    blocks = [zip(names, map(_breakable, row), strict=True) for row in rows]
    return "\n".join(fitted_pairs(block, indent=indent) for block in blocks)


def _table_without(
    left_out: Sequence[str],
    heads: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Iterable[str],
    indent: int,
    fold: bool,
) -> str:
    """A table without these columns. fold: the parts of the last column's values have a line each."""
    kept = [at for at, one in enumerate(heads) if one not in left_out]
    lines: list[list[object]] = []
    for row in rows:
        cut = [row[at] for at in kept]
        lines += _unfolded(cut) if fold else [cut]
    return table([heads[at] for at in kept], lines, right=right, indent=indent)


def _unfolded(row: Sequence[object]) -> list[list[object]]:
    """A row as a line for each part of its last value, which is a list with commas."""
    parts = str(row[-1] or "").split(",")
    ends = [f"{part}," for part in parts[:-1]] + parts[-1:]
    lines: list[list[object]] = [[*row[:-1], ends[0]]]
    for end in ends[1:]:
        lines.append([*[" "] * (len(row) - 1), end])  # a space, since an empty cell would be shown as `-`
    return lines


def _breakable(value: object) -> object:
    return value.replace(",", ", ") if isinstance(value, str) else value


def fitted_pairs(items: Iterable[tuple[str, object]], *, indent: int = 0) -> str:
    """`key  value` lines, see cli.table.pairs, whose values go on in further lines where the terminal ends."""
    return "".join(_folded(line) for line in pairs(items, indent=indent).splitlines())


def fitted_line(line: str) -> str:
    """A line of prose with its newline, folded where the terminal ends; what goes on is indented by two."""
    limit = columns()
    if limit is None or len(line) <= limit:
        return f"{line}\n"
    indent = " " * (len(line) - len(line.lstrip(" ")) + 2)
    return _fill(line, limit, indent)


def _folded(line: str) -> str:
    limit = columns()
    if limit is None or len(line) <= limit:
        return f"{line}\n"
    key, _, value = line.lstrip(" ").partition("  ")
    column = len(line) - len(value.lstrip(" "))
    return _fill(line, limit, " " * (column if key and column < limit // 2 else 4))


def _fill(line: str, limit: int, indent: str) -> str:
    import textwrap

    lead = line[: len(line) - len(line.lstrip(" "))]
    # words are kept whole, as a name or an address that is cut can't be copied; inner runs of spaces align values
    wrapper = textwrap.TextWrapper(
        limit, initial_indent=lead, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"{one}\n" for one in wrapper.wrap(line.lstrip(" ")))


def _no_room(heads: Sequence[str], limit: int, indent: int) -> str:
    line = f"{' ' * indent}no room for: {', '.join(head.lower() for head in heads)}"
    return line + "\n" if len(line) <= limit else _fill(line, limit, " " * (indent + 2))


def _width(text: str) -> int:
    return max((len(_COLOUR.sub("", line)) for line in text.splitlines()), default=0)
