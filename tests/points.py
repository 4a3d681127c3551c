"""Which points of a change to try: some, spread over all, or as many as L2TPV3_TEST_FULL says.

1 is all of them, K/N each N-th from the K-th on: 1/3, 2/3 and 3/3 are all, in three runs.
"""

from __future__ import annotations

import os


def is_full() -> bool:
    """Whether the environment asks for more than a sample."""
    return os.environ.get("L2TPV3_TEST_FULL", "") not in ("", "0")


def sample(number: int, size: int) -> range:
    """Of the points 1 to `number`: about `size` of them, if the environment says nothing else."""
    choice = os.environ.get("L2TPV3_TEST_FULL", "")
    if "/" in choice:
        first, every = map(int, choice.split("/"))
        return range(first, number + 1, every)
    everything = choice not in ("", "0")
    step = 1 if everything else max(1, number // size)
    return range(1 if everything else 1 + step // 2, number + 1, step)
