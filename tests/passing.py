"""What time and traffic alone change of a tunnel or a session, so that two moments can be compared without it."""

from __future__ import annotations

from typing import Any, Final

PASSING: Final = ("counters", "hearing", "last_received_s", "probing")
"""Its keys in the documents of tunnels and sessions."""


def without_passing(document: dict[str, Any], *others: str) -> dict[str, Any]:
    """The document of a tunnel or a session without these keys and `others`; of a tunnel, also its sessions."""
    kept = {key: value for key, value in document.items() if key not in (*PASSING, *others)}
    if "sessions" in kept:
        kept["sessions"] = [without_passing(session) for session in kept["sessions"]]
    return kept
