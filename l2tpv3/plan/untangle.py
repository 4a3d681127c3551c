"""Orders steps between which a name or an id passes from one session to another."""

from __future__ import annotations

from collections.abc import Iterator

from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3.model.spec import Encap, SessionSpec, home
from l2tpv3.plan.steps import AddSession, DelSession, ReplaceSession, SetNetdev, Step


def untangle(before: list[Step], middle: list[Step], after: list[Step]) -> tuple[Step, ...]:
    """Give all steps in an order in which a netdev's name or a session's id is free before another session takes it.

    before, middle, after: the steps of a plan; those that change sessions are in `middle`. A session that gives up a
    name or an id that another one takes is removed at the very beginning, and made again in its turn.
    """
    claims: dict[tuple[object, ...], int] = {}
    for index, step in enumerate(middle):
        for key in _claims_after(step):
            claims[key] = index
    result: list[Step] = []
    early: list[Step] = []
    for index, step in enumerate(middle):
        held = _claims_before(step)
        if isinstance(step, (ReplaceSession, SetNetdev)) and any(claims.get(key, index) != index for key in held):
            old_tunnel = step.old_tunnel if isinstance(step, ReplaceSession) else step.tunnel
            old = step.old if isinstance(step, ReplaceSession) else SessionRecord(spec=step.old, mtu=step.old.mtu or 0)
            early.append(DelSession(tunnel=old_tunnel, session=old, why="another one takes its name or id"))
            result.append(AddSession(tunnel=step.tunnel, session=step.session, why=step.why))
        else:
            result.append(step)
    return (*early, *before, *result, *after)


def _claims_after(step: Step) -> Iterator[tuple[object, ...]]:
    """The name and the id that the step's session has afterwards."""
    if isinstance(step, (AddSession, ReplaceSession, SetNetdev)):
        yield from _keys(step.tunnel, step.session.spec)


def _claims_before(step: Step) -> Iterator[tuple[object, ...]]:
    """The name and the id that the step's session has before."""
    if isinstance(step, ReplaceSession):
        yield from _keys(step.old_tunnel, step.old.spec)
    elif isinstance(step, SetNetdev):
        yield from _keys(step.tunnel, step.old)


def _keys(tunnel: TunnelRecord, spec: SessionSpec) -> Iterator[tuple[object, ...]]:
    """A session's name and id, each with the place in which no other session may have the same."""
    yield ("ifname", home(tunnel.spec, spec), spec.ifname)
    own = None if tunnel.spec.encap is Encap.IP else tunnel.spec.tunnel_id  # over UDP an id is a tunnel's own
    yield ("id", tunnel.datapath, tunnel.spec.netns, own, spec.session_id)
