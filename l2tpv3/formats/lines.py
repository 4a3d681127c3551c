"""A text as logical lines: those that end in a backslash go on in the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from l2tpv3.formats.draft import Place


def logical_lines(file: Path, text: str, *, glue: str = " ") -> Iterator[tuple[Place, str]]:
    """Each with the place of its first line. A comment (#) never goes on in the next line.

    glue: what the backslash and the white space after it become.
    """
    begun, whole = 0, ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        begun = begun or number
        comment = not whole and line.lstrip().startswith("#")
        if whole:
            line = line.lstrip()
        if line.endswith("\\") and not comment:
            whole += line[:-1] + glue
            continue
        yield Place(file, begun), whole + line
        begun, whole = 0, ""
    if whole:
        yield Place(file, begun), whole
