"""The journal entry of a change: what has to be known to find all that it may have made, if it is killed half-way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.scope import LeftOut, Scope
from l2tpv3.plan.plan_input import LinkPlanInput, PlanInput
from l2tpv3.plan.steps import AnyStep, Step, subject_of
from l2tpv3.store.journal import PendingChange


def what_is_made(pending: PendingChange | None) -> HostRecords:
    """The records that a change under way, or a killed one, was making; empty for a change that is done."""
    return HostRecords() if pending is None or pending.deadline is not None else pending.target.made


def links_of(pending: PendingChange) -> frozenset[str]:
    """The names of the links that the pending change is about."""
    return frozenset({*pending.before.links, *pending.target.links})


class Keys(NamedTuple):
    """The tunnels, sessions and links that a journal entry is about. links: by name."""

    scope: Scope
    links: frozenset[str]

    @property
    def tunnels(self) -> set[str]:
        """The names of the tunnels, also of those that it is about for a session alone."""
        return {name for name, _ in self.scope}


_NONE = Keys(frozenset(), frozenset())


def journal_entry(
    unfinished: PendingChange | None, change: PlanInput, steps: Iterable[AnyStep], changed: RecordDelta
) -> PendingChange:
    """The journal entry of a change, which is written before its first step: only what the change is about.

    unfinished: the entry of a change that was killed, whose part this one takes over. changed: what becomes of the
    record.
    """
    keys = changed_keys(_keys_of(unfinished), change, steps, changed)
    return PendingChange(scope=keys.scope, before=before_of(change, keys), target=target_of(change, keys))


def _keys_of(unfinished: PendingChange | None) -> Keys:
    if unfinished is None or unfinished.deadline is not None:
        return _NONE
    return Keys(unfinished.scope, links_of(unfinished))


def changed_keys(begun: Keys, change: PlanInput, steps: Iterable[AnyStep], changed: RecordDelta) -> Keys:
    """Add to what was begun what the steps are about, and what changes on record in the scope of the change."""
    scope, links = set(begun.scope), set(begun.links)
    for step in steps:
        if isinstance(step, Step):
            scope.add(subject_of(step))
        else:
            links.add(step.link.spec.name)
    scope |= {(name, None) for name in changed.tunnels if change.covers(name)}
    links |= {name for name in changed.links if change.links.scope is None or name in change.links.scope}
    return Keys(frozenset(scope), frozenset(links))


def before_of(change: PlanInput, keys: Keys) -> RecordDelta:
    """The old records of what the keys name."""
    return RecordDelta(
        tunnels={name: _narrow(change.old.get(name), keys.scope) for name in keys.tunnels},
        links={name: change.links.old.get(name) for name in keys.links},
    )


def target_of(change: PlanInput, keys: Keys) -> RecordDelta:
    """The new records of what the keys name, by this change or by a killed one before it."""
    return RecordDelta(
        tunnels={name: _narrow(_record_begun(change, name), keys.scope) for name in keys.tunnels},
        links={name: _link_record_begun(change.links, name) for name in keys.links},
    )


def _record_begun(change: PlanInput, name: str) -> TunnelRecord | None:
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


def _link_record_begun(links: LinkPlanInput, name: str) -> LinkRecord | None:
    wanted, maybe = links.wanted.get(name), links.maybe.get(name)
    return maybe if maybe is not None and wanted == links.old.get(name) else wanted or maybe


def left_of(pending: PendingChange | None, sessions: LeftOut, links: Collection[str]) -> PendingChange | None:
    """The part of a killed change that may still be there after another change that left these out.

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
    before, target = _part(pending.before, about, those), _part(pending.target, about, those)
    return PendingChange(scope=frozenset(about), before=before, target=target)


def _part(edits: RecordDelta, about: Collection[tuple[str, str | None]], links: Collection[str]) -> RecordDelta:
    """What of these records is about those tunnels, sessions and links."""
    return RecordDelta(
        tunnels={name: _narrow(edits.tunnels.get(name), about) for name in {name for name, _ in about}},
        links={name: edits.links.get(name) for name in links},
    )


def _narrow(record: TunnelRecord | None, about: Collection[tuple[str, str | None]]) -> TunnelRecord | None:
    """The record with only the sessions that a change is about, so that changing one of many stays cheap."""
    if record is None or (record.spec.name, None) in about:
        return record
    return record.with_sessions(tuple(one for one in record.sessions if (record.spec.name, one.spec.name) in about))
