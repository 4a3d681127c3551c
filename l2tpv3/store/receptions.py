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

from l2tpv3.errors import from_errno
from l2tpv3.model.hearing import Reception, ReceptionTracker
from l2tpv3.model.observed import Counters
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import SessionSpec

FOLDER: Final = "liveness"
"""Name of the folder in the runtime directory. In that itself a new file means that workers come or go."""
FILE: Final = "receptions.json"
CHANGED: Final = "hearing-changed"
"""A file that is made anew when another state of hearing was seen, for those who follow what happens."""
_SIZE_MAX: Final = 64 << 20
"""Bytes of a file that is still read: about 400,000 sessions."""

Trackers = Mapping[str, ReceptionTracker]
"""By reception_key."""


def reception_key(record: TunnelRecord, session: SessionSpec) -> str:
    """Which session it is, and what its far end is: another far end was not heard yet."""
    spec = record.spec
    ends = (record.datapath, spec.netns, spec.tunnel_id, spec.encap.value, str(spec.remote), spec.remote_port)
    return json.dumps([*ends, spec.peer_tunnel_id, session.session_id, session.peer_session_id])


def keep(runtime: Path, trackers: Trackers, *, good_for_s: float) -> None:
    """Write the file. good_for_s: for how long it is true; who reads it later takes it that nobody takes note any more.

    Raises L2tpError.
    """
    sessions = {key: one.to_json() for key, one in trackers.items()}
    folder = runtime / FOLDER
    path, new = folder / FILE, folder / f"{FILE}.new"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            json.dump({"good_until": time.monotonic() + good_for_s, "sessions": sessions}, file)
        new.replace(path)
    except OSError as error:
        raise from_errno(str(path), "write this file", error.errno or 0) from error


def forget(runtime: Path) -> None:
    """Remove the file: there are no such sessions."""
    with contextlib.suppress(OSError):
        (runtime / FOLDER / FILE).unlink(missing_ok=True)
        (runtime / FOLDER).rmdir()


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
        self._sessions = _read(runtime / FOLDER / FILE, self._now)

    def of(self, key: str, counters: Counters) -> Reception | None:
        """When a session with these counters received something. None where nobody takes note."""
        try:
            tracker = ReceptionTracker.from_json(self._sessions[key])
        except (KeyError, ValueError):
            return None
        tracker.look(counters.rx_packets, counters.tx_packets, self._now)
        return tracker.reception(self._now)


def _read(path: Path, now: float) -> Mapping[str, object]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_SIZE_MAX))
        fresh = isinstance(document["good_until"], float) and now <= document["good_until"]
        return document["sessions"] if fresh and isinstance(document["sessions"], dict) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
