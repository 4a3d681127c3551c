"""systemd's service units, as the commands that starting them runs. Source: systemd.service(5), "COMMAND LINES"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from l2tpv3.formats.draft import Place
from l2tpv3.formats.lines import logical_lines

_SETTING = re.compile(r"^\s*Exec[A-Za-z]+\s*=", re.MULTILINE)
_STARTS = ("ExecStartPre", "ExecStart", "ExecStartPost")
_PREFIXES = "@-:+!|"


def is_unit(text: str) -> bool:
    """Whether it is a unit, or a drop-in of one."""
    return bool(_SETTING.search(text))


def unit_lines(file: Path, text: str) -> Iterator[tuple[Place, str]]:
    """The commands of a systemd unit, one a line. Those of ExecStop and the like are left out."""
    found: list[tuple[str, Place, str]] = []
    for place, line in logical_lines(file, text):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or key not in _STARTS:
            continue
        if value:
            found.append((key, place, value.lstrip(_PREFIXES)))
        else:  # an empty one takes back those above it
            found = [one for one in found if one[0] != key]
    for key in _STARTS:
        # `%` begins a specifier, whose value is only known when the unit starts: as a variable of a shell.
        yield from ((place, re.sub(r"%(?!%)", "$%", value)) for name, place, value in found if name == key)
