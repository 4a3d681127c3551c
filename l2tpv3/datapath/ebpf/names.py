"""What the netdevs under a session's are called: `le1-2` and `lt1-2` in tunnel 1, session 2.

Where ids are too long for that, the 64 bits of both are written with 36 digits.
"""

from __future__ import annotations

import string
from typing import Final

from l2tpv3.model.ids import ID_MAX

LOWER, SLOW = "le", "lt"
"""The other end of the session's veth, and the worker's TAP."""

_DIGITS: Final = string.digits + string.ascii_lowercase
_NAME_MAX: Final = 15
_LONG: Final = 13  # digits of 64 bits


def lower(tunnel_id: int, session_id: int) -> str:
    """The name of the other end of the session's veth."""
    return _name(LOWER, tunnel_id, session_id)


def slow(tunnel_id: int, session_id: int) -> str:
    """The name of the TAP."""
    return _name(SLOW, tunnel_id, session_id)


def ids_of_lower(ifname: str) -> tuple[int, int] | None:
    """The tunnel id and session id that `lower` made a name of; None for any other name."""
    digits = ifname.removeprefix(LOWER)
    if digits == ifname:
        return None
    one, dash, other = digits.partition("-")
    try:
        found = (int(one), int(other)) if dash else divmod(int(digits, 36), 1 << 32)
    except ValueError:
        return None
    return found if max(found) <= ID_MAX and min(found) >= 0 and lower(*found) == ifname else None


def _name(prefix: str, tunnel_id: int, session_id: int) -> str:
    name = f"{prefix}{tunnel_id}-{session_id}"
    if len(name) <= _NAME_MAX:
        return name
    number, digits = tunnel_id << 32 | session_id, ""
    for _ in range(_LONG):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return prefix + digits
