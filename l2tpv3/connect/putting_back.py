"""Puts ends back whose new key or cookie was not confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from l2tpv3.errors import L2tpError


def put_back(rolling_back: Iterable[Callable[[], None]], within_s: float, tell: Callable[[str], None]) -> None:
    """Take a change back at each end, by a function of each that raises L2tpError.

    tell: is told of an end that can't be put back now, which does it by itself within that time.
    """
    for roll_back in rolling_back:
        try:
            roll_back()
        except L2tpError as error:
            tell(f"could not be put back at once, which it does by itself within {within_s:g} s: {error}")
