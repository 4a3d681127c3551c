"""Counts refused requests by reason: for metrics, and for a line in the log now and then instead of one each."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Final

from l2tpv3.metrics.host import Family

_LOG = logging.getLogger("l2tpv3_api.refused")
_SAY_EVERY_S: Final = 10.0


class Refusals:
    """counts: how often, by reason (kebab-case, some twenty in all)."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._said: dict[str, tuple[float, int]] = {}

    def families(self) -> list[Family]:
        """The counts, for /metrics."""
        lines = [f'_total{{reason="{reason}"}} {number}' for reason, number in sorted(self.counts.items())]
        return [Family("l2tpv3_api_refused", "counter", "What was refused before it got to the API, by reason.", lines)]

    def count(self, reason: str, who: str = "") -> None:
        """One more. who: the client's address or identity, for the log; there, a reason shows once in a while only."""
        self.counts[reason] += 1
        now = time.monotonic()
        said, number = self._said.get(reason, (-_SAY_EVERY_S, 0))
        if now - said >= _SAY_EVERY_S:
            times = self.counts[reason] - number
            self._said[reason] = (now, self.counts[reason])
            _LOG.warning(
                "refused %s: %s (%d since this was last said)",
                who or "a client",
                reason,
                times,
                extra={"fields": {"reason": reason, "client": who, "times": times}},
            )
