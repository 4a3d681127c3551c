"""Whether the far end is heard, in words: `heard 3s` and `unheard` in tables, more where there is room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l2tpv3.model.status import SessionStatus, TunnelStatus

_UNITS = (("s", 1.0, 100), ("m", 60.0, 100), ("h", 3600.0, 48))
"""Units of an age, their seconds, and below how many of them an age is told in them."""


def age(seconds: float) -> str:
    """A time in the largest unit that keeps it readable: `3s`, `12m`, `5h`, `9d`."""
    for unit, length, fewer in _UNITS:
        if seconds < fewer * length:
            return f"{int(seconds / length)}{unit}"
    return f"{int(seconds / 86400)}d"


def hearing_cell(status: TunnelStatus | SessionStatus) -> str:
    """For a table: the state, and how long ago the last good packet came, where that is known."""
    if status.hearing is None:
        return ""
    when = "" if status.last_received_s is None else f" {age(status.last_received_s)}"
    return f"{status.hearing.value}{when}"


def probing_text(status: SessionStatus) -> str | None:
    """What the probes came to; None where nobody probes."""
    probing = status.probing
    if probing is None:
        return None
    text = f"{probing.state.value} for {age(probing.since_s)}"
    if probing.reason:
        return f"{text}: {probing.reason}"
    return text if probing.round_trip_s is None else f"{text}, round trip {1000 * probing.round_trip_s:.1f} ms"


def hearing_text(status: TunnelStatus | SessionStatus) -> str | None:
    """In words, for one thing; None where nothing was sent or received."""
    if status.hearing is None:
        return None
    if status.last_received_s is not None:
        when = f"the last good packet came {age(status.last_received_s)} ago"
    elif status.hearing.value == "heard":
        when = "good packets have come; when is not known"
    elif status.hearing.value == "dead":
        when = "probes are not answered, and no good packet has come"
    else:
        when = "packets are sent, and none has come"
    return f"{status.hearing.value}: {when}"
