"""The scope of a change: which of the tunnels, sessions and links on record it is about."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from l2tpv3.model.host_records import HostRecords

Scope = frozenset[tuple[str, str | None]]
"""Tunnels and sessions: (tunnel, session), or (tunnel, None) for a tunnel with all its sessions."""

LeftOut = Collection[tuple[str, str | None]]
"""What a change leaves as it is: sessions by tunnel and name, and whole tunnels, of which no session is named."""


def touched_links(scope: Scope | None, named: Iterable[str], *known: HostRecords) -> frozenset[str] | None:
    """The links that a change is about: the named ones, and what lies on those or on sessions in its scope.

    scope: None is everything; then None is returned, too.
    """
    if scope is None:
        return None
    found = set(named)
    over: set[tuple[str, str]] = set()
    for each in known:
        for name, record in each.links.items():
            over.update((name, one) for one in record.spec.over)
    while True:
        more = {name for name, one in over if name not in found and (one in found or _covers(scope, one))}
        if not more:
            return frozenset(found)
        found |= more


def _covers(scope: Scope, over: str) -> bool:
    tunnel, slash, session = over.partition("/")
    return bool(slash) and ((tunnel, None) in scope or (tunnel, session) in scope)
