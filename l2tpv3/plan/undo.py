"""What undoes a change that failed half-way: what it made goes, and what was there before it stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from l2tpv3.model.observation import Observation
from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.plan.scope import leave_out
from l2tpv3.plan.steps import AnyStep, Step, subject_of
from l2tpv3.plan.tunnels import PlanInput


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
    about = {subject_of(step) for step in begun if isinstance(step, Step)}
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
