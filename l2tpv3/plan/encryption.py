"""Plans what encrypts tunnels: it is there before a tunnel, and goes after it. Pure functions, no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from l2tpv3.model.observation import guarded
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.spec import Encrypt
from l2tpv3.plan.plan_input import PlanInput
from l2tpv3.plan.steps import DelEncryption, SetEncryption, Step


def encryption_steps(change: PlanInput) -> tuple[list[Step], list[Step]]:
    """The steps before those of tunnels and sessions, and the steps after them."""
    before: list[SetEncryption] = []
    after: list[DelEncryption] = []
    changing: list[TunnelRecord] = []
    for name in sorted({*change.old, *change.maybe, *change.wanted}):
        if change.covers(name):
            wanted = _encrypted(change.wanted.get(name))
            beliefs = [one for some in (change.old, change.maybe) if (one := _encrypted(some.get(name))) is not None]
            made = [*_made(change, wanted, beliefs)] if wanted is not None else []
            before += made
            after += _removed(change, wanted, beliefs)
            changing += beliefs if made else []
    going = [step.tunnel for step in after if step.kept is None]
    owners = {_place(one): name for name, record in change.wanted.items() if (one := _encrypted(record)) is not None}
    after = [spared for step in after if (spared := _sparing(step, owners)) is not None]
    return [*_in_the_way(change, [*going, *changing], before), *before], [*after]


def _encrypted(record: TunnelRecord | None) -> TunnelRecord | None:
    return record if record is not None and record.spec.encrypt is not Encrypt.NONE else None


def _made(change: PlanInput, wanted: TunnelRecord, beliefs: list[TunnelRecord]) -> Iterator[SetEncryption]:
    state = change.observation.encryption_of(wanted)
    moved = any(_peer(one) != _peer(wanted) for one in beliefs)
    if state.lacks or moved:
        yield SetEncryption(tunnel=wanted, why=", ".join(state.lacks), new_endpoint=moved)


def _peer(record: TunnelRecord) -> tuple[object, ...]:
    """Who and where the peer is. One that keeps its address inside is the same, with a new key, wherever it is now.

    With IPsec: by which key it is known, which is then asked for anew.
    """
    spec = record.spec
    if spec.encrypt is Encrypt.IPSEC:
        return spec.encrypt, spec.ike_auth, spec.pre_shared_key
    return spec.encrypt, spec.remote, spec.peer_listen_port, spec.inner_remote


def _removed(change: PlanInput, wanted: TunnelRecord | None, beliefs: list[TunnelRecord]) -> Iterator[DelEncryption]:
    """What is left of each belief that is not wanted so any more."""
    done: list[tuple[object, ...]] = []
    for one in beliefs:
        kept = wanted if wanted is not None and _means(wanted) == _means(one) else None
        if _place(one) in done or (kept is not None and _place(kept) == _place(one)):
            continue
        done.append(_place(one))
        state = change.observation.encryption_of(one)
        if state.guarded or (state.there and kept is None):
            yield DelEncryption(tunnel=one, kept=kept)


def _means(record: TunnelRecord) -> tuple[object, ...]:
    return record.spec.netns, record.spec.encrypt


def _place(record: TunnelRecord) -> tuple[object, ...]:
    return record.spec.netns, guarded(record)


def _sparing(step: DelEncryption, owners: dict[tuple[object, ...], str]) -> DelEncryption | None:
    """The step, but for what refuses packets to a peer that another tunnel gets; None where that was all of it.

    owners: the tunnels that are wanted, by their peers.
    """
    name = step.tunnel.spec.name
    if owners.get(_place(step.tunnel), name) == name:
        return step
    return DelEncryption(tunnel=step.tunnel, guard_stays=True) if step.kept is None else None


def _in_the_way(change: PlanInput, beliefs: list[TunnelRecord], before: list[SetEncryption]) -> Iterator[DelEncryption]:
    """Netdevs with a port or a peer that another tunnel gets go first, also those that are then made anew.

    What refuses packets in the clear stays. beliefs: of tunnels whose netdevs go, or are changed.
    """
    new_owners = {key: step.tunnel.spec.name for step in before for key in _claims(step.tunnel)}
    done: set[tuple[object, ...]] = set()
    for one in beliefs:
        netdev = (one.spec.name, one.spec.netns)
        in_the_way = any(new_owners.get(key, one.spec.name) != one.spec.name for key in _claims(one))
        if in_the_way and netdev not in done and change.observation.encryption_of(one).there:
            done.add(netdev)
            yield DelEncryption(tunnel=one, guard_stays=True)


def _claims(record: TunnelRecord) -> tuple[tuple[object, ...], ...]:
    """What two tunnels can't have at once: WireGuard's port, and what refuses packets in the clear."""
    peer = ("peer", *_place(record))
    return (peer,) if record.spec.listen_port is None else (("port", record.spec.netns, record.spec.listen_port), peer)
