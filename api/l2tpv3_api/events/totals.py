"""Counters of many sessions or links as one sum, with its rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Values = Mapping[str, int]


def totals(now: Mapping[str, Values], before: Mapping[str, Values], interval_s: float | None) -> dict[str, Any]:
    """`count`, `counters` (their sums) and `rates` of things by name; before: the same, interval_s seconds ago.

    A rate is of those that were there before, and a counter that went back (its thing was made anew) has none. null
    where there is nothing to compare with.
    """
    sums: dict[str, int] = {}
    grown: dict[str, int] = {}
    for name, values in now.items():
        then = before.get(name)
        for field, value in values.items():
            sums[field] = sums.get(field, 0) + value
            if then is not None:
                grown[field] = grown.get(field, 0) + max(0, value - then.get(field, value))
    rates = {f"{field}_per_s": round(grown.get(field, 0) / interval_s, 3) for field in sums} if interval_s else None
    return {"count": len(now), "counters": sums, "rates": rates}
