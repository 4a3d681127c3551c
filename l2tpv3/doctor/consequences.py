"""Which findings only follow from another one: who mends the cause has no need to read of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from l2tpv3.model.finding import Finding, Harm

_FOLLOWS: Final[Mapping[str, frozenset[str]]] = {
    "into-itself": frozenset(
        {"refused", "mtu", "fragments", "fragments-dropped", "no-carrier", "path-mtu", "silence", "not-sent", "dropped"}
    ),
    "outer-path": frozenset(
        {"refused", "mtu", "fragments", "no-carrier", "firewall", "silence", "not-sent", "dropped"}
    ),
    "no-carrier": frozenset({"refused", "silence", "not-sent", "dropped"}),
    "loop": frozenset({"own-mac", "duplicate-address", "socket-full", "queue-full"}),
}
"""By a cause that stops all, or the loop, what comes of it on the same tunnel and its sessions."""


def without_consequences(found: list[Finding]) -> list[Finding]:
    """The findings of one tunnel, without those that follow from others of it."""
    causes = {one.cause for one in found if one.harm is Harm.STOPS}
    follow = frozenset[str]().union(*(_FOLLOWS[cause] for cause in causes if cause in _FOLLOWS))
    kept = [one for one in found if one.cause not in follow]
    if any(one.cause == _SILENCE and one.subject.startswith("tunnel ") for one in kept):
        return [one for one in kept if one.cause != _SILENCE or one.subject.startswith("tunnel ")]
    return kept


_SILENCE: Final = "silence"
"""What is silent as a tunnel needs no word for each of its sessions."""
