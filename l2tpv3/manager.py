"""The one service: everything that l2tpctl and the API can do to this host. They only convert input and output."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from l2tpv3 import choose
from l2tpv3.datapath.base import Datapath, Support
from l2tpv3.errors import ExistsError, ForeignError, InvalidValueError, L2tpError, NotFoundError
from l2tpv3.link.base import LINK_FIELDS, Placer
from l2tpv3.lock import exclusive
from l2tpv3.mtu import find_route, session_mtu
from l2tpv3.observe import Observer, resolved, resolved_session
from l2tpv3.places import Places
from l2tpv3.spec import SessionSpec, TunnelSpec, session_fields, tunnel_fields
from l2tpv3.status import Condition, SessionStatus, TunnelStatus
from l2tpv3.store import SessionRecord, Store, TunnelRecord


@dataclass(frozen=True, slots=True)
class Change:
    """What a `set` did. recreated: it could not be done in place, so traffic was interrupted; why: what forced that."""

    recreated: bool = False
    why: str = ""


class Manager:
    """Tunnels and sessions of the host that `places` stand for. Every method raises L2tpError.

    `words` are the command line's (TunnelSpec.to_words, SessionSpec.to_words): only those that are given.
    datapaths: None is every one that ships; which of them work is found out when it matters.
    """

    def __init__(
        self,
        places: Places | None = None,
        datapaths: Sequence[Datapath] | None = None,
        placer: Placer | None = None,
    ) -> None:
        self._places = places or Places.from_environment()
        self._placer = placer or _shipped_placer()
        self._store = Store(self._places.state)
        self._datapaths = {one.name: one for one in (_shipped(self._places) if datapaths is None else datapaths)}

    # -- looking -------------------------------------------------------------------------------------------------

    def tunnels(self, *, netns: str | None = None) -> list[TunnelStatus]:
        """Every tunnel: those on record by name, then those that something else made here and in their namespaces.

        netns: another namespace to look for foreign ones in.
        """
        records = self._store.tunnels()
        observer = self._observer()
        found = [observer.tunnel(record) for record in records.values()]
        for place_ in dict.fromkeys([netns, *(record.spec.netns for record in records.values()), None]):
            found += (one for one in observer.foreign(records.values(), place_) if one not in found)
        return found

    def tunnel(self, name: str) -> TunnelStatus:
        """One tunnel by name; foreign ones too. Raises NotFoundError."""
        record = self._store.tunnels().get(name)
        if record is not None:
            return self._observer().tunnel(record)
        for status in self.tunnels():
            if status.name == name:
                return status
        raise _no_tunnel(name)

    def session(self, tunnel: str, name: str) -> SessionStatus:
        """One session by name. Raises NotFoundError."""
        for status in self.tunnel(tunnel).sessions:
            if status.name == name:
                return status
        raise _no_session(tunnel, name)

    def support(self) -> dict[str, Support]:
        """Which datapaths work here, and why or why not, by name."""
        return {name: one.probe() for name, one in self._datapaths.items()}

    # -- tunnels -------------------------------------------------------------------------------------------------

    def add_tunnel(self, name: str, words: Mapping[str, Any]) -> TunnelStatus:
        """Make a tunnel and put it on record; when that fails nothing is left of it."""
        with self._changing() as records:
            if name in records:
                raise ExistsError(f"tunnel {name}", "exists already", f"`l2tpctl tunnel del {name}` removes it")
            netns = tunnel_fields(words).get("netns")
            seen = [one for datapath in self._datapaths for one in self._observer().seen(datapath, netns)]
            record = self._plan_tunnel(choose.new_tunnel(name, words, records, seen), records)
            self._store.put_tunnel(record)
            with self._undo(lambda: self._store.del_tunnel(name)):
                self._datapath(record).add_tunnel(resolved(record))
                with self._undo(lambda: self._datapath(record).del_tunnel(resolved(record))):
                    self._store.put_tunnel(dataclasses.replace(record, complete=True))
        return self.tunnel(name)

    def _plan_tunnel(self, spec: TunnelSpec, records: Mapping[str, TunnelRecord]) -> TunnelRecord:
        """The record of a tunnel to be made: its local address and datapath chosen, clashes refused."""
        route = find_route(spec)
        chosen = dataclasses.replace(spec, local=route.local)
        choose.check_clash(chosen, records)
        datapath, reason = choose.choose_datapath(spec, self._datapaths)
        return TunnelRecord(spec=spec, local=route.local, datapath=datapath.name, reason=reason)

    def set_tunnel(self, name: str, words: Mapping[str, Any]) -> Change:
        """Change a tunnel. Nothing about a tunnel can change in place: it is made anew with its sessions."""
        with self._changing() as records:
            old = self._record(records, name)
            fields = tunnel_fields({key: value for key, value in words.items() if key != "name"})
            spec = dataclasses.replace(old.spec, **fields)
            changed = _differences(old.spec, spec)
            if not changed:
                return Change()
            others = {key: record for key, record in records.items() if key != name}
            choose.new_tunnel(name, spec.to_words(), others, ())  # refuses an id that is taken
            new = self._plan_tunnel(spec, others)
            sessions = tuple(self._remeasured(new, session) for session in old.sessions)
            new = dataclasses.replace(new, sessions=sessions)
            self._mark_incomplete(old)
            self._remove_tunnel(old)
            with self._undo(lambda: self._bring_back(old)), self._undo(lambda: self._remove_tunnel(new)):
                self._make(new, adopt=False)
            return Change(recreated=True, why=f"{_words(changed)} of a tunnel can't change in place")

    def _bring_back(self, record: TunnelRecord) -> None:
        self._make(record, adopt=False)

    def _remeasured(self, tunnel: TunnelRecord, session: SessionRecord) -> SessionRecord:
        return dataclasses.replace(session, mtu=self._mtu(tunnel, session.spec))

    def del_tunnel(self, name: str) -> None:
        """Remove a tunnel with its sessions and their netdevs; it is true when this returns."""
        with self._changing() as records:
            record = self._record(records, name)
            self._mark_incomplete(record)
            self._remove_tunnel(record)
            self._store.del_tunnel(name)

    def _remove_tunnel(self, record: TunnelRecord) -> None:
        """Remove what is there of a tunnel on record; another one that has its id now is left alone."""
        datapath, spec = self._datapath(record), resolved(record)
        if self._observer().match(record) is not None:
            datapath.del_tunnel(spec)
        # What its worker left behind when it died: netdevs that outlive it.
        for session in record.sessions:
            with contextlib.suppress(NotFoundError):
                datapath.del_session(spec, resolved_session(session))

    # -- sessions ------------------------------------------------------------------------------------------------

    def add_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> SessionStatus:
        """Make a session and its netdev, and put it on record; when that fails nothing is left of it."""
        with self._changing() as records:
            record = self._record(records, tunnel)
            if any(session.spec.name == name for session in record.sessions):
                remedy = f"`l2tpctl session del {tunnel} {name}` removes it"
                raise ExistsError(f"session {tunnel}/{name}", "exists already", remedy)
            fields = session_fields(words)
            taken = self._placer.ifnames(record.spec.netns)
            taken |= self._placer.ifnames(fields.get("netns") or record.spec.netns)
            spec = choose.new_session(name, words, record, records, taken)
            self._placer.check(record.spec, spec)
            session = SessionRecord(spec=spec, mtu=self._mtu(record, spec))
            self._store.put_session(tunnel, session)
            with self._undo(lambda: self._store.del_session(tunnel, name)):
                self._make_session(record, session, adopt=False)
        return self.session(tunnel, name)

    def _make_session(self, record: TunnelRecord, session: SessionRecord, *, adopt: bool) -> None:
        datapath, tunnel, spec = self._datapath(record), resolved(record), resolved_session(session)
        try:
            datapath.add_session(tunnel, spec, adopt=adopt)
        except NotFoundError as error:
            if self._observer().match(record) is not None:
                raise
            remedy = f"`l2tpctl restore {tunnel.name}` brings it back"
            raise NotFoundError(f"tunnel {tunnel.name}", "it is on record but not running", remedy) from error
        with self._undo(lambda: datapath.del_session(tunnel, spec)):
            self._placer.place(tunnel, spec, self._places.mark(tunnel.name, spec.name), adopted=adopt)
            self._store.put_session(tunnel.name, dataclasses.replace(session, complete=True))

    def set_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> Change:
        """Change a session: in place where the netdev and the datapath allow it, else it is made anew."""
        with self._changing() as records:
            record = self._record(records, tunnel)
            old = _session_record(record, name)
            fields = session_fields({key: value for key, value in words.items() if key != "name"})
            spec = dataclasses.replace(old.spec, **fields)
            changed = _differences(old.spec, spec)
            if not changed:
                return Change()
            if spec.session_id != old.spec.session_id:
                choose.new_session(name, {**spec.to_words(), "name": "other"}, record, records, ())
            self._placer.check(record.spec, spec, present=old.spec.ifname)
            new = SessionRecord(spec=spec, mtu=self._mtu(record, spec))
            datapath = self._datapath(record)
            forced = [field for field in changed if field not in datapath.in_place | LINK_FIELDS]
            if forced:
                self._recreate_session(record, old, new)
                return Change(recreated=True, why=f"{_words(forced)} can't change in place on this datapath")
            self._change_session(record, old, new)
            return Change()

    def _recreate_session(self, record: TunnelRecord, old: SessionRecord, new: SessionRecord) -> None:
        tunnel = resolved(record)
        self._store.put_session(tunnel.name, dataclasses.replace(old, complete=False))
        with contextlib.suppress(NotFoundError):
            self._datapath(record).del_session(tunnel, resolved_session(old))
        with self._undo(lambda: self._make_session(record, old, adopt=False)):
            self._store.put_session(tunnel.name, dataclasses.replace(new, complete=False))
            self._make_session(record, new, adopt=False)

    def _change_session(self, record: TunnelRecord, old: SessionRecord, new: SessionRecord) -> None:
        tunnel, before, after = resolved(record), resolved_session(old), resolved_session(new)
        datapath = self._datapath(record)
        mark = self._places.mark(tunnel.name, after.name)
        if any(getattr(before, field) != getattr(after, field) for field in datapath.in_place):
            datapath.set_session(tunnel, after)
        with (
            self._undo(lambda: datapath.set_session(tunnel, before)),
            self._undo(lambda: self._placer.change(tunnel, after, before, mark)),
        ):
            if any(getattr(before, field) != getattr(after, field) for field in LINK_FIELDS):
                self._placer.change(tunnel, before, after, mark)
            self._store.put_session(tunnel.name, dataclasses.replace(new, complete=True))

    def del_session(self, tunnel: str, name: str) -> None:
        """Remove a session and its netdev; it is true when this returns."""
        with self._changing() as records:
            record = self._record(records, tunnel)
            session = _session_record(record, name)
            self._store.put_session(tunnel, dataclasses.replace(session, complete=False))
            with contextlib.suppress(NotFoundError):
                self._datapath(record).del_session(resolved(record), resolved_session(session))
            self._store.del_session(tunnel, name)

    # -- bringing back -------------------------------------------------------------------------------------------

    def restore(self, name: str | None = None) -> list[str]:
        """Make again what is on record but not there: after a reboot, a worker's death or an interrupted change.

        A netdev that outlived its worker is taken over with its addresses and bridge. Gives the names of the tunnels
        that were brought back. Raises the first error, after all the others have been tried.
        """
        restored: list[str] = []
        failures: list[L2tpError] = []
        with self._changing() as records:
            wanted = records.values() if name is None else [self._record(records, name)]
            for record in wanted:
                try:
                    if self._restore_one(record, records):
                        restored.append(record.spec.name)
                except L2tpError as error:
                    failures.append(error)
        if failures:
            raise failures[0]
        return restored

    def _restore_one(self, record: TunnelRecord, records: Mapping[str, TunnelRecord]) -> bool:
        status = self._observer().tunnel(record)
        if status.condition is Condition.UP:
            lacking = [
                session
                for session, seen in zip(record.sessions, status.sessions, strict=True)
                if seen.condition in (Condition.MISSING, Condition.INCOMPLETE)
            ]
            for session in lacking:
                with contextlib.suppress(NotFoundError):
                    if session.complete is False:
                        self._datapath(record).del_session(resolved(record), resolved_session(session))
                self._make_session(record, session, adopt=True)
            return bool(lacking)
        if status.condition is Condition.INCOMPLETE:
            self._remove_tunnel(record)
        others = {key: other for key, other in records.items() if key != record.spec.name}
        anew = self._plan_tunnel(record.spec, others)
        sessions = tuple(self._remeasured(anew, session) for session in record.sessions)
        self._make(dataclasses.replace(anew, sessions=sessions), adopt=True)
        return True

    # -- shared --------------------------------------------------------------------------------------------------

    def _make(self, record: TunnelRecord, *, adopt: bool) -> None:
        """Make a tunnel with its sessions as its record says; on failure what was made is removed again."""
        self._store.put_tunnel(dataclasses.replace(record, complete=False))
        self._datapath(record).add_tunnel(resolved(record))
        for session in record.sessions:
            self._make_session(record, session, adopt=adopt)
        self._store.put_tunnel(dataclasses.replace(record, complete=True))

    def _mtu(self, record: TunnelRecord, spec: SessionSpec) -> int:
        if spec.mtu is not None:
            return spec.mtu
        tunnel = resolved(record)
        route = find_route(tunnel)
        return session_mtu(route.mtu, tunnel.encap, tunnel.remote.version, len(spec.tx_cookie), spec.sublayer)

    def _mark_incomplete(self, record: TunnelRecord) -> None:
        self._store.put_tunnel(dataclasses.replace(record, complete=False))

    def _observer(self) -> Observer:
        return Observer(self._datapaths, self._places, self._placer.locator())

    def _datapath(self, record: TunnelRecord) -> Datapath:
        try:
            return self._datapaths[record.datapath]
        except KeyError:
            known = ", ".join(self._datapaths)
            raise InvalidValueError(
                f"tunnel {record.spec.name}", f"no datapath {record.datapath!r}", f"known are {known}"
            ) from None

    def _record(self, records: Mapping[str, TunnelRecord], name: str) -> TunnelRecord:
        if name in records:
            return records[name]
        if any(status.name == name for status in self.tunnels() if status.foreign):
            remedy = "change it with what made it; `ip l2tp` can"
            raise ForeignError(f"tunnel {name}", "something else made it", remedy)
        raise _no_tunnel(name)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[dict[str, TunnelRecord]]:
        """The host's lock is held for the block; gives what is on record."""
        self._places.make()
        with exclusive(self._places.runtime):
            yield self._store.tunnels()

    @contextlib.contextmanager
    def _undo(self, undo: Callable[[], None]) -> Iterator[None]:
        """Call `undo` when the block fails, whatever with; what `undo` itself fails with is noted, not raised."""
        try:
            yield
        except BaseException as error:
            try:
                undo()
            except L2tpError as second:
                if not isinstance(second, NotFoundError):
                    error.add_note(f"and undoing it failed: {second}")
            raise


def _shipped(places: Places) -> list[Datapath]:
    from l2tpv3.datapath.kernel import KernelDatapath
    from l2tpv3.datapath.user import UserDatapath

    return [KernelDatapath(), UserDatapath(places)]


def _shipped_placer() -> Placer:
    from l2tpv3.link.place import NetdevPlacer

    return NetdevPlacer()


def _no_tunnel(name: str) -> NotFoundError:
    return NotFoundError(f"tunnel {name}", "no such tunnel", "`l2tpctl tunnel show` lists them")


def _no_session(tunnel: str, name: str) -> NotFoundError:
    return NotFoundError(f"session {tunnel}/{name}", "no such session", f"`l2tpctl session show {tunnel}` lists them")


def _session_record(record: TunnelRecord, name: str) -> SessionRecord:
    for session in record.sessions:
        if session.spec.name == name:
            return session
    raise _no_session(record.spec.name, name)


def _differences(one: Any, other: Any) -> list[str]:
    fields = (field.name for field in dataclasses.fields(one))
    return [field for field in fields if getattr(one, field) != getattr(other, field)]


def _words(fields: Sequence[str]) -> str:
    return ", ".join(field.replace("_", "-") for field in fields)
