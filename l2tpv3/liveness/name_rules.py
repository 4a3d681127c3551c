"""When the names of peers are looked up again. Rules alone: no I/O, time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

AGAIN_S: Final = 30.0
"""How often a name is looked up. getaddrinfo(3) tells no time to live; the host's own caching resolver heeds it."""
FAILED_FIRST_S: Final = 5.0
FAILED_MAX_S: Final = 300.0
"""After a lookup that failed: this long, then twice as long each time, up to the most."""
HURRY_S: Final = 2.0
"""How long after a lookup the next one is at the earliest, whatever happens."""
JITTER: Final = 0.1
"""The part of these times that chance may add, so that many hosts do not ask at one moment."""


class NameRules:
    """Which names are due. chance: gives a number from 0 to 1, another one each time."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._due: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._looked_up: dict[str, float] = {}

    def want(self, names: Iterable[str], now: float) -> None:
        """Look these up from now on, and no others; those that are new at once."""
        self._due = {name: self._due.get(name, now) for name in names}
        self._failures = {name: count for name, count in self._failures.items() if name in self._due}
        self._looked_up = {name: at for name, at in self._looked_up.items() if name in self._due}

    def hurry(self, now: float) -> None:
        """Look all up soon: this host's addresses or routes have changed, and another resolver may answer."""
        for name, at in self._due.items():
            self._due[name] = min(at, max(now, self._looked_up.get(name, now) + HURRY_S))

    def due(self, now: float) -> list[str]:
        """The names to look up now."""
        return [name for name, at in self._due.items() if now >= at]

    def next_at(self) -> float | None:
        """When the next one is due; None where there is none."""
        return min(self._due.values(), default=None)

    def looked_up(self, name: str, now: float, *, failed: bool) -> None:
        """Note that a name was looked up."""
        if name not in self._due:
            return
        count = self._failures.get(name, 0) + 1 if failed else 0
        self._failures[name], self._looked_up[name] = count, now
        wait_s = min(FAILED_MAX_S, FAILED_FIRST_S * 2 ** min(count - 1, 10)) if failed else AGAIN_S
        self._due[name] = now + wait_s * (1 + JITTER * self._chance())
