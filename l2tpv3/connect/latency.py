"""What frames through a pseudowire tell of it: how many are lost, how long they take there and back. No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from l2tpv3.connect.frames import Echo
from l2tpv3.documents.schemas import PING_SCHEMA
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Latency:
    """Of frames of one length. Times are in seconds; None where no answer came.

    jitter_s: the mean difference between one answer's time and the next one's; None with less than two answers.
    """

    length: int
    sent: int
    answered: int
    least_s: float | None = None
    mean_s: float | None = None
    most_s: float | None = None
    jitter_s: float | None = None


def summed_up(echoes: Iterable[Echo]) -> list[Latency]:
    """The latency of each length, the shortest first."""
    by_length: dict[int, list[Echo]] = {}
    for one in echoes:
        by_length.setdefault(one.length, []).append(one)
    return [_of(length, sorted(by_length[length])) for length in sorted(by_length)]


def _of(length: int, echoes: list[Echo]) -> Latency:
    took = [one.took_s for one in echoes if one.took_s is not None]
    if not took:
        return Latency(length=length, sent=len(echoes), answered=0)
    steps = [abs(later - sooner) for sooner, later in pairwise(took)]
    return Latency(
        length=length,
        sent=len(echoes),
        answered=len(took),
        least_s=min(took),
        mean_s=sum(took) / len(took),
        most_s=max(took),
        jitter_s=sum(steps) / len(steps) if steps else None,
    )


def to_json(tunnel: str, session: str, found: Iterable[Latency]) -> dict[str, Any]:
    """The document that `l2tpctl ping --json` prints."""
    return {
        "schema": PING_SCHEMA,
        "tunnel": tunnel,
        "session": session,
        "frames": [
            {
                "length": one.length,
                "sent": one.sent,
                "answered": one.answered,
                "least_s": one.least_s,
                "mean_s": one.mean_s,
                "most_s": one.most_s,
                "jitter_s": one.jitter_s,
            }
            for one in found
        ],
    }
