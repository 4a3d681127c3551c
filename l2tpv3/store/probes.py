"""What the probes of sessions came to: a file in the runtime directory that `l2tpctl watch` writes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from l2tpv3.model.probe import ProbeReport, ProbeState
from l2tpv3.store import kept

FILE: Final = "probes.json"
_REASON_MAX: Final = 500


def keep(runtime: Path, reports: Mapping[str, ProbeReport], *, good_for_s: float) -> None:
    """Write the file, by receptions.reception_key; see kept.write, whose errors it raises."""
    now = time.monotonic()
    sessions = {key: [one.state, now - one.since_s, one.reason, one.round_trip_s] for key, one in reports.items()}
    kept.write(runtime, FILE, sessions, good_for_s=good_for_s)


class Probes:
    """What the file says now."""

    def __init__(self, runtime: Path) -> None:
        self._now = time.monotonic()
        self._sessions = kept.read(runtime, FILE, self._now)

    def of(self, key: str) -> ProbeReport | None:
        """What the probes of a session came to; None where nobody probes."""
        try:
            state, since, reason, round_trip_s = self._sessions[key]
            if not isinstance(since, float) or not isinstance(round_trip_s, float | None):
                return None
            return ProbeReport(
                state=ProbeState(state), since_s=max(0.0, self._now - since), reason=str(reason)[:_REASON_MAX],
                round_trip_s=round_trip_s,
            )  # fmt: skip
        except (KeyError, ValueError, TypeError):
            return None
