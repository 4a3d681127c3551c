"""How far a change goes: what it leaves out, what has to be noted of it before it begins, what was alive before it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.observation import Observation
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord
from l2tpv3.plan.steps import AnyStep, Step
from l2tpv3.plan.tunnels import LinkPlanInput, PlanInput
from l2tpv3.store.database import Recorded
from l2tpv3.store.journal import PendingChange

Left = Collection[tuple[str, str | None]]
"""What a change leaves as it is: sessions by tunnel and name, and whole tunnels, of which no session is named."""


def leave_out(change: PlanInput, sessions: Left, links: Collection[str]) -> PlanInput:
    """The change as if there were no such tunnels, sessions and links: neither on record, nor wanted."""
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
            if (name, None) not in sessions
        }
        for records in (change.old, change.maybe, change.wanted)
    ]
    return dataclasses.replace(change, old=less[0], maybe=less[1], wanted=less[2])


def once_done(change: PlanInput) -> PlanInput:
    """The same change once its steps were taken: what can't be seen is what was wanted."""
    links = dataclasses.replace(change.links, old=change.links.wanted, maybe={})
    return dataclasses.replace(change, old=change.wanted, maybe={}, links=links)


def what_is_made(pending: PendingChange) -> HostRecords:
    """What was being made by a change that is under way, or was killed; nothing of one that is done."""
    return HostRecords() if pending.deadline is not None else pending.target.made


def links_of(pending: PendingChange) -> frozenset[str]:
    """The links that it is about."""
    return frozenset({*pending.before.links, *pending.target.links})


def note_of(recorded: Recorded, change: PlanInput, steps: tuple[AnyStep, ...], changed: RecordDelta) -> PendingChange:
    """What has to be known of a change to find everything that it may have made: only what it is about."""
    unfinished = recorded.pending is not None and recorded.pending.deadline is None
    about: set[tuple[str, str | None]] = set(recorded.pending.scope) if unfinished and recorded.pending else set()
    links: set[str] = set(links_of(recorded.pending)) if unfinished and recorded.pending else set()
    for step in steps:
        if isinstance(step, Step):
            about.add(_subject(step))
        else:
            links.add(step.link.spec.name)
    about |= {(name, None) for name in changed.tunnels if change.covers(name)}
    links |= {name for name in changed.links if change.links.scope is None or name in change.links.scope}
    names = {name for name, _ in about}
    return PendingChange(
        scope=frozenset(about),
        before=RecordDelta(
            tunnels={name: _narrow(change.old.get(name), about) for name in names},
            links={name: change.links.old.get(name) for name in links},
        ),
        target=RecordDelta(
            tunnels={name: _narrow(_begun(change, name), about) for name in names},
            links={name: _begun_link(change.links, name) for name in links},
        ),
    )


def _begun(change: PlanInput, name: str) -> TunnelRecord | None:
    """What a change makes of a tunnel; what it leaves as it is on record is what a killed one was making of that."""
    old, wanted, maybe = change.old.get(name), change.wanted.get(name), change.maybe.get(name)
    if wanted is None or maybe is None:
        return wanted or maybe
    changes = old is None or old.with_sessions(()) != wanted.with_sessions(())
    sessions = {one.spec.name: one for one in maybe.sessions}
    for one in wanted.sessions:
        if old is None or old.session(one.spec.name) != one:
            sessions[one.spec.name] = one
        else:
            sessions.setdefault(one.spec.name, one)
    return (wanted if changes else maybe).with_sessions(tuple(sessions.values()))


def _begun_link(links: LinkPlanInput, name: str) -> LinkRecord | None:
    wanted, maybe = links.wanted.get(name), links.maybe.get(name)
    return maybe if maybe is not None and wanted == links.old.get(name) else wanted or maybe


def left_of(pending: PendingChange | None, sessions: Left, links: Collection[str]) -> PendingChange | None:
    """What of a killed change is still to be found once another change is done that left out these.

    None when that is nothing: what was not left out is as the other change wants it.
    """
    if pending is None or pending.deadline is not None:
        return None
    about: set[tuple[str, str | None]] = {
        one for one in sessions if one in pending.scope or (one[0], None) in pending.scope
    }
    about |= {one for one in pending.scope if (one[0], None) in sessions}
    those = links_of(pending) & set(links)
    if not about and not those:
        return None
    names = {name for name, _ in about}
    before, target = (
        RecordDelta(
            tunnels={name: _narrow(edits.tunnels.get(name), about) for name in names},
            links={name: edits.links.get(name) for name in those},
        )
        for edits in (pending.before, pending.target)
    )
    return PendingChange(scope=frozenset(about), before=before, target=target)


def _narrow(record: TunnelRecord | None, about: set[tuple[str, str | None]]) -> TunnelRecord | None:
    """The record with only the sessions that a change is about, so that changing one of many stays cheap."""
    if record is None or (record.spec.name, None) in about:
        return record
    return record.with_sessions(tuple(one for one in record.sessions if (record.spec.name, one.spec.name) in about))


def what_to_undo(
    change: PlanInput, begun: Collection[AnyStep], made: Records, now: Observation
) -> tuple[PlanInput, set[tuple[str, str]]]:
    """The change that undoes one of which these steps were begun: what it made goes, what was there before it stays.

    What ran is wanted again as it was. Of what did not run a netdev may have been there all the same: a worker that
    dies leaves those of its sessions. Where the change had another worker take it over, that session is wanted, and
    stays; else nobody has touched it, and it is left alone.
    made: what the change, or a killed one before it, made of the tunnels. now: what is there of all these. Gives the
    sessions that are left alone, too.
    """
    about = {_subject(step) for step in begun if isinstance(step, Step)}
    names = {name for name, _ in about}
    wanted = {name: record for name, record in change.old.items() if name not in names}
    alone: set[tuple[str, str]] = set()
    for name in names:
        beliefs = [records[name] for records in (change.old, change.maybe) if name in records]
        running = [alive for one in beliefs if (alive := what_is_alive(one, change.observation)) is not None]
        ran = {one.spec.name for one in running[0].sessions} if running else set()
        outlived = {
            one.spec.name: one
            for record in reversed(beliefs)
            for one in record.sessions
            if (name, one.spec.name) in change.observation.netdevs and one.spec.name not in ran
        }
        carried = _carried([*beliefs, *([made[name]] if name in made else [])], now)
        if not running and outlived and carried is None:  # its tunnel could not be made
            about = {one for one in about if one[0] != name}
            wanted[name] = beliefs[0]
            continue
        alone |= {(name, one) for one in outlived if carried is None or one not in carried}
        if running or outlived:
            base = running[0] if running else beliefs[0].with_sessions(())
            kept = (one for one in outlived.values() if (name, one.spec.name) not in alone)
            wanted[name] = base.with_sessions((*base.sessions, *kept))
    links = dataclasses.replace(
        change.links,
        wanted={name: record for name, record in change.links.old.items() if name in change.observation.links.there},
    )
    back = dataclasses.replace(change, maybe=made, wanted=wanted, observation=now, scope=frozenset(about), links=links)
    return leave_out(back, alone, ()), alone


def _subject(step: Step) -> tuple[str, str | None]:
    session: SessionRecord | None = getattr(step, "session", None)
    return step.tunnel.spec.name, session.spec.name if session is not None else None


def _carried(records: Collection[TunnelRecord], observation: Observation) -> set[str] | None:
    """The names of the sessions that run of a tunnel, as any of these records; None when the tunnel does not."""
    alive = [one for record in records if (one := what_is_alive(record, observation)) is not None]
    return {one.spec.name for record in alive for one in record.sessions} if alive else None


def what_is_alive(record: TunnelRecord, observation: Observation) -> TunnelRecord | None:
    """What of a record is running; None when its tunnel is not."""
    seen = observation.tunnel(record)
    if seen is None:
        return None
    ids = {one.session_id for one in seen.sessions}
    return record.with_sessions(tuple(one for one in record.sessions if one.spec.session_id in ids))
