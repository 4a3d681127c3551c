"""Plans everything: the steps of links before and after those of the tunnels and sessions that they lie on.

Pure functions, no I/O; tunnels.py and links.py know the two halves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from l2tpv3.model.record import Records, TunnelRecord
from l2tpv3.plan.encryption import encryption_steps
from l2tpv3.plan.plan_input import PlanInput
from l2tpv3.plan.steps import AddSession, AnyStep, DelSession, DelTunnel, ReplaceSession, SetNetdev, Step
from l2tpv3.plan.tunnels import plan


def plan_everything(change: PlanInput) -> tuple[AnyStep, ...]:
    """The steps in the order in which to take them; () when nothing is to do.

    Raises what tunnels.plan and links.plan_links do.
    """
    first, last = encryption_steps(change)
    steps = (*first, *plan(change), *last)
    links = change.links
    if not (links.old or links.maybe or links.wanted):
        return steps
    from l2tpv3.plan.links import LinkChange, plan_links  # most hosts have no links

    before, after = plan_links(
        LinkChange(
            old=links.old,
            maybe=links.maybe,
            wanted=links.wanted,
            seen=change.observation.links,
            tunnels=_named(change.wanted, change.old),
            tunnels_old=_named(change.maybe, change.old),
            renewed=frozenset(_renewed(steps)),
            late=frozenset(_late(steps)),
            scope=links.scope,
        )
    )
    return (*before, *steps, *after)


def _named(records: Records, others: Records) -> Records:
    """What sessions' netdevs are called: those on the one, and what is only on the other."""
    found = {**others, **records}
    for name, record in records.items():
        if (other := others.get(name)) is not None and other is not record:
            found[name] = _with_others(record, other)
    return found


def _with_others(record: TunnelRecord, other: TunnelRecord) -> TunnelRecord:
    known = {one.spec.name for one in record.sessions}
    left = tuple(one for one in other.sessions if one.spec.name not in known)
    return record.with_sessions((*record.sessions, *left)) if left else record


def _renewed(steps: Iterable[Step]) -> Iterator[tuple[str, str]]:
    """Sessions whose netdev is made, removed or made anew."""
    for step in steps:
        match step:
            case DelTunnel():
                yield from ((step.tunnel.spec.name, one.spec.name) for one in step.tunnel.sessions)
            case DelSession() | ReplaceSession():
                yield step.tunnel.spec.name, step.session.spec.name
            case AddSession(adopt=False):
                yield step.tunnel.spec.name, step.session.spec.name


def _late(steps: Iterable[Step]) -> Iterator[tuple[str, str]]:
    """Sessions whose netdev is there, but gets its name or its place."""
    for step in steps:
        match step:
            case SetNetdev(fields=fields) if not {"ifname", "netns", "mtu"}.isdisjoint(fields):
                yield step.tunnel.spec.name, step.session.spec.name
            case AddSession(adopt=True):
                yield step.tunnel.spec.name, step.session.spec.name
