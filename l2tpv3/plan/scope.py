"""Reduces a change: to what it does not leave out, to what is left once its steps were taken, or to what they touch."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from l2tpv3.model.links.record import Links
from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.model.scope import LeftOut
from l2tpv3.plan.plan_input import PlanInput
from l2tpv3.plan.steps import AddSession, AnyStep, DelSession, ReplaceSession, SetNetdev, SetSession


def leave_out(change: PlanInput, sessions: LeftOut, links: Collection[str]) -> PlanInput:
    """The change as if there were no such tunnels, sessions and links: neither on record, nor wanted."""
    if links:
        less = dataclasses.replace(
            change.links,
            old=_links_without(change.links.old, links),
            wanted=_links_without(change.links.wanted, links),
            maybe=_links_without(change.links.maybe, links),
        )
        change = dataclasses.replace(change, links=less)
    if sessions:
        change = dataclasses.replace(
            change,
            old=_without(change.old, sessions),
            wanted=_without(change.wanted, sessions),
            maybe=_without(change.maybe, sessions),
        )
    return change


def _links_without(records: Links, left_out: Collection[str]) -> Links:
    return {name: record for name, record in records.items() if name not in left_out}


def _without(records: Records, left_out: LeftOut) -> Records:
    less: dict[str, TunnelRecord] = {}
    for name, record in records.items():
        if (name, None) not in left_out:
            kept = tuple(one for one in record.sessions if (name, one.spec.name) not in left_out)
            less[name] = record.with_sessions(kept)
    return less


_FEW = 8
"""Sessions that are quicker looked at one by one than found in a list of all."""


def touched_part(change: PlanInput, steps: Sequence[AnyStep]) -> PlanInput | None:
    """The part of the change that is about the sessions of these steps, and about nothing else.

    None where the steps are about more than a few sessions, or about more than sessions; and on a host that has links,
    which follow their sessions.
    """
    links = change.links
    if len(steps) > _FEW or links.old or links.wanted or links.maybe:
        return None
    names: dict[str, set[str]] = {}
    for step in steps:
        if not isinstance(step, (AddSession, DelSession, ReplaceSession, SetNetdev, SetSession)):
            return None
        names.setdefault(step.tunnel.spec.name, set()).add(step.session.spec.name)
    if not names.keys() <= change.wanted.keys():
        return None
    part: dict[str, TunnelRecord] = {}
    for name, touched in names.items():
        record = change.wanted[name]
        part[name] = record.with_sessions(tuple(one for one in record.sessions if one.spec.name in touched))
    return dataclasses.replace(change, old=part, wanted=part, maybe={})


def once_done(change: PlanInput) -> PlanInput:
    """The change after its steps were taken. Values that cannot be observed are taken to be as wanted."""
    links = dataclasses.replace(change.links, old=change.links.wanted, maybe={})
    return dataclasses.replace(change, old=change.wanted, maybe={}, links=links)
