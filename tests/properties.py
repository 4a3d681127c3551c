"""Settings of the tests that hypothesis makes up examples for: how many, in one place.

Put MANY, SOME or FEW above `@given`, by what one example costs. `tests/run --full` tries ten times as many. None has a
deadline: how long an example takes says something of the machine and its load.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.points import is_full


def _examples(number: int) -> settings:
    return settings(
        max_examples=number * 10 if is_full() else number,
        deadline=None,
        suppress_health_check=list(HealthCheck),  # these are about how fast the machine makes up examples
    )


MANY = _examples(150)
"""Of less than about five milliseconds each."""

SOME = _examples(50)
"""Of up to about fifty."""

FEW = _examples(15)
"""Of more, or with sockets, processes or netdevs."""
