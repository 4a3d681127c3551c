"""Joins what is on record with what datapaths and rtnetlink report, into TunnelStatus and SessionStatus."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from l2tpv3.datapath.base import Datapath, FindsSome, HasWorkers, Unreachable
from l2tpv3.errors import L2tpError, NotFoundError, NotPermittedError, UnavailableError, WorkerError
from l2tpv3.linux.netlink.bridge import BridgeSeen, DroppingFilter, bridges, dropping_filters
from l2tpv3.linux.netns import same_netns
from l2tpv3.model.encryption import EncryptionStatus
from l2tpv3.model.fields import WORKERS
from l2tpv3.model.hearing import Hearing, Reception, hearing_of, hearing_of_all
from l2tpv3.model.observed import Session, Tunnel, TunnelCounters, by_tunnel_id
from l2tpv3.model.probe import CHANNEL, ProbeReport, ProbeState
from l2tpv3.model.probe import NONE as NO_PROBE
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord, is_same
from l2tpv3.model.spec import Encap, Encrypt, Sequencing, SessionSpec, Sublayer, TunnelSpec, unchecked
from l2tpv3.model.status import Condition, NetdevState, SessionStatus, TunnelStatus
from l2tpv3.netdev.base import Evidence, Locator, NetdevConfigurator
from l2tpv3.netdev.netdevs import Netdevs
from l2tpv3.paths import Paths
from l2tpv3.reconcile.notes import LookedAt, session_notes, tunnel_notes
from l2tpv3.reconcile.notes.heard import control_notes, refusal_notes
from l2tpv3.reconcile.notes.outer_path import OuterPaths
from l2tpv3.reconcile.notes.udp_checksum import drops_for_checksums
from l2tpv3.resolve.peer_names import PeerNames
from l2tpv3.resolve.route import Route
from l2tpv3.resolve.route_defaults import encrypted_mtu, route_now
from l2tpv3.store.database import Recorded
from l2tpv3.store.names import NameAnswer
from l2tpv3.store.probes import Probes
from l2tpv3.store.receptions import Receptions, reception_key

if TYPE_CHECKING:
    from l2tpv3.encryption.means import Means
    from l2tpv3.model.observation import Observation

_TELL_FIRST_NAMES = ("kernel",)
"""Datapaths that report the name under which a netdev was made, not its present one."""


class _Sighting(NamedTuple):
    """A session of a record, and what its datapath reports of it; None where it does not run."""

    record: TunnelRecord
    session: SessionRecord
    seen: Session | None

    def identity(self) -> tuple[object, ...]:
        """Which session it is: a name may stand for one in one record, for another one in another."""
        record = self.record
        return record.datapath, record.spec.netns, record.spec.tunnel_id, self.session.spec.session_id


class Observer:
    """Observes this host once: each datapath and each namespace is asked when it is first needed, and not again."""

    @classmethod
    def of_record(
        cls, recorded: Recorded, datapaths: Mapping[str, Datapath], paths: Paths, placer: NetdevConfigurator
    ) -> Observer:
        """An observer of this host for what is on record."""
        pending = recorded.pending
        unfinished = pending.scope if pending and pending.deadline is None else frozenset()
        quick = placer.locator(addresses=False)
        return cls(datapaths, paths, placer.locator(), unfinished, recorded.shown.tunnels, quick=quick)

    @classmethod
    def of_few(cls, datapaths: Mapping[str, Datapath], paths: Paths, placer: NetdevConfigurator) -> Observer:
        """An observer that looks at few sessions, each by itself, and lists nothing; see Datapath's FindsSome."""
        return cls(datapaths, paths, placer.locator(few=True), few=True)

    def __init__(
        self,
        datapaths: Mapping[str, Datapath],
        paths: Paths,
        locator: Locator,
        unfinished: frozenset[tuple[str, str | None]] = frozenset(),
        records: Records | None = None,
        *,
        quick: Locator | None = None,
        few: bool = False,
    ) -> None:
        """unfinished: what a change was about that was killed half-way. records: all that is on record, for notes.

        quick: the locator for sessions of which none has addresses. few: see of_few.
        """
        self._records = records or {}
        self._peer_names = PeerNames(paths.runtime)
        self._outer_paths = OuterPaths(self._records)
        self._bridges: dict[str | None, Mapping[str, BridgeSeen]] = {}
        self._owners: dict[str | None, Mapping[IPv4Address | IPv6Address, Sequence[NetdevState]]] = {}
        self._dropping: dict[str | None, tuple[DroppingFilter, ...]] = {}
        self._unchecksummed: dict[str | None, bool] = {}
        self._unfinished = unfinished
        self._datapaths = datapaths
        self._paths = paths
        self._locator = locator
        self._quick = quick or locator
        self._few = few
        self._seen: dict[tuple[str, str | None], list[Tunnel]] = {}
        self._by_id: dict[tuple[str, str | None], Mapping[int, Sequence[Tunnel]]] = {}
        self._faults: dict[str, tuple[WorkerError, ...]] = {}
        self._not_reached: dict[str, Unreachable] = {}
        self._queues: dict[str | None, Mapping[int, int]] = {}
        self._netdevs: dict[tuple[str | None, str], NetdevState | None] = {}
        self._routes: dict[str, Route | L2tpError] = {}
        self._marked: dict[str, tuple[TunnelRecord, SessionRecord]] | None = None

    def seen(self, datapath: str, netns: str | None) -> list[Tunnel]:
        """The tunnels that a datapath reports in a namespace; none where the datapath or the namespace is not there."""
        key = (datapath, netns)
        if key not in self._seen:
            one = self._datapaths.get(datapath)
            try:
                self._seen[key] = self._carried(one, netns) if one is not None else []
            except (NotFoundError, NotPermittedError, UnavailableError):
                self._seen[key] = []
        return self._seen[key]

    def _carried(self, datapath: Datapath, netns: str | None) -> list[Tunnel]:
        if not isinstance(datapath, HasWorkers):
            return datapath.tunnels(netns)
        carried = datapath.look(netns)
        self._faults[datapath.name] = carried.faults
        return carried.tunnels

    def _some(self, key: tuple[str, str | None], records: Iterable[TunnelRecord]) -> list[Tunnel]:
        """Those of the tunnels on these records that a datapath reports in a namespace."""
        datapath = self._datapaths.get(key[0])
        if not isinstance(datapath, FindsSome):
            return self.seen(*key)
        sessions = {
            record.spec.tunnel_id: [one.spec.session_id for one in record.sessions]
            for record in records
            if key == (record.datapath, record.spec.netns)
        }
        return datapath.some(key[1], sessions)

    def observation(self, *beliefs: Records) -> Observation:
        """Observe the tunnels and sessions on all these records, and what is there beside them.

        What is wanted comes last: of two sessions that run under one name the netdev is told of that one.
        Raises L2tpError where the kernel, or a worker, does not say what is there.
        """
        from l2tpv3.model.observation import Observation, encryption_key

        records = _once_each(beliefs)
        keys = {(record.datapath, record.spec.netns) for record in records}
        if self._few:
            for key in keys:
                self._seen[key] = self._some(key, records)
        tunnels = {key: {one.tunnel_id: one for one in self.seen(*key)} for key in keys}
        encrypted = [record for record in records if record.spec.encrypt is not Encrypt.NONE]
        encryption = {encryption_key(one): self._means(one).state(one, encrypted_mtu(one)) for one in encrypted}
        observation = Observation(tunnels=tunnels, netdevs=self._netdevs_of(records), encryption=encryption)
        missed = {record.datapath for record in records if observation.tunnel(record) is None}
        faults = {name: self.faults(name) for name in missed}
        attached = {name: self.attached(name) for name in missed}
        lost = frozenset((name, tunnel) for name in missed for tunnel in self.lost(name))
        return dataclasses.replace(observation, faults=faults, attached=attached, lost=lost)

    def _netdevs_of(self, records: Iterable[TunnelRecord]) -> dict[tuple[str, str], NetdevState]:
        """The netdevs of the sessions; see Observation.netdevs."""
        by_name: dict[str, list[TunnelRecord]] = {}
        addressed = False
        for record in records:
            by_name.setdefault(record.spec.name, []).append(record)
            addressed = addressed or any(one.spec.addresses for one in record.sessions)
        locator = self._locator if addressed else self._quick
        found: dict[tuple[str, str], NetdevState] = {}
        for name, some in by_name.items():
            sightings: dict[str, list[_Sighting]] = {}
            for record in some:
                there = _sessions_by_id(self.match(record))
                for session in record.sessions:
                    one = _Sighting(record, session, there.get(session.spec.session_id))
                    if len(some) > 1:
                        sightings.setdefault(session.spec.name, []).append(one)
                    elif (netdev := self._netdev(one, locator)) is not None:  # of most of thousands
                        found[name, session.spec.name] = netdev
            for session_name, seen in sightings.items():
                if (netdev := self._netdev_of(seen, locator)) is not None:
                    clamps = any(one.session.spec.clamp_mss for one in seen)
                    found[name, session_name] = locator.with_clamp(netdev) if clamps else netdev
        return found

    def _netdev_of(self, sightings: Sequence[_Sighting], locator: Locator) -> NetdevState | None:
        """Find the netdev of sessions of one name: of the last one that runs, else what an ended worker left."""
        running = [one for one in sightings if one.seen is not None]
        last = running[-1].identity() if running else None
        mine = [one for one in running if one.identity() == last] or sightings
        # Two run where one was about to take the other's place: their netdevs have the same mark.
        others = frozenset(self._attached(one) for one in running if one.identity() != last) - {""}
        return next((netdev for one in mine if (netdev := self._netdev(one, locator, others)) is not None), None)

    def _netdev(
        self, sighting: _Sighting, locator: Locator, others: frozenset[str | None] = frozenset()
    ) -> NetdevState | None:
        """A session's netdev. others: see Evidence."""
        record, session, seen = sighting
        mark = self._paths.mark(record.spec.name, session.spec.name)
        attached = self._attached(sighting) if others else seen.attached if seen is not None else None
        evidence = Evidence(record.datapath, attached, alive=seen is not None, mac=session.mac, others=others)
        found = locator.find(record.spec, session.spec, mark, evidence)
        clamps = found is not None and session.spec.clamp_mss and found.clamp_mtu is None
        return locator.with_clamp(found) if found is not None and clamps else found

    def _attached(self, sighting: _Sighting) -> str | None:
        """See Session.attached; where that tells nothing, the name that the netdev was made under, if one has it."""
        record, _, seen = sighting
        if seen is None or seen.attached is not None or record.datapath not in _TELL_FIRST_NAMES:
            return seen.attached if seen is not None else None
        return seen.ifname if self.netdev(record.spec.netns, seen.ifname) is not None else None

    def match(self, record: TunnelRecord) -> Tunnel | None:
        """The tunnel on record as its datapath reports it, None when it does not."""
        there = self.by_id(record.datapath, record.spec.netns)
        return next((seen for seen in there.get(record.spec.tunnel_id, ()) if is_same(record, seen)), None)

    def by_id(self, datapath: str, netns: str | None) -> Mapping[int, Sequence[Tunnel]]:
        """The tunnels that `seen` gives, by tunnel id: several may have one id, with other addresses or ports."""
        key = (datapath, netns)
        if key not in self._by_id:
            self._by_id[key] = by_tunnel_id(self.seen(*key))
        return self._by_id[key]

    def tunnel(self, record: TunnelRecord) -> TunnelStatus:
        """The status of a tunnel on record. Raises L2tpError where the kernel does not say what is there."""
        looked = self.look_at(record)
        status = looked.status
        sessions = tuple(
            dataclasses.replace(one, notes=notes) if (notes := session_notes(looked, session, one)) else one
            for session, one in zip(record.sessions, status.sessions, strict=True)
        )
        return dataclasses.replace(status, notes=tunnel_notes(looked), sessions=sessions, **_heard_of_all(sessions))

    def look_at(self, record: TunnelRecord) -> LookedAt:
        """A tunnel on record, for those who look for what is wrong with it. Its status has no notes.

        Raises L2tpError where the kernel does not say what is there.
        """
        seen = self.match(record)
        condition = Condition.MISSING if seen is None else Condition.UP
        encryption = self._encryption(record)
        if encryption is not None and encryption.lacks:
            condition = Condition.MISSING
        elif encryption is not None and encryption.by is None and condition is Condition.UP:
            condition = Condition.DOWN  # no keys are agreed on, and nothing passes
        if (record.spec.name, None) in self._unfinished:
            condition = Condition.INCOMPLETE
        there = _sessions_by_id(seen)
        status = TunnelStatus(
            name=record.spec.name,
            spec=record.spec,
            condition=condition,
            datapath=record.datapath,
            reason=record.reason,
            transient=record.boot is not None,
            local=record.local,
            counters=seen.counters if seen is not None else TunnelCounters(),
            worker_pid=seen.worker_pid if seen is not None else None,
            encryption=encryption,
            sessions=tuple(self._session(record, session, there) for session in record.sessions),
        )
        return LookedAt(record=record, seen=seen, status=status, host=self)

    def _means(self, record: TunnelRecord) -> Means:
        from l2tpv3.encryption.means import means

        return means(record.spec.encrypt, self._paths.runtime)

    def encryption_lacks(self, record: TunnelRecord) -> bool:
        """Whether a tunnel is to be encrypted, and what does that is not there or not as on record."""
        status = self._encryption(record)
        return status is not None and bool(status.lacks)

    def _encryption(self, record: TunnelRecord) -> EncryptionStatus | None:
        if record.spec.encrypt is Encrypt.NONE:
            return None
        return self._means(record).status(record, encrypted_mtu(record))

    def peer_name(self, name: str) -> NameAnswer | None:
        """See HostFacts.peer_name."""
        return self._peer_names.kept(name)

    def faults(self, datapath: str) -> tuple[WorkerError, ...]:
        """Why some of a datapath's workers can't be worked with: ask only when a tunnel of it was not found."""
        return self._faults.get(datapath, ()) + self._unreachable(datapath).strays

    def attached(self, datapath: str) -> frozenset[str]:
        """The names of the netdevs that the workers have open of which `faults` tells, as far as it can be told."""
        from l2tpv3.worker.strays import netdevs_of

        return frozenset().union(*(netdevs_of(fault.pid) or () for fault in self.faults(datapath) if fault.pid))

    def lost(self, datapath: str) -> Mapping[str, int]:
        """See Unreachable.lost."""
        return self._unreachable(datapath).lost

    def _unreachable(self, datapath: str) -> Unreachable:
        if datapath not in self._not_reached:
            one = self._datapaths.get(datapath)
            self._not_reached[datapath] = one.unreachable() if isinstance(one, HasWorkers) else Unreachable()
        return self._not_reached[datapath]

    def into_itself(self, record: TunnelRecord) -> str:
        """See HostFacts.into_itself."""
        return self._outer_paths.into_itself(record)

    def route(self, record: TunnelRecord) -> Route:
        """See HostFacts.route."""
        name = record.spec.name
        if name not in self._routes:
            try:
                self._routes[name] = route_now(record)
            except L2tpError as error:
                self._routes[name] = error
        found = self._routes[name]
        if isinstance(found, L2tpError):
            raise found
        return found

    def netdev(self, netns: str | None, ifname: str) -> NetdevState | None:
        """See HostFacts.netdev."""
        key = (netns, ifname)
        if key not in self._netdevs:
            self._netdevs[key] = self._locator.named(netns, ifname)
        return self._netdevs[key]

    def owners(self, netns: str | None, address: IPv4Address | IPv6Address) -> Sequence[NetdevState]:
        """The netdevs of a namespace that have an address."""
        if netns not in self._owners:
            found: dict[IPv4Address | IPv6Address, list[NetdevState]] = {}
            for netdev in self._locator.at(netns):
                for one in netdev.addresses:
                    found.setdefault(one.ip, []).append(netdev)
            self._owners[netns] = found
        return self._owners[netns].get(address, ())

    def bridge(self, netns: str | None, ifname: str) -> BridgeSeen | None:
        """A bridge by its name, with its ports, whoever made it; None where there is none.

        Raises L2tpError where the kernel does not say.
        """
        if netns not in self._bridges:
            self._bridges[netns] = bridges(netns)
        return self._bridges[netns].get(ifname)

    def dropping_filters(self, netns: str | None) -> tuple[DroppingFilter, ...]:
        """See l2tpv3.linux.netlink.bridge.dropping_filters."""
        if netns not in self._dropping:
            self._dropping[netns] = dropping_filters(netns)
        return self._dropping[netns]

    def drops_for_checksums(self, netns: str | None) -> bool:
        """See l2tpv3.reconcile.notes.udp_checksum.drops_for_checksums."""
        if netns not in self._unchecksummed:
            self._unchecksummed[netns] = drops_for_checksums(netns)
        return self._unchecksummed[netns]

    def marked(self, alias: str) -> tuple[TunnelRecord, SessionRecord] | None:
        """The session on record whose owner tag this ifalias is."""
        if self._marked is None:  # for all at once: in a large bridge each port asks for all the others
            self._marked = {
                self._paths.mark(name, session.spec.name): (record, session)
                for name, record in self._records.items()
                for session in record.sessions
            }
        return self._marked.get(alias)

    def _session(self, record: TunnelRecord, session: SessionRecord, there: Mapping[int, Session]) -> SessionStatus:
        """there: the tunnel's sessions by their ids; looking for each among all takes seconds for ten thousand."""
        spec = session.spec
        seen = there.get(spec.session_id)
        netdev = self._netdev(_Sighting(record, session, seen), self._locator)
        if {(record.spec.name, spec.name), (record.spec.name, None)} & self._unfinished:
            condition = Condition.INCOMPLETE
        elif seen is None or netdev is None:
            condition = Condition.MISSING
        else:
            condition = Condition.UP if netdev.up else Condition.DOWN
        status = SessionStatus(name=spec.name, spec=spec, condition=condition, mtu=session.mtu, netdev=netdev)
        if seen is None:
            return status
        counters = seen.counters
        if netdev is not None and record.datapath in WORKERS:
            # The netdev holds frames for a worker, which may not come to take them in time.
            lost = self._dropped(netdev.netns).get(netdev.ifindex, 0)
            counters = dataclasses.replace(counters, tx_errors=counters.tx_errors + lost)
        probing = self._probing(record, spec, seen)
        return dataclasses.replace(
            status,
            send_seq=seen.send_seq,
            recv_seq=seen.recv_seq,
            counters=counters,
            probing=probing,
            failover=seen.failover,
            **_heard(seen, self._reception(record, spec, seen), probing),
        )

    def _probing(self, record: TunnelRecord, session: SessionSpec, seen: Session) -> ProbeReport | None:
        """What the probes of a session came to; None where it has none, or nobody probes."""
        if session.probe == CHANNEL:
            return seen.probing
        return self._probes.of(reception_key(record, session)) if session.probe != NO_PROBE else None

    @cached_property
    def _probes(self) -> Probes:
        return Probes(self._paths.runtime)

    def _reception(self, record: TunnelRecord, session: SessionSpec, seen: Session) -> Reception | None:
        """When a session received something, as its datapath tells, or else who took note of its counters."""
        if seen.reception is not None:
            return seen.reception
        return self._receptions.of(reception_key(record, session), seen.counters)

    @cached_property
    def _receptions(self) -> Receptions:
        return Receptions(self._paths.runtime)

    def _dropped(self, netns: str | None) -> Mapping[int, int]:
        """What the queues of netdevs dropped, by index: no worker sees it."""
        if netns not in self._queues:
            try:
                with Netdevs(netns) as netdevs:
                    self._queues[netns] = netdevs.dropped()
            except (NotFoundError, NotPermittedError):
                self._queues[netns] = {}
        return self._queues[netns]

    def foreign(self, records: Iterable[TunnelRecord], netns: str | None) -> list[TunnelStatus]:
        """The status of tunnels in a namespace that are on no record: another program made them."""
        known: dict[tuple[str, int], list[TunnelRecord]] = {}
        for record in records:
            if same_netns(record.spec.netns, netns):
                known.setdefault((record.datapath, record.spec.tunnel_id), []).append(record)
        return [
            self._foreign(name, seen, netns)
            for name in self._datapaths
            for seen in self.seen(name, netns)
            if not any(is_same(record, seen) for record in known.get((name, seen.tunnel_id), ()))
        ]

    def _foreign(self, datapath: str, seen: Tunnel, netns: str | None) -> TunnelStatus:
        udp = seen.encap is Encap.UDP
        spec = unchecked(
            TunnelSpec,
            name=f"id{seen.tunnel_id}",
            remote=seen.remote,
            local=seen.local,
            encap=seen.encap,
            tunnel_id=seen.tunnel_id,
            peer_tunnel_id=seen.peer_tunnel_id,
            local_port=seen.local_port if udp else 1701,
            remote_port=seen.remote_port if udp else 1701,
            udp_checksum=seen.udp_checksum is not False,
            datapath=datapath,
            netns=netns,
        )
        sessions = tuple(self._foreign_session(one, netns) for one in seen.sessions)
        return TunnelStatus(
            name=f"{datapath}:{seen.tunnel_id}",
            spec=spec,
            condition=Condition.UP,
            datapath=datapath,
            reason="made by something else",
            foreign=True,
            local=seen.local,
            counters=seen.counters,
            worker_pid=seen.worker_pid,
            notes=(*seen.notes, *refusal_notes(f"{datapath}:{seen.tunnel_id}", seen), *control_notes(seen)),
            sessions=sessions,
            **_heard_of_all(sessions),
        )

    def _foreign_session(self, seen: Session, netns: str | None) -> SessionStatus:
        netdev = self._locator.named(netns, seen.ifname)
        spec = unchecked(
            SessionSpec,
            name=str(seen.session_id),
            ifname=seen.ifname,
            session_id=seen.session_id,
            peer_session_id=seen.peer_session_id,
            tx_cookie=seen.tx_cookie,
            rx_cookie=seen.rx_cookie,
            sublayer=seen.sublayer or Sublayer.DEFAULT,
            sequencing=_sequencing(seen),
            reorder_timeout_ms=seen.reorder_timeout_ms,
            vlan=seen.vlan,
            egress=seen.egress,
            fragment=seen.fragment,
        )
        return SessionStatus(
            name=spec.name,
            spec=spec,
            condition=Condition.UP if netdev is None or netdev.up else Condition.DOWN,
            foreign=True,
            mtu=netdev.mtu if netdev else None,
            netdev=netdev,
            send_seq=seen.send_seq,
            recv_seq=seen.recv_seq,
            counters=seen.counters,
            **_heard(seen, seen.reception),
        )


def _once_each(beliefs: Iterable[Records]) -> list[TunnelRecord]:
    """The records of all, each once where it comes last: what stays as it is on record is one object in all of them."""
    by_identity: dict[int, TunnelRecord] = {}
    for some in beliefs:
        for record in some.values():
            by_identity.pop(id(record), None)
            by_identity[id(record)] = record
    return list(by_identity.values())


class _Heard(TypedDict):
    """What SessionStatus and TunnelStatus tell of hearing."""

    hearing: Hearing | None
    last_received_s: float | None


def _heard(seen: Session, reception: Reception | None, probing: ProbeReport | None = None) -> _Heard:
    last_received_s = reception.last_received_s if reception is not None else None
    dead_for_s = probing.since_s if probing is not None and probing.state is ProbeState.DEAD else None
    hearing = hearing_of(seen.counters, reception, dead_for_s)
    if probing is not None and probing.state is ProbeState.ALIVE and hearing is not Hearing.DEAD:
        hearing = Hearing.HEARD  # also where probes are no packets that the session counts
    return {"hearing": hearing, "last_received_s": last_received_s}


def _heard_of_all(sessions: Sequence[SessionStatus]) -> _Heard:
    ages = [one.last_received_s for one in sessions if one.last_received_s is not None]
    return {"hearing": hearing_of_all(one.hearing for one in sessions), "last_received_s": min(ages, default=None)}


def _sessions_by_id(tunnel: Tunnel | None) -> dict[int, Session]:
    return {one.session_id: one for one in tunnel.sessions} if tunnel is not None else {}


def _sequencing(seen: Session) -> Sequencing:
    if seen.send_seq and seen.recv_seq:
        return Sequencing.BOTH
    return Sequencing.SEND if seen.send_seq else Sequencing.RECV if seen.recv_seq else Sequencing.NONE
