"""Joins the records of links with what is observed of them, into LinkStatus."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from l2tpv3.model.links.mtu_notes import TAG_BYTES, frames_too_long, tagged_too_long
from l2tpv3.model.links.observed import LinksSeen, LinkState
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import Condition
from l2tpv3.printable import printable


def link_status(record: LinkRecord, seen: LinksSeen, unfinished: Collection[str] = ()) -> LinkStatus:
    """The status of each link on record. unfinished: names of links that a killed change was about."""
    spec = record.spec
    state = seen.present.get(spec.name)
    there = state or LinkState()
    return LinkStatus(
        name=spec.name,
        spec=spec,
        condition=Condition.INCOMPLETE if spec.name in unfinished else _condition(state),
        mac=record.mac,
        over_netns=record.over_netns,
        transient=record.boot is not None,
        netdev=there.netdev,
        over=there.over,
        words=there.words,
        counters=there.counters,
        worker_pid=there.worker_pid,
        notes=tuple(map(printable, _notes(record, state, seen.lacking.get(spec.name, frozenset())))),
    )


def _condition(state: LinkState | None) -> Condition:
    if state is None:
        return Condition.MISSING
    return Condition.UP if state.netdev is None or state.netdev.up else Condition.DOWN


def _notes(record: LinkRecord, state: LinkState | None, lacking: Collection[str]) -> Iterator[str]:
    if record.stopped is not None and state is None:
        yield "`l2tpctl down` stopped it"
    for ifname in sorted(lacking):
        yield f"{ifname} is not there"
    if state is None:
        return
    if record.spec.options.relayed and state.worker_pid is None:
        yield "no worker relays it; `l2tpctl restore` starts one"
    yield from state.notes
    yield from _mtu_notes(record, state)


def _mtu_notes(record: LinkRecord, state: LinkState) -> Iterator[str]:
    if len(set(state.mtus.values())) > 1:
        least, most = (choose(state.mtus, key=lambda ifname: (state.mtus[ifname], ifname)) for choose in (min, max))
        if least in state.sessions:
            wide = state.sessions.get(most, most)
            yield frames_too_long(state.sessions[least], state.mtus[least], wide, state.mtus[most])
        else:
            yield f"MTUs differ beneath it: {least} has {state.mtus[least]} bytes, and longer frames don't pass there"
    if record.spec.type is LinkType.VLAN and state.netdev is not None:
        for session, mtu in state.below_mtu.items():
            if state.netdev.mtu + TAG_BYTES > mtu:
                yield tagged_too_long(record.spec.name, state.netdev.mtu, session, mtu)
