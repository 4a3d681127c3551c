"""When what was chosen from a host's surroundings is compared with them again. Rules alone: time is an argument."""

from __future__ import annotations

from typing import Final

SETTLE_S: Final = 1.0
"""How long nothing more has to be heard: changes come in groups, a lease as an address and a route."""
SETTLE_MAX_S: Final = 5.0
"""How long that is waited for at most."""
REST: Final = 10
"""The time between two comparisons is so many times as long as one takes: thousands of tunnels take seconds."""
SLOW_S: Final = 60.0
"""How often it is compared where nothing is heard: of a namespace that is not there yet, for instance."""
AGAIN_S: Final = 10.0
"""How long after a comparison that has led to something: it may not have been possible yet."""


class SurroundingsRules:
    """Tell what is heard, and how long a comparison took; ask whether one is due. It is, to begin with."""

    def __init__(self, now: float) -> None:
        self._first = self._last = now - SETTLE_MAX_S
        self._heard = True
        self._not_before = now
        self._at_latest = now + SLOW_S

    def heard(self, now: float) -> None:
        """Note that something about addresses, routes or netdevs has changed."""
        if not self._heard:
            self._first = now
        self._heard, self._last = True, now

    def named(self, now: float) -> None:
        """Note that a peer's name has come to stand for something else: nothing more is to be waited for."""
        self.heard(now - SETTLE_S)

    def due(self, now: float) -> bool:
        """Whether to compare now."""
        settled = self._heard and (now >= self._last + SETTLE_S or now >= self._first + SETTLE_MAX_S)
        return now >= self._not_before and (settled or now >= self._at_latest)

    def compared(self, began: float, now: float, *, differed: bool) -> None:
        """Note a comparison that took from one time to the other. differed: whether there was something to do."""
        self._heard = False
        self._not_before = now + REST * (now - began)
        self._at_latest = now + (AGAIN_S if differed else SLOW_S)
