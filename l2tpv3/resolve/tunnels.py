"""Resolves words to records: chooses what was left open, and refuses what can't work before anything is changed."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Any, Final

from l2tpv3.datapath.base import Datapath
from l2tpv3.encryption.means import why_not
from l2tpv3.errors import (
    L2tpError,
    MissingError,
    NoAddressError,
    UnavailableError,
    about_session,
)
from l2tpv3.linux.netns import require_netns
from l2tpv3.model import ids
from l2tpv3.model.desired import DesiredTunnel
from l2tpv3.model.late import WAITED_FOR, Late
from l2tpv3.model.mtu import session_mtu
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord, clamp_mtu, is_same, outer
from l2tpv3.model.spec import Encrypt, SessionSpec, TunnelSpec, home, lacks
from l2tpv3.model.status import NetdevState
from l2tpv3.netdev.base import Locator, NetdevConfigurator
from l2tpv3.paths import Paths
from l2tpv3.resolve import allocate, conflicts
from l2tpv3.resolve.conflict_keys import Identities
from l2tpv3.resolve.foreign import ForeignTunnels, TunnelsSeen
from l2tpv3.resolve.free_ids import FreeIfnames, FreeNumbers
from l2tpv3.resolve.listen_ports import lowest_listen_port
from l2tpv3.resolve.peer_names import PeerNames
from l2tpv3.resolve.ports import Ports
from l2tpv3.resolve.route import DETECTION_S, Route, find_route
from l2tpv3.resolve.route_defaults import inner_mtu, measured, route_now
from l2tpv3.value_class import value_class

_MANY = 8
"""Sessions for which listing the netdevs once is quicker than looking for each."""
_USUAL_MTU = 1500
"""MTU of a route in bytes where there is no route yet: Ethernet's."""


@value_class(frozen=True, slots=True)
class HostAccess:
    """Questions that resolving tunnels asks of a host. They change nothing."""

    datapaths: Mapping[str, Datapath]
    placer: NetdevConfigurator
    paths: Paths
    look: TunnelsSeen
    names: PeerNames


class TunnelResolver:
    """Resolves wanted tunnels and sessions against what is on record. Every method raises L2tpError."""

    def __init__(
        self,
        host: HostAccess,
        records: Records,
        unfinished: Records | None = None,
        bridges: Collection[str] = (),
    ) -> None:
        """unfinished: what a killed change was making. It may be there and is ours; what it had chosen is kept.

        bridges: those that are links of ours, which are there before any session joins them.
        """
        self._datapaths = host.datapaths
        self._placer = host.placer
        self._paths = host.paths
        self._look = host.look
        self._names_of_peers = host.names
        self._before = records
        self._bridges = frozenset(bridges)
        self._unfinished = unfinished or {}
        self._records = dict(records)
        self._without_port: dict[str, bool] = {}  # by name: whether the remote port is left open as well
        self._ifnames: dict[str | None, set[str]] = {}
        self.foreign: Final = ForeignTunnels(host.datapaths, host.look, records, self._unfinished)
        self._netns = Identities()
        self._free_tunnel_ids: dict[Hashable, FreeNumbers] = {}
        self._free_session_ids: conflicts.FreeSessionIds | None = None
        self._free_ifnames: FreeIfnames | None = None
        self._route_mtu: dict[TunnelSpec, int] = {}
        self._patience_s = DETECTION_S
        self._may_lack = False
        self._macs: set[str] | None = None
        self._locator: Locator | None = None
        self._own: dict[tuple[str | None, str | None], set[str]] = {}
        self._bridged: set[tuple[str, str | None, str]] = set()

    def all(
        self,
        wanted: Iterable[DesiredTunnel],
        *,
        prune: bool,
        may_lack: bool = False,
        remove: Collection[str] = frozenset(),
    ) -> Records:
        """The record with the wanted tunnels added or changed. prune: all others are removed. remove: those that are.

        may_lack: what is not running may lack what it needs of the host (see model.late), but for what a tunnel's own
        local address would have to be chosen by; `resolve_again` tells what that is.
        Raises InvalidValueError for a word or value that can't be meant, ConflictError or ExistsError for an id, port
        or name that is taken, NoRouteError, NoAddressError, MissingError for what the host lacks, and UnavailableError
        for a datapath that does not work here.
        """
        wanted, self._may_lack = tuple(wanted), may_lack
        if prune:
            self._prune({one.name: {session.name for session in one.sessions} for one in wanted})
        gone = {*remove} - {one.name for one in wanted}
        self._records = {name: _without(one, gone) for name, one in self._records.items() if name not in gone}
        # What has an id keeps it; then the others choose from what is left.
        for one in sorted(wanted, key=lambda one: "id" not in one.words and one.name not in self._records):
            self._resolve_tunnel(one.name, one.words)
            record = _started(self._records[one.name])
            self._records[one.name] = record if record.boot is None else dataclasses.replace(record, boot=None)  # lasts
        self._choose_ports()
        self._compare_again()
        for one in wanted:
            self._resolve_sessions(one.name, {session.name: session.words for session in one.sessions})
        self._check([one.name for one in wanted], [(one.name, it.name) for one in wanted for it in one.sessions])
        return dict(sorted(self._records.items()))

    def _prune(self, kept: Mapping[str, set[str]]) -> None:
        pruned: dict[str, TunnelRecord] = {}
        for name, record in self._records.items():
            if name in kept:
                sessions = tuple(one for one in record.sessions if one.spec.name in kept[name])
                pruned[name] = record.with_sessions(sessions)
        self._records = pruned

    def tunnel(self, name: str, words: Mapping[str, Any]) -> Records:
        """Give the records with one tunnel added, or changed to what the words and the defaults say.

        Raises what `all` does.
        """
        self._resolve_tunnel(name, words)
        self._choose_ports()
        self._records[name] = _started(self._records[name])
        self._check([name], [(name, one.spec.name) for one in self._records[name].sessions])
        return dict(sorted(self._records.items()))

    def session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> Records:
        """Give the records with one session added, or changed to what the words and the defaults say.

        Raises what `all` does.
        """
        self._resolve_session(tunnel, name, words)
        self._check([], [(tunnel, name)])
        return self._records

    def _check(self, tunnels: Iterable[str], sessions: Iterable[tuple[str, str]]) -> None:
        changed = [name for name in tunnels if _itself(self._records[name]) != _itself(self._before.get(name))]
        conflicts.check_tunnels(self._records, changed, self.foreign.ids)
        differing = self._differing(sessions)
        if differing:
            conflicts.check_sessions(self._records, differing)
        for tunnel, name in differing:
            record, before = self._records[tunnel], self._before.get(tunnel)
            session = record.session(name)
            if session is None or session.spec.bridge is None:
                continue
            old = before.session(name) if before is not None and _itself(before) == _itself(record) else None
            if old is None or _moves(record, old.spec, session.spec):
                self.check_bridge(record, session.spec, session.spec.bridge)

    def _differing(self, sessions: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The sessions that differ from the record, or whose tunnel does. All others exist already."""
        found: list[tuple[str, str]] = []
        same: dict[str, bool] = {}
        for tunnel, name in sessions:
            record, before = self._records[tunnel], self._before.get(tunnel)
            if record is before:
                continue
            if tunnel not in same:
                same[tunnel] = _itself(before) == _itself(record)
            if before is None or not same[tunnel] or record.session(name) != before.session(name):
                found.append((tunnel, name))
        return found

    def check_bridge(self, tunnel: TunnelRecord, session: SessionSpec, bridge: str) -> None:
        """Check that the bridge of a session does not carry the packets of the session's own tunnel.

        Raises ConflictError.
        """
        key = (tunnel.spec.name, home(tunnel.spec, session), bridge)
        if key not in self._bridged:
            self._placer.check_bridge(outer(tunnel), f"session {tunnel.spec.name}/{session.name}", *key[1:])
            self._bridged.add(key)

    def resolve_again(self, names: Collection[str] | None, late: Late, *, tunnels_too: bool = False) -> Records:
        """Give the records with addresses and MTUs looked up once more where they were left open. names: of these
        tunnels alone.

        late: gets the sessions whose namespace or bridge is not there yet. What a whole tunnel lacks is raised
        (NoRouteError, NoAddressError, MissingError), or with `tunnels_too` goes there, and its record is marked so.
        """
        for key in [key for key in self._records if names is None or key in names]:
            record = _started(self._records[key])
            missing = self._missing_places(record)
            late.sessions |= missing
            waits = bool(missing) and (tunnels_too or self._records[key].waits)
            try:
                self._records[key] = dataclasses.replace(self._as_chosen_now(record), waits=waits)
            except WAITED_FOR as error:
                if not tunnels_too:
                    raise next(iter(missing.values()), error) from error  # one thing after the other
                late.tunnels[key] = error
                late.sessions |= {(key, one.spec.name): error for one in record.sessions}
                self._records[key] = dataclasses.replace(record, waits=True)
        return self._records

    def _missing_places(self, record: TunnelRecord) -> dict[tuple[str, str], L2tpError]:
        """The namespaces and bridges that are missing, before anything is made that would have to be undone."""
        missing: dict[tuple[str, str], L2tpError] = {}
        for session in record.sessions:
            spec = session.spec
            try:
                names = self._names(home(record.spec, spec))
                if spec.bridge is not None and spec.bridge not in self._bridges and spec.bridge not in names:
                    remedy = f"`l2tpctl link add {spec.bridge} --type bridge` makes it"
                    raise MissingError(f"session {record.spec.name}/{spec.name}", f"no bridge {spec.bridge}", remedy)
            except MissingError as error:
                missing[record.spec.name, spec.name] = error
        return missing

    def _as_chosen_now(self, record: TunnelRecord) -> TunnelRecord:
        """The record with the peer's address, the local address, datapath and MTUs that would be chosen now, where the
        user left them open.

        A tunnel that runs keeps what it has while there is no route: nothing of it is missing, and routes come back.
        Another one raises what it lacks: NoRouteError, NoAddressError, MissingError.
        """
        live = self._is_live(record)
        remote = self._names_of_peers.present(record.spec)
        try:
            spec = record.spec if remote == record.spec.remote else dataclasses.replace(record.spec, remote=remote)
            fresh = record if live and spec is record.spec else self._planned(spec, record)
            route = route_now(fresh)
        except L2tpError:
            if not live:
                raise
            return record
        if route.local != fresh.local:
            fresh = dataclasses.replace(fresh, local=route.local)
        fresh = measured(fresh, route.mtu)
        if all(one.mac is not None for one in fresh.sessions):
            return fresh
        return fresh.with_sessions(tuple(self._with_mac(fresh, one) for one in fresh.sessions))

    def _with_mac(self, tunnel: TunnelRecord, session: SessionRecord) -> SessionRecord:
        return dataclasses.replace(session, mac=session.spec.mac or self._mac(tunnel, session))

    def _compare_again(self) -> None:
        """What nothing was said about, but whose surroundings may have changed: as `restore` would have it."""
        for name, record in self._records.items():
            if self._before.get(name) == record:
                with contextlib.suppress(L2tpError):  # which making it will say
                    self._records[name] = self._as_chosen_now(record)

    def chosen_otherwise(self) -> set[str]:
        """The tunnels that run and for which something else would be chosen now: peer's or local address, or an MTU."""
        return {
            name
            for name, record in self._records.items()
            if record.stopped is None
            and self._is_live(record)
            and _chosen(self._as_chosen_now(record)) != _chosen(record)
        }

    def _is_live(self, record: TunnelRecord) -> bool:
        seen = self._look.by_id(record.datapath, record.spec.netns)
        return any(is_same(record, one) for one in seen.get(record.spec.tunnel_id, ()))

    def _resolve_tunnel(self, name: str, words: Mapping[str, Any]) -> None:
        old = self._records.get(name)
        chosen = old or self._unfinished.get(name)
        like = chosen.spec if chosen else None
        subject = f"tunnel {name}: --id"
        spec = allocate.resolve_tunnel(
            name, words, like, lambda netns: self._free_ids(netns).lowest(subject), self._free_listen_port,
            lambda peer, local: self._names_of_peers.first_address(name, peer, local),
        )  # fmt: skip
        if allocate.port_is_open(words, chosen.spec if chosen else None):
            self._without_port[name] = words.get("remote-port") is None
        elif old is not None and spec == old.spec:
            return
        record = self._planned_or_late(spec, old)
        sessions = tuple(self._measured(record, one.spec, one) for one in record.sessions)
        self._records[name] = record.with_sessions(sessions)
        if old is not None and (free := self._free_tunnel_ids.get(self._netns[old.spec.netns])) is not None:
            free.give_back(old.spec.tunnel_id)
        if (free := self._free_tunnel_ids.get(self._netns[spec.netns])) is not None:
            free.take(spec.tunnel_id)

    def _free_listen_port(self, netns: str | None) -> int:
        """The lowest port for WireGuard that no tunnel has in that namespace, and no other program."""
        where = self._netns[netns]
        known = (*self._records.values(), *self._before.values(), *self._unfinished.values())
        taken = {one.spec.listen_port for one in known if self._netns[one.spec.netns] == where}
        return lowest_listen_port(netns, taken)

    def _choose_ports(self) -> None:
        """Choose the ports of tunnels without a local port, now that all ports that were given are known."""
        open_ones, self._without_port = self._without_port, {}
        if not open_ones:
            return
        others = {name: record for name, record in self._records.items() if name not in open_ones}
        ports = Ports(others, {**self._unfinished, **self._before})
        for name, both in open_ones.items():
            record = self._records[name]
            local = ports.lowest_local(record)
            remote = ports.lowest_remote(record) if both else record.spec.remote_port
            spec = dataclasses.replace(record.spec, local_port=local, remote_port=remote)
            self._records[name] = dataclasses.replace(record, spec=spec)
            ports.add(self._records[name])

    def _free_ids(self, netns: str | None) -> FreeNumbers:
        """Tunnel ids of a namespace."""
        where = self._netns[netns]
        if where not in self._free_tunnel_ids:
            specs = [record.spec for record in self._records.values()]
            taken = [spec.tunnel_id for spec in specs if self._netns[spec.netns] == where]
            self._free_tunnel_ids[where] = FreeNumbers([*taken, *self.foreign.ids(netns)])
        return self._free_tunnel_ids[where]

    def _planned(self, spec: TunnelSpec, old: TunnelRecord | None) -> TunnelRecord:
        """The record of a tunnel with its local address and datapath chosen.

        Raises NoRouteError, NoAddressError, UnavailableError.
        """
        require_netns(spec.netns)  # one that is made on demand has no route
        if spec.encrypt is not Encrypt.NONE and (reason := why_not(spec)):
            raise UnavailableError(f"tunnel {spec.name}", f"it can't be encrypted here: {reason}")
        route = self._route_of(spec, old)
        kept = old.datapath if old is not None and old.spec.datapath == spec.datapath else None
        sessions = old.sessions if old is not None else ()
        datapath, reason = allocate.choose_datapath(spec, self._able(spec, sessions), kept)
        if old is not None and datapath.name == kept:
            reason = old.reason
        return TunnelRecord(
            spec=spec,
            local=route.local,
            datapath=datapath.name,
            reason=reason,
            boot=old.boot if old else None,
            sessions=old.sessions if old else (),
        )

    def _planned_or_late(self, spec: TunnelSpec, old: TunnelRecord | None) -> TunnelRecord:
        """Do what `_planned` does; where the tunnel may lack what it needs, with the local address given or on record.

        One that is to be chosen depends on the route, as UDP ports depend on it: such a tunnel can't wait, nor can one
        that runs otherwise than it is to run then, and would be lost sight of.
        """
        try:
            return self._planned(spec, old)
        except WAITED_FOR as error:
            if not self._may_lack or (old is not None and self._is_live(old)):
                raise
            local = old.local if old is not None and _keeps_address(spec, old.spec) else spec.local
            if local is None:
                remedy = "give its local address (`local`, --local): without it, it can't wait for that on record"
                raise type(error)(error.subject, error.problem, remedy, errno=error.errno) from error
            datapath, reason = allocate.choose_datapath(spec, self._datapaths)
            boot, sessions = (old.boot, old.sessions) if old is not None else (None, ())
            return TunnelRecord(
                spec=spec, local=local, datapath=datapath.name, reason=reason, boot=boot, sessions=sessions
            )

    def _route_of(self, spec: TunnelSpec, old: TunnelRecord | None) -> Route:
        """The route, waiting a moment for a local address that has come just now; not for every tunnel again."""
        try:
            if old is not None and _keeps_address(spec, old.spec):
                return route_now(dataclasses.replace(old, spec=spec), patience_s=self._patience_s)
            return find_route(spec, patience_s=self._patience_s)
        except NoAddressError:
            self._patience_s = 0.0
            raise

    def _resolve_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> None:
        self._resolve_sessions(tunnel, {name: words})

    def _resolve_sessions(self, tunnel: str, wanted: Mapping[str, Mapping[str, Any]]) -> None:
        """Sessions of one tunnel, by name: those that have an id first."""
        record = self._records[tunnel]
        there = {one.spec.name: one for one in record.sessions}
        begun = self._unfinished.get(tunnel)
        chosen = {**{one.spec.name: one for one in (begun.sessions if begun else ())}, **there}
        changed = False

        def free_id() -> int:
            if self._free_session_ids is None:
                so_far = record.with_sessions(tuple(there.values()))
                self._free_session_ids = conflicts.FreeSessionIds({**self._records, tunnel: so_far})
            return self._free_session_ids.lowest(record, f"session {name}: --id")

        def free_ifname(netns: str | None) -> str:
            return self._free_ifname(record, netns)

        for name in sorted(wanted, key=lambda name: "id" not in wanted[name] and name not in there):
            old, like = there.get(name), chosen.get(name)
            whole = old if old is not None and old.mac is not None else None
            if whole is not None and allocate.is_settled(wanted[name], whole.spec):
                continue
            with about_session(tunnel, name):
                spec = allocate.resolve_session(name, wanted[name], like.spec if like else None, free_id, free_ifname)
                if whole is not None and spec == whole.spec:
                    continue
                self._require_place(record, old, spec, many=len(wanted) > _MANY)
            there[name] = self._measured(record, spec, like)
            self._note(record, old.spec if old else None, spec)
            changed = True
        if changed:
            self._records[tunnel] = self._suited(record.with_sessions(tuple(there.values())))

    def _able(self, spec: TunnelSpec, sessions: Iterable[SessionRecord]) -> Mapping[str, Datapath]:
        """The datapaths that can do all that the sessions ask for, where the choice is ours; else all."""
        if spec.datapath != "auto":
            return self._datapaths
        return {
            name: one
            for name, one in self._datapaths.items()
            if not any(lacks(session.spec, name) for session in sessions)
        }

    def _suited(self, record: TunnelRecord) -> TunnelRecord:
        """The tunnel on another datapath, where that was chosen by us, and a session asks for what it can't do.

        Not where that would interrupt other sessions: whoever wants that says so. conflicts.py then refuses it.
        """
        asking = {one.spec.name for one in record.sessions if lacks(one.spec, record.datapath)}
        before = self._before.get(record.spec.name)
        others = {one.spec.name for one in before.sessions} - asking if before is not None else None
        able = self._able(record.spec, record.sessions)
        if not asking or others or record.datapath in able or not able:
            return record
        datapath, reason = allocate.choose_datapath(record.spec, able)
        return dataclasses.replace(record, datapath=datapath.name, reason=reason)

    def _require_place(self, record: TunnelRecord, old: SessionRecord | None, spec: SessionSpec, *, many: bool) -> None:
        """Check that a new or moved session can be in its place.

        many: there are many sessions, so names alone are compared.
        """
        stays = old is not None and not _moves(record, old.spec, spec)
        if not stays and not (many and self._is_plainly_free(record, spec)):
            self._check_place(record, old, spec)

    def _check_place(self, record: TunnelRecord, old: SessionRecord | None, spec: SessionSpec) -> None:
        """See NetdevConfigurator.check.

        A session that is not there may lack its bridge or namespace, where that is allowed.
        """
        try:
            self._placer.check(record.spec, spec, ours=self._ours(record, spec), bridges=self._bridges)
        except MissingError:
            if not self._may_lack or (old is not None and self._netdev(record, old) is not None):
                raise

    def _note(self, tunnel: TunnelRecord, old: SessionSpec | None, new: SessionSpec) -> None:
        """Note the id and the name of a session, for sessions that are resolved after it."""
        if self._free_session_ids is not None:
            if old is not None:
                self._free_session_ids.give_back(tunnel, old.session_id)
            self._free_session_ids.take(tunnel, new.session_id)
        if self._free_ifnames is not None:
            self._free_ifnames.take(new.ifname)

    def _is_plainly_free(self, tunnel: TunnelRecord, spec: SessionSpec) -> bool:
        """Whether the names of all netdevs tell that this one can be there: looking for one takes a request each."""
        place = home(tunnel.spec, spec)
        named = spec.ifname in self._names(place) or spec.ifname in self._names(tunnel.spec.netns)
        return not named and (spec.bridge is None or spec.bridge in self._bridges or spec.bridge in self._names(place))

    def _free_ifname(self, tunnel: TunnelRecord, netns: str | None) -> str:
        if self._free_ifnames is None:
            records = (*self._records.values(), *self._before.values())
            self._free_ifnames = FreeIfnames(one.spec.ifname for record in records for one in record.sessions)
        namespaces = (tunnel.spec.netns, netns or tunnel.spec.netns)
        return self._free_ifnames.lowest(namespaces, [self._names(place) for place in namespaces])

    def _ours(self, tunnel: TunnelRecord, spec: SessionSpec) -> set[str]:
        """Names of netdevs that are our own: whether they are in the way is for conflicts.py to say."""
        namespaces = (home(tunnel.spec, spec), tunnel.spec.netns)
        if namespaces not in self._own:
            self._own[namespaces] = {
                one.spec.ifname
                for record in (*self._before.values(), *self._unfinished.values())
                if self._is_live(record)
                for one in record.sessions
                if home(record.spec, one.spec) in namespaces
            }
        return self._own[namespaces]

    def _measured(self, tunnel: TunnelRecord, spec: SessionSpec, old: SessionRecord | None) -> SessionRecord:
        """old: what that session is on record as, or was about to be."""
        mtu = spec.mtu if spec.mtu is not None else self._mtu(tunnel, spec)
        clamp = clamp_mtu(spec, mtu, self._mtu(tunnel, spec)) if spec.clamp_mss else None
        return SessionRecord(spec=spec, mtu=mtu, mac=spec.mac or self._mac(tunnel, old), clamp_mtu=clamp)

    def _mac(self, tunnel: TunnelRecord, old: SessionRecord | None) -> str:
        """What it has: on record, else (recorded before MAC addresses were) its netdev; else one of its own."""
        if old is not None and old.mac is not None:
            return old.mac
        if old is not None and (netdev := self._netdev(tunnel, old)) is not None:
            return netdev.mac
        if self._macs is None:
            records = (*self._records.values(), *self._before.values(), *self._unfinished.values())
            self._macs = {one.mac for record in records for one in record.sessions if one.mac is not None}
        chosen = ids.generate_mac(self._macs)
        self._macs.add(chosen)
        return chosen

    def _netdev(self, tunnel: TunnelRecord, session: SessionRecord) -> NetdevState | None:
        if self._locator is None:
            self._locator = self._placer.locator()
        mark = self._paths.mark(tunnel.spec.name, session.spec.name)
        return self._locator.find(tunnel.spec, session.spec, mark)

    def _mtu(self, record: TunnelRecord, spec: SessionSpec) -> int:
        tunnel = outer(record)
        if tunnel not in self._route_mtu:
            try:
                self._route_mtu[tunnel] = find_route(tunnel).mtu
            except WAITED_FOR:
                if not self._may_lack:
                    raise
                self._route_mtu[tunnel] = _USUAL_MTU  # until there is a route; see `resolve_again`
        cookie = len(spec.tx_cookie)
        shape = (tunnel.encap, tunnel.ip_version, cookie, spec.sublayer)
        return session_mtu(inner_mtu(tunnel, self._route_mtu[tunnel]), *shape, tagged=spec.vlan is not None)

    def _names(self, netns: str | None) -> set[str]:
        if netns not in self._ifnames:
            try:
                self._ifnames[netns] = self._placer.ifnames(netns)
            except MissingError:
                if not self._may_lack:
                    raise
                self._ifnames[netns] = set()
        return self._ifnames[netns]


def _keeps_address(spec: TunnelSpec, old: TunnelSpec) -> bool:
    """Whether the local address that was chosen is still a good choice, if this host has it."""
    names = ("local", "remote", "netns", "fwmark", "bind_device")
    return all(getattr(spec, name) == getattr(old, name) for name in names)


def _without(record: TunnelRecord, gone: Collection[str]) -> TunnelRecord:
    """The record of a tunnel without these sessions, which are called TUNNEL/SESSION."""
    kept = tuple(one for one in record.sessions if f"{record.spec.name}/{one.spec.name}" not in gone)
    return record if kept == record.sessions else record.with_sessions(kept)


def _chosen(record: TunnelRecord) -> tuple[object, ...]:
    """What was chosen from the surroundings."""
    return record.spec.remote, record.local, [(one.mtu, one.clamp_mtu) for one in record.sessions]


def _started(record: TunnelRecord) -> TunnelRecord:
    """The record of a tunnel that is to run."""
    started = record.stopped is None and not record.waits
    return record if started else dataclasses.replace(record, stopped=None, waits=False)


def _itself(tunnel: TunnelRecord | None) -> tuple[object, ...]:
    """The values of a tunnel that may conflict with those of other tunnels, without its sessions."""
    return () if tunnel is None else (tunnel.spec, tunnel.local, tunnel.datapath)


def _moves(tunnel: TunnelRecord, old: SessionSpec, new: SessionSpec) -> bool:
    """Whether the netdev comes to be where its name or bridge has to be looked for."""
    return (home(tunnel.spec, old), old.ifname, old.bridge) != (home(tunnel.spec, new), new.ifname, new.bridge)
