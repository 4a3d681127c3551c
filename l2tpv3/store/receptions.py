"""When sessions received something whose datapath takes note of no times: a file in the runtime directory.

`l2tpctl watch` writes it every few seconds; whoever looks at the host reads it, and looks at the counters once more.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from l2tpv3.model.hearing import Reception, ReceptionTracker
from l2tpv3.model.observed import Counters
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import SessionSpec
from l2tpv3.store import kept

FILE: Final = "receptions.json"
CHANGED: Final = "hearing-changed"
"""A file that is made anew when another state of hearing was seen, for those who follow what happens."""

Trackers = Mapping[str, ReceptionTracker]
"""By reception_key."""


def reception_key(record: TunnelRecord, session: SessionSpec) -> str:
    """Which session it is, and what its far end is: another far end was not heard yet."""
    spec = record.spec
    ends = (record.datapath, spec.netns, spec.tunnel_id, spec.encap.value, str(spec.remote), spec.remote_port)
    return json.dumps([*ends, spec.peer_tunnel_id, session.session_id, session.peer_session_id])


def keep(runtime: Path, trackers: Trackers, *, good_for_s: float) -> None:
    """Write the file; see kept.write, whose errors it raises."""
    kept.write(runtime, FILE, {key: one.to_json() for key, one in trackers.items()}, good_for_s=good_for_s)


def tell_changed(runtime: Path) -> None:
    """Have those who follow what happens look at the host."""
    path = runtime / CHANGED
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))


class Receptions:
    """What the file says now. Where it is not there, is not ours or is too old, it says nothing of any session."""

    def __init__(self, runtime: Path) -> None:
        self._now = time.monotonic()
        self._sessions = kept.read(runtime, FILE, self._now)

    def of(self, key: str, counters: Counters) -> Reception | None:
        """When a session with these counters received something. None where nobody takes note."""
        try:
            tracker = ReceptionTracker.from_json(self._sessions[key])
        except (KeyError, ValueError):
            return None
        tracker.look(counters.rx_packets, counters.tx_packets, self._now)
        return tracker.reception(self._now)
