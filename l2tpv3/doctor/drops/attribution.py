"""Whose packets the kernel dropped: those of a tunnel on the wire outside, or frames at the netdev of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from l2tpv3.doctor.drops.watching import Drop, IPAddress, Wanted
from l2tpv3.linux.netns import netns_identity
from l2tpv3.model.record import TunnelRecord, ends
from l2tpv3.model.spec import Encap, Encrypt
from l2tpv3.model.status import NetdevState
from l2tpv3.reconcile.notes import LookedAt

_UDP, _ESP, _L2TP = 17, 50, 115
_Place = tuple[int, int]  # the inode of a network namespace, and the index of a netdev


class TunnelDrops(NamedTuple):
    """What was dropped of one tunnel. outside: packets between its ends. inside: by session, frames at its netdev."""

    outside: tuple[Drop, ...]
    inside: dict[str, tuple[Drop, ...]]


def wanted(looked: Iterable[LookedAt]) -> Wanted:
    """What has to be counted for these tunnels."""
    netdevs: set[_Place] = set()
    peers: set[IPAddress] = set()
    for one in looked:
        peers |= {one.record.spec.remote, ends(one.record)[1]}
        netdevs |= {_place(session.netdev) for session in one.status.sessions if session.netdev is not None}
    return Wanted(netdevs=netdevs, peers=peers)


class Attribution:
    """Drops of a host, to be asked for those of each tunnel."""

    def __init__(self, drops: Iterable[Drop]) -> None:
        self._between: dict[frozenset[IPAddress | None], list[Drop]] = {}
        self._at: dict[_Place, list[Drop]] = {}
        for one in drops:
            self._between.setdefault(frozenset((one.source, one.destination)), []).append(one)
            self._at.setdefault((one.netns, one.ifindex), []).append(one)

    def of(self, looked: LookedAt) -> TunnelDrops:
        """Those of one tunnel."""
        record = looked.record
        identity = netns_identity(record.spec.netns)
        anywhere = (0, identity[1] if identity is not None else 0)
        between = {frozenset((record.local, record.spec.remote)), frozenset(ends(record))}
        outside = tuple(
            one
            for both in between
            for one in self._between.get(both, ())
            if one.netns in anywhere and _is_of(record, one)
        )
        inside: dict[str, tuple[Drop, ...]] = {}
        for session in looked.status.sessions:
            there = self._at.get(_place(session.netdev), ()) if session.netdev is not None else ()
            if found := tuple(one for one in there if one not in outside):
                inside[session.name] = found
        return TunnelDrops(outside, inside)


def _place(netdev: NetdevState) -> _Place:
    identity = netns_identity(netdev.netns)
    return (identity[1] if identity is not None else 0, netdev.ifindex)


def _is_of(record: TunnelRecord, drop: Drop) -> bool:
    """Whether a packet between the ends of a tunnel is one of its own.

    Later fragments have no ports: they are of each tunnel that fits. The packets of what encrypts one have other ports.
    """
    spec = record.spec
    local, remote = ends(record)
    if {drop.source, drop.destination} == {record.local, spec.remote} and spec.encrypt is not Encrypt.NONE:
        return drop.protocol in (_UDP, _ESP)
    if {drop.source, drop.destination} != {local, remote}:
        return False
    if spec.encap is Encap.IP:
        return drop.protocol == _L2TP
    ports = (drop.source_port, drop.destination_port)
    outwards = (spec.local_port, spec.remote_port)
    return drop.protocol == _UDP and ports in ((0, 0), outwards if drop.source == local else outwards[::-1])
