"""Reduces a change: to what it does not leave out, and to what is left to check once its steps were taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from l2tpv3.model.scope import LeftOut
from l2tpv3.plan.tunnels import PlanInput


def leave_out(change: PlanInput, sessions: LeftOut, links: Collection[str]) -> PlanInput:
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
