"""Finds tunnels and cards without a worker, and sessions without a netdev, for a supervisor. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from l2tpv3.linux.filelock import held
from l2tpv3.model.fields import WORKERS
from l2tpv3.model.link_key import link_key
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.status import Condition, TunnelStatus
from l2tpv3.reconcile.observer import Observer
from l2tpv3.store.database import Recorded

Workers = dict[str, int | None]
"""A worker's pid by the name of what it carries; None where nobody carries that, and somebody should."""


def tunnel_workers(recorded: Recorded, look: Observer, runtime: Path, known: Collection[str]) -> Workers:
    """Tunnels on record that have a worker, or have lost theirs, and those that wait on record.

    runtime: tells whether a change is under way. known: tunnels that had a worker in this boot, which count as lost
    without a netdev as well.
    """
    unconfirmed = recorded.pending is not None and recorded.pending.deadline is not None
    found: Workers = {}
    for record in recorded.tunnels.values():
        if record.waits and record.stopped is None and not unconfirmed:
            found[record.spec.name] = None
        if record.datapath not in WORKERS:
            continue  # the kernel's need no looking after, and ten thousand of them take seconds to look at
        status = look.tunnel(record)
        if status.worker_pid is not None:
            found[status.name] = status.worker_pid
        elif record.stopped is None and _is_missing(status, runtime):
            found |= _lost(record, status, look, known)
    return found


def _is_missing(status: TunnelStatus, runtime: Path) -> bool:
    """Whether it does not run, and no change is about to make it."""
    if status.condition is Condition.INCOMPLETE:
        return not held(runtime)
    return status.condition is Condition.MISSING


def _lost(record: TunnelRecord, status: TunnelStatus, look: Observer, known: Collection[str]) -> Workers:
    """What is to be said of a tunnel that does not run."""
    there = [one.netdev for one in status.sessions if one.netdev]
    faults = look.faults(record.datapath)
    if not faults:
        return {status.name: None} if there or status.name in known else {}
    # A worker that can't be worked with may have it; see Observation.may_be_carried.
    attached = look.attached(record.datapath)
    if any(one.up and not one.carrier and one.ifname not in attached for one in there):
        return {status.name: None}
    if there and len(faults) == 1 and faults[0].pid:
        return {status.name: faults[0].pid}  # whose end is to be noticed
    return {}


def card_workers(cards: Iterable[LinkStatus], workers: Callable[[], Mapping[int, bool]], runtime: Path) -> Workers:
    """The virtual cards whose worker died, by `link NAME`. workers: gives those of cards, and whether each answers."""
    cards = list(cards)
    hung = any(one.worker_pid is None for one in cards) and not all(workers().values())
    found: Workers = {}
    for status in cards:
        netdev = status.netdev
        changing = status.condition is Condition.INCOMPLETE and held(runtime)
        if status.worker_pid is not None:
            found[link_key(status.name)] = status.worker_pid
        elif netdev is not None and not changing and not (hung and (netdev.carrier or not netdev.up)):
            found[link_key(status.name)] = None
    return found


def without_netdevs(recorded: Recorded, look: Observer) -> set[str]:
    """Tunnels that run, but lack a session on record, its netdev, or what encrypts them; none while a change is noted.

    Sessions are looked at where workers have them: see tunnel_workers.
    """
    if recorded.pending is not None:
        return set()
    return {
        name
        for name, record in recorded.tunnels.items()
        if record.stopped is None
        and ((record.datapath in WORKERS and _lacks_netdev(record, look)) or look.encryption_lacks(record))
    }


def _lacks_netdev(record: TunnelRecord, look: Observer) -> bool:
    seen = look.match(record)
    if seen is None:
        return False
    there = {one.session_id: one for one in seen.sessions}
    sessions = [there.get(one.spec.session_id) for one in record.sessions]
    return any(one is None or one.attached == "" for one in sessions)
