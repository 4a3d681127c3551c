"""Token buckets: they limit how often a client may make requests."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_KEYS_MAX: Final = 4096


class Rates:
    """A bucket for each key: `burst` at once, `rate` a second in the long run.

    The keys seen last are kept; one that was forgotten begins with a full bucket, which costs the service no more than
    a new key does.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> int:
        """Take one from a key's bucket, and return 0. When the bucket is empty, return the seconds to wait instead."""
        now = self._clock()
        level, then = self._buckets.get(key, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._rate)
        taken = level >= 1
        self._buckets[key] = (level - 1 if taken else level, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > _KEYS_MAX:
            self._buckets.popitem(last=False)
        return 0 if taken else max(1, math.ceil((1 - level) / self._rate))
