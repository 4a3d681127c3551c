"""A number of seconds on the command line."""

from __future__ import annotations

from typing import Final

from l2tpv3.errors import InvalidValueError

DAY_S: Final = 86400.0


def seconds(text: str, option: str, *, least: float = 0.0, most: float = DAY_S) -> float:
    """Parse an option in seconds. Raises InvalidValueError for what is no number from `least` to `most`."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise InvalidValueError(option, f"{text!r} is not a number of seconds", f"give {least:g} to {most:g}")
    return value
