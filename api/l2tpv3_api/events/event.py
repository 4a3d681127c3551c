"""One event: made once, and the same bytes for every subscriber."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """The types of events. RESET: events were missed, so list again; it is sent whatever was asked for."""

    TUNNEL = "tunnel"
    SESSION = "session"
    LINK = "link"
    WORKER = "worker"
    APPLY = "apply"
    CONFIRMATION = "confirmation"
    COUNTERS = "counters"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Event:
    """type: a word of EventType. data: a JSON document. id: EPOCH-SEQ; empty for what can't be resumed (counters)."""

    type: str
    data: bytes
    id: str = ""

    @classmethod
    def of(cls, type: str, data: dict[str, Any], id: str = "") -> Event:
        """An event whose data is that dict."""
        # backslashreplace: half a surrogate pair becomes JSON's own escape of it.
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        return cls(type, text.encode("utf-8", "backslashreplace"), id)

    def document(self) -> dict[str, Any]:
        """The data of the event, parsed from JSON."""
        result: dict[str, Any] = json.loads(self.data)
        return result
