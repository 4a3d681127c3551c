"""Plans how to undo a change that failed half-way: what it made is removed, and what was there before stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from l2tpv3.model.observation import Observation
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord
from l2tpv3.plan.link_steps import LinkStep
from l2tpv3.plan.plan_input import PlanInput
from l2tpv3.plan.scope import leave_out
from l2tpv3.plan.steps import AnyStep, Step, subject_of
from l2tpv3.value_class import value_class


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
    about = {subject_of(step) for step in begun if isinstance(step, Step)} | _members(change.old, begun)
    names = {name for name, _ in about}
    wanted = {name: record for name, record in change.old.items() if name not in names}
    alone: set[tuple[str, str]] = set()
    for name in names:
        undone = _undone(name, change, made, now)
        if undone.untouched:
            about = {one for one in about if one[0] != name}
        if undone.wanted is not None:
            wanted[name] = undone.wanted
        alone |= {(name, session) for session in undone.alone}
    there = {name: record for name, record in change.links.old.items() if name in change.observation.links.present}
    links = dataclasses.replace(change.links, wanted=there)
    back = dataclasses.replace(change, maybe=made, wanted=wanted, observation=now, scope=frozenset(about), links=links)
    return leave_out(back, alone, ()), alone


def _members(records: Records, begun: Iterable[AnyStep]) -> set[tuple[str, str | None]]:
    """Sessions in a bridge of which a step was begun: it may be made anew, and then has no such members."""
    bridges = {step.link.spec.ifname for step in begun if isinstance(step, LinkStep)}
    if not bridges:
        return set()
    return {
        (name, session.spec.name)
        for name, record in records.items()
        for session in record.sessions
        if session.spec.bridge in bridges
    }


@value_class(frozen=True, slots=True)
class _UndoneTunnel:
    """What becomes of one tunnel when a change is undone.

    wanted: None if it goes. alone: the names of its sessions that are left alone. untouched: so is the tunnel.
    """

    wanted: TunnelRecord | None
    alone: frozenset[str] = frozenset()
    untouched: bool = False


def _undone(name: str, change: PlanInput, made: Records, now: Observation) -> _UndoneTunnel:
    """See what_to_undo."""
    beliefs = [records[name] for records in (change.old, change.maybe) if name in records]
    running = _first_alive(beliefs, change.observation)
    outlived = _outlived(name, beliefs, running, change.observation)
    carried = _carried([*beliefs, *([made[name]] if name in made else [])], now)
    if running is None and not outlived:
        return _UndoneTunnel(None)
    if running is None and carried is None:  # the tunnel could not be made
        return _UndoneTunnel(beliefs[0], untouched=True)
    alone = frozenset(outlived) if carried is None else frozenset(outlived).difference(carried)
    base = running if running is not None else beliefs[0].with_sessions(())
    kept = [one for session, one in outlived.items() if session not in alone]
    return _UndoneTunnel(base.with_sessions((*base.sessions, *kept)), alone)


def _first_alive(beliefs: Iterable[TunnelRecord], observation: Observation) -> TunnelRecord | None:
    """What is running of the first record whose tunnel is."""
    alive = (what_is_alive(one, observation) for one in beliefs)
    return next((one for one in alive if one is not None), None)


def _outlived(
    name: str, beliefs: Sequence[TunnelRecord], running: TunnelRecord | None, observation: Observation
) -> dict[str, SessionRecord]:
    """Sessions of a tunnel that don't run but still have their netdevs, by name, as the first record has them."""
    ran = {one.spec.name for one in running.sessions} if running is not None else set()
    found: dict[str, SessionRecord] = {}
    for record in reversed(beliefs):
        for one in record.sessions:
            if (name, one.spec.name) in observation.netdevs and one.spec.name not in ran:
                found[one.spec.name] = one
    return found


def _carried(records: Collection[TunnelRecord], observation: Observation) -> set[str] | None:
    """The names of the sessions that run of a tunnel, as any of these records; None when the tunnel does not."""
    alive = [one for record in records if (one := what_is_alive(record, observation)) is not None]
    return {one.spec.name for record in alive for one in record.sessions} if alive else None


def what_is_alive(record: TunnelRecord, observation: Observation) -> TunnelRecord | None:
    """The part of a record that is running; None when its tunnel is not."""
    seen = observation.tunnel(record)
    if seen is None:
        return None
    ids = {one.session_id for one in seen.sessions}
    return record.with_sessions(tuple(one for one in record.sessions if one.spec.session_id in ids))
