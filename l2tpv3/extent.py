"""How far a change goes: what it leaves out, what has to be noted of it before it begins, what was alive before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from l2tpv3.everything import Edits, Everything
from l2tpv3.pending import Pending
from l2tpv3.plan import Change
from l2tpv3.records import TunnelRecord
from l2tpv3.steps import AnyStep, Step
from l2tpv3.store import Recorded
from l2tpv3.world import World


def leave_out(change: Change, sessions: Collection[tuple[str, str]], links: Collection[str]) -> Change:
    """The change as if there were no such sessions and links: neither on record, nor wanted."""
    if links:
        beliefs = (
            {name: record for name, record in some.items() if name not in links}
            for some in (change.links.old, change.links.wanted, change.links.maybe)
        )
        old, wanted, maybe = beliefs
        change = dataclasses.replace(
            change, links=dataclasses.replace(change.links, old=old, wanted=wanted, maybe=maybe)
        )
    if not sessions:
        return change
    less = [
        {
            name: record.with_sessions(tuple(one for one in record.sessions if (name, one.spec.name) not in sessions))
            for name, record in records.items()
        }
        for records in (change.old, change.maybe, change.wanted)
    ]
    return dataclasses.replace(change, old=less[0], maybe=less[1], wanted=less[2])


def once_done(change: Change) -> Change:
    """The same change once its steps were taken: what can't be seen is what was wanted."""
    links = dataclasses.replace(change.links, old=change.links.wanted, maybe={})
    return dataclasses.replace(change, old=change.wanted, maybe={}, links=links)


def what_is_made(pending: Pending) -> Everything:
    """What was being made by a change that is under way, or was killed; nothing of one that is done."""
    return Everything() if pending.deadline is not None else pending.target.made


def links_of(pending: Pending) -> frozenset[str]:
    """The links that it is about."""
    return frozenset({*pending.before.links, *pending.target.links})


def note_of(recorded: Recorded, change: Change, steps: tuple[AnyStep, ...], changed: Edits) -> Pending:
    """What has to be known of a change to find everything that it may have made: only what it is about."""
    unfinished = recorded.pending is not None and recorded.pending.deadline is None
    about: set[tuple[str, str | None]] = set(recorded.pending.scope) if unfinished and recorded.pending else set()
    links: set[str] = set(links_of(recorded.pending)) if unfinished and recorded.pending else set()
    for step in steps:
        if isinstance(step, Step):
            session = getattr(step, "session", None)
            about.add((step.tunnel.spec.name, session.spec.name if session is not None else None))
        else:
            links.add(step.link.spec.name)
    about |= {(name, None) for name in changed.tunnels if change.covers(name)}
    links |= {name for name in changed.links if change.links.scope is None or name in change.links.scope}
    names = {name for name, _ in about}
    return Pending(
        scope=frozenset(about),
        before=Edits(
            tunnels={name: _narrow(change.old.get(name), about) for name in names},
            links={name: change.links.old.get(name) for name in links},
        ),
        target=Edits(
            tunnels={name: _narrow(change.wanted.get(name) or change.maybe.get(name), about) for name in names},
            links={name: change.links.wanted.get(name) or change.links.maybe.get(name) for name in links},
        ),
    )


def _narrow(record: TunnelRecord | None, about: set[tuple[str, str | None]]) -> TunnelRecord | None:
    """The record with only the sessions that a change is about, so that changing one of many stays cheap."""
    if record is None or (record.spec.name, None) in about:
        return record
    return record.with_sessions(tuple(one for one in record.sessions if (record.spec.name, one.spec.name) in about))


def what_is_alive(record: TunnelRecord, world: World) -> TunnelRecord | None:
    """What of a record is running; None when its tunnel is not."""
    seen = world.tunnel(record)
    if seen is None:
        return None
    ids = {one.session_id for one in seen.sessions}
    return record.with_sessions(tuple(one for one in record.sessions if one.spec.session_id in ids))
