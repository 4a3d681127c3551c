"""Which sessions' and links' counters one reader of events wants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import SessionStatus

CHOSEN_MAX: Final = 500
_SESSION_ERRORS: Final = (
    "tx_errors", "rx_errors", "rx_seq_discards", "rx_oos_packets", "rx_cookie_discards", "rx_invalid",
    "rx_incomplete", "rx_too_long",
)  # fmt: skip
_LINK_ERRORS: Final = ("rx_errors", "rx_dropped", "tx_errors", "tx_dropped")


@dataclass(frozen=True, slots=True)
class Choice:
    """sessions: as TUNNEL/SESSION. links: by name."""

    sessions: frozenset[str]
    links: frozenset[str]

    @classmethod
    def of(cls, sessions: Iterable[str], links: Iterable[str]) -> Self | None:
        """Make the choice of what a request names. None stands for everything. Raises InvalidValueError."""
        made = cls(frozenset(sessions), frozenset(links))
        for one in made.sessions:
            if one.count("/") != 1 or len(one) > 200:
                raise InvalidValueError("session", f"{one[:80]!r} is not a session", "give TUNNEL/SESSION")
        return made if made.sessions or made.links else None

    def session(self, tunnel: str, now: SessionStatus, before: SessionStatus | None) -> bool:
        """Whether a session is to be told of: it was chosen, or one of its counters of errors has grown."""
        if f"{tunnel}/{now.name}" in self.sessions:
            return True
        return before is not None and any(
            getattr(now.counters, field) > getattr(before.counters, field) for field in _SESSION_ERRORS
        )

    def link(self, now: LinkStatus, before: LinkStatus | None) -> bool:
        """Whether a link is to be told of; see session()."""
        if now.name in self.links:
            return True
        return before is not None and any(
            now.counters.get(field, 0) > before.counters.get(field, 0) for field in _LINK_ERRORS
        )
