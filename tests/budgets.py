"""How long the tests of a file may take, in seconds on two quiet CPUs, several files at a time.

A file that takes longer is split, or made to wait for less, or gets its own line here with a reason.
"""

from __future__ import annotations

USUAL_S = 120.0

BUDGETS_S: dict[str, float] = {}
"""By the file's path."""


def over_budget(taken_s: dict[str, float]) -> list[str]:
    """What is to be said of the files that took too long."""
    found = []
    for path, seconds in sorted(taken_s.items()):
        budget_s = BUDGETS_S.get(path, USUAL_S)
        if seconds > budget_s:
            found.append(f"{path} took {seconds:.0f} s, and has {budget_s:.0f} s (tests/budgets.py)")
    return found
