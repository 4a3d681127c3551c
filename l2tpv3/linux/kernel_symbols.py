"""The kernel's functions by their addresses (/proc/kallsyms)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection
from pathlib import Path
from typing import Final

_SYMBOLS: Final = Path("/proc/kallsyms")
_FUNCTIONS: Final = frozenset("tTwW")


def functions_at(addresses: Collection[int]) -> dict[int, str]:
    """The names of the functions that these addresses lie in.

    Those that can't be told are left out: the kernel may hide its addresses (sysctl kernel.kptr_restrict).
    """
    known: list[tuple[int, str]] = []
    try:
        with _SYMBOLS.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                words = line.split(None, 3)
                if len(words) >= 3 and words[1] in _FUNCTIONS and (address := int(words[0], 16)):
                    known.append((address, words[2]))
    except (OSError, ValueError):
        return {}
    known.sort()
    places = [address for address, _ in known]
    return {one: known[at - 1][1] for one in addresses if (at := bisect_right(places, one))}
