"""Counters of sessions and links as JSON, with their rates."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from l2tpv3.documents.schemas import STATS_SCHEMA
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import SessionStatus


def stats_document(
    sessions: Iterable[tuple[str, SessionStatus]],
    *,
    time: datetime,
    interval_s: float | None = None,
    before: Iterable[tuple[str, SessionStatus]] = (),
    links: Iterable[LinkStatus] | None = None,
    links_before: Iterable[LinkStatus] = (),
) -> dict[str, Any]:
    """The document that `session stats --json` prints; with `before`, seen interval_s seconds ago, rates too.

    links: whose counters are told beside those of sessions, if any are asked for.
    """
    earlier = {(tunnel, session.name): session for tunnel, session in before}
    document: dict[str, Any] = {
        "schema": STATS_SCHEMA,
        "time": time.astimezone(UTC).isoformat(timespec="milliseconds"),
        "interval_s": interval_s,
        "sessions": [
            {
                "tunnel": tunnel,
                "name": session.name,
                "ifname": session.spec.ifname,
                "condition": session.condition.value,
                "hearing": session.hearing,
                "last_received_s": session.last_received_s,
                "counters": dataclasses.asdict(session.counters),
                "rates": session_rates(session, earlier.get((tunnel, session.name)), interval_s),
            }
            for tunnel, session in sessions
        ],
    }
    if links is not None:
        past = {one.name: one for one in links_before}
        document["links"] = [_link_stats(one, past.get(one.name), interval_s) for one in links]
    return document


def _link_stats(now: LinkStatus, before: LinkStatus | None, interval_s: float | None) -> dict[str, Any]:
    return {
        "name": now.name,
        "type": str(now.spec.type),
        "ifname": now.spec.ifname or None,
        "condition": now.condition.value,
        "counters": dict(now.counters),
        "rates": None if before is None or not interval_s else _rates(now.counters, before.counters, interval_s),
    }


def session_rates(
    now: SessionStatus, before: SessionStatus | None, interval_s: float | None
) -> dict[str, float] | None:
    """Change per second of each counter, or None where there is nothing to compare with.

    Counters that went back (the session was made anew in between) give 0, not a negative rate.
    """
    if before is None or not interval_s:
        return None
    return _rates(dataclasses.asdict(now.counters), dataclasses.asdict(before.counters), interval_s)


def _rates(now: Mapping[str, int], before: Mapping[str, int], interval_s: float) -> dict[str, float]:
    return {
        f"{name}_per_s": round(max(0, value - before.get(name, value)) / interval_s, 3) for name, value in now.items()
    }
