"""Who made the network card of a MAC address, by the IEEE's list, where Debian's package ieee-data is installed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

LISTS: Final = (Path("/usr/share/ieee-data/oui.txt"), Path("/var/lib/ieee-data/oui.txt"))
_MARK: Final = "(hex)"
_LOCAL: Final = 0x02
"""In the first byte of an address that nobody has from the IEEE."""
_LONGEST: Final = 64


def vendors(prefixes: Collection[str], lists: Collection[Path] = LISTS) -> dict[str, str]:
    """The makers of these first three bytes, as `00:00:0c`; those that are known. Without the list, none is."""
    wanted = {one.replace(":", "-").upper(): one for one in prefixes if not int(one[:2], 16) & _LOCAL}
    found: dict[str, str] = {}
    for path in lists if wanted else ():
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if _MARK in line and (prefix := line[:8]) in wanted:
                        found[wanted[prefix]] = line.partition(_MARK)[2].strip()[:_LONGEST]
            return found
        except OSError:  # the package is not installed, or is another release
            continue
    return found
