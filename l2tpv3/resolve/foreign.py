"""Tunnels on this host that are on no record: something else made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from l2tpv3.model.observed import Tunnel
from l2tpv3.model.record import Records, TunnelRecord, is_same


class TunnelsSeen(Protocol):
    """One look at what runs; l2tpv3.reconcile.observer.Observer is one, shared with whoever plans the steps."""

    def by_id(self, datapath: str, netns: str | None) -> Mapping[int, Sequence[Tunnel]]:
        """The tunnels that a datapath reports in a namespace, by tunnel id; none if either is not there."""


class ForeignTunnels:
    """Finds the foreign tunnels of one look, and remembers the ids that it found."""

    def __init__(self, datapaths: Iterable[str], look: TunnelsSeen, records: Records, unfinished: Records) -> None:
        """datapaths: their names. unfinished: what a killed change was making, which is ours as well."""
        self._datapaths = tuple(datapaths)
        self._look = look
        self._before = records
        self._unfinished = unfinished
        self._ids: dict[str | None, set[int]] = {}

    def names(self) -> list[str]:
        """The foreign tunnels here and in namespaces of recorded tunnels, as `tunnel show` calls them: `kernel:7`."""
        places = dict.fromkeys([None, *(record.spec.netns for record in self._before.values())])
        return [f"{name}:{number}" for name in self._datapaths for one in places for number in self._of(name, one)]

    def ids(self, netns: str | None) -> set[int]:
        """The tunnel ids of the foreign tunnels in a namespace, of all datapaths."""
        if netns not in self._ids:
            self._ids[netns] = {number for name in self._datapaths for number in self._of(name, netns)}
        return self._ids[netns]

    def _of(self, datapath: str, netns: str | None) -> set[int]:
        """The tunnel ids of the foreign tunnels in a namespace, of one datapath."""
        ours: dict[int, list[TunnelRecord]] = {}
        for record in (*self._before.values(), *self._unfinished.values()):
            if record.datapath == datapath:
                ours.setdefault(record.spec.tunnel_id, []).append(record)
        foreign: set[int] = set()
        for number, seen in self._look.by_id(datapath, netns).items():
            known = ours.get(number, ())
            if any(not any(is_same(record, one) for record in known) for one in seen):
                foreign.add(number)
        return foreign
