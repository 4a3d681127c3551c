"""Plans what encrypts tunnels: it is there before a tunnel, and goes after it. Pure functions, no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import Encrypt
from l2tpv3.plan.plan_input import PlanInput
from l2tpv3.plan.steps import DelEncryption, SetEncryption, Step


def encryption_steps(change: PlanInput) -> tuple[list[Step], list[Step]]:
    """The steps before those of tunnels and sessions, and the steps after them."""
    before: list[Step] = []
    after: list[Step] = []
    for name in sorted({*change.old, *change.maybe, *change.wanted}):
        if change.covers(name):
            wanted = _encrypted(change.wanted.get(name))
            beliefs = [one for some in (change.old, change.maybe) if (one := _encrypted(some.get(name))) is not None]
            if wanted is not None:
                before += _made(change, wanted, beliefs)
            after += _removed(change, wanted, beliefs)
    return [*_in_the_way(before, after), *before], after


def _encrypted(record: TunnelRecord | None) -> TunnelRecord | None:
    return record if record is not None and record.spec.encrypt is not Encrypt.NONE else None


def _made(change: PlanInput, wanted: TunnelRecord, beliefs: list[TunnelRecord]) -> Iterator[SetEncryption]:
    state = change.observation.encryption_of(wanted)
    moved = any(_peer(one) != _peer(wanted) for one in beliefs)
    if state.lacks or moved:
        yield SetEncryption(tunnel=wanted, why=", ".join(state.lacks), new_endpoint=moved)


def _peer(record: TunnelRecord) -> tuple[object, ...]:
    spec = record.spec
    return spec.remote, spec.peer_listen_port, spec.peer_public_key


def _removed(change: PlanInput, wanted: TunnelRecord | None, beliefs: list[TunnelRecord]) -> Iterator[DelEncryption]:
    """What is left of each belief that is not wanted so any more."""
    done: list[tuple[object, ...]] = []
    for one in beliefs:
        kept = wanted if wanted is not None and wanted.spec.netns == one.spec.netns else None
        if _place(one) in done or (kept is not None and kept.spec.inner_remote == one.spec.inner_remote):
            continue
        done.append(_place(one))
        state = change.observation.encryption_of(one)
        if state.guarded or (state.there and kept is None):
            yield DelEncryption(tunnel=one, kept=kept)


def _place(record: TunnelRecord) -> tuple[object, ...]:
    return record.spec.netns, record.spec.inner_remote


def _in_the_way(before: list[Step], after: list[Step]) -> Iterator[DelEncryption]:
    """Netdevs that go, and have a port which another tunnel's gets: they go first, and what refuses packets stays."""
    ports = {(step.tunnel.spec.netns, step.tunnel.spec.listen_port) for step in before}
    for step in after:
        spec = step.tunnel.spec
        if isinstance(step, DelEncryption) and step.kept is None and (spec.netns, spec.listen_port) in ports:
            yield DelEncryption(tunnel=step.tunnel, guard_stays=True)
