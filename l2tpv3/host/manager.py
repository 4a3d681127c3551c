"""Manager: everything that l2tpctl and the API can do to this host. They only convert input and output."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from l2tpv3.datapath.base import Datapath, HasWorkers, SignalledCircuit, SignalsCircuits, Support
from l2tpv3.errors import ExistsError, ForeignError, MissingError
from l2tpv3.host.links import ManagedLinks
from l2tpv3.model.absent import no_link, no_session, no_tunnel
from l2tpv3.model.link_key import beneath, is_link_key, link_key, link_of
from l2tpv3.model.record import Records
from l2tpv3.model.spec import CircuitKey, Encrypt
from l2tpv3.model.status import SessionStatus, TunnelStatus
from l2tpv3.netdev.base import NetdevConfigurator
from l2tpv3.paths import Paths
from l2tpv3.reconcile.notes import LookedAt
from l2tpv3.reconcile.observer import Observer
from l2tpv3.store.database import AuditEntry, Recorded, Store
from l2tpv3.store.journal import Renaming

if TYPE_CHECKING:
    from l2tpv3.capture import CaptureOptions
    from l2tpv3.capture.recorder import Recording
    from l2tpv3.doctor.report import Report
    from l2tpv3.flows.report import Flows
    from l2tpv3.lan_hosts.report import HostsReport
    from l2tpv3.model.desired import Desired
    from l2tpv3.model.host_records import RecordDelta
    from l2tpv3.model.host_status import HostStatus
    from l2tpv3.model.links.options import LinkType
    from l2tpv3.model.links.record import FollowingPort
    from l2tpv3.model.path_mtu import PathMtu
    from l2tpv3.model.probe import ProbeReport, ProbeTarget
    from l2tpv3.model.progress import ChangeResult, OnStep, Tell
    from l2tpv3.model.status import NetdevState
    from l2tpv3.plan.result import Outcome
    from l2tpv3.reconcile.confirm import Confirmation
    from l2tpv3.reconcile.link_executor import BackendOf
    from l2tpv3.reconcile.receptions import ReceptionNoter
    from l2tpv3.reconcile.reconciler import Reconciler
    from l2tpv3.reconcile.refresh import Refresher
    from l2tpv3.resolve.change import RecordsCheck, SessionCheck, TunnelCheck
    from l2tpv3.watch.diff import Event


class Manager:
    """Tunnels and sessions of the host that `places` stand for, a l2tpv3.host.base.Host. Every method raises L2tpError.

    `words` are the command line's (TunnelSpec.to_words, SessionSpec.to_words): only those that are given.
    datapaths: None is every one that ships; which of them work is found out when it matters.
    """

    def __init__(
        self,
        paths: Paths | None = None,
        datapaths: Sequence[Datapath] | None = None,
        placer: NetdevConfigurator | None = None,
        makers: BackendOf | None = None,
    ) -> None:
        """makers: what makes links of each type; None is this host's."""
        paths = paths or Paths.from_environment()
        self.paths = paths
        self._datapaths = {one.name: one for one in (_shipped(paths) if datapaths is None else datapaths)}
        self._placer = placer or _shipped_placer()
        self._makers = makers
        self._store = Store(paths.state)
        self.links = ManagedLinks(self._store, lambda: self._reconciler)

    # What makes changes is imported when there is one to make, which takes longer than a look at the host does.

    @cached_property
    def _reconciler(self) -> Reconciler:
        from l2tpv3.reconcile.reconciler import Reconciler

        return Reconciler(self.paths, self._store, self._datapaths, self._placer, self._makers)

    @cached_property
    def _refresher(self) -> Refresher:
        from l2tpv3.reconcile.refresh import Refresher

        return Refresher(self.paths, self._store, self._datapaths)

    @cached_property
    def _receptions(self) -> ReceptionNoter:
        from l2tpv3.reconcile.receptions import ReceptionNoter

        return ReceptionNoter(self.paths, self._store, self._datapaths)

    @cached_property
    def _confirmation(self) -> Confirmation:
        from l2tpv3.reconcile.confirm import Confirmation

        return Confirmation(self._reconciler)

    def _observer(self, recorded: Recorded) -> Observer:
        return Observer.of_record(recorded, self._datapaths, self.paths, self._placer)

    # -- looking -------------------------------------------------------------------------------------------------

    def tunnels(self, *, netns: str | None = None, secrets: bool = True) -> list[TunnelStatus]:
        """Every tunnel, by name: those on record, then those that something else made here and in their namespaces.

        netns: another namespace to look for foreign ones in. secrets: whoever has this host has the cookies, too.
        """
        return self._tunnels(self._store.load(), netns)

    def look(self, *, netns: str | None = None) -> HostStatus:
        """Tunnels and links at one moment; netns as for `tunnels`. Links cost nothing where there are none."""
        from l2tpv3.model.host_status import HostStatus

        recorded = self._store.load()
        return HostStatus(tunnels=self._tunnels(recorded, netns), links=self.links.among(recorded))

    def _tunnels(self, recorded: Recorded, netns: str | None) -> list[TunnelStatus]:
        records, observer = recorded.shown.tunnels, self._observer(recorded)
        found = [observer.tunnel(record) for record in records.values()]
        for place in dict.fromkeys([netns, *(record.spec.netns for record in records.values()), None]):
            found += (one for one in observer.foreign(records.values(), place) if one not in found)
        return sorted(found, key=lambda one: (one.foreign, one.name, one.spec.netns or ""))

    def tunnel(self, name: str, *, secrets: bool = True) -> TunnelStatus:
        """One tunnel by name; foreign ones too. Raises NotFoundError."""
        recorded = self._store.load()
        record = recorded.shown.tunnels.get(name)
        if record is not None:
            return self._observer(recorded).tunnel(record)
        tunnels = self.tunnels()
        for status in tunnels:
            if status.name == name:
                return status
        raise no_tunnel(name, (one.name for one in tunnels))

    def session(self, tunnel: str, name: str, *, secrets: bool = True) -> SessionStatus:
        """One session by name. Raises NotFoundError."""
        recorded = self._store.load()
        record = recorded.tunnels.get(tunnel)
        if record is not None and (session := record.session(name)) is not None:
            return self._observer(recorded).tunnel(record.with_sessions((session,))).sessions[0]
        sessions = self.tunnel(tunnel).sessions
        for status in sessions:
            if status.name == name:
                return status
        raise no_session(tunnel, name, (one.name for one in sessions))

    def doctor(
        self,
        names: Collection[str] = (),
        *,
        session: str | None = None,
        listen_s: float = 2.0,
        probe: bool = True,
        drops: bool = False,
    ) -> Report:
        """Find out what is wrong with tunnels on record, see l2tpv3.doctor.examine. names: of these; () is all of them.

        Raises NotFoundError, ForeignError (one that something else made).
        """
        from l2tpv3.doctor.examine import examine

        def look() -> list[LookedAt]:
            recorded = self._store.load()
            records, observer = recorded.shown.tunnels, self._observer(recorded)
            return [observer.look_at(records[name]) for name in names or records if name in records]

        records = self._store.load().shown.tunnels
        for name in names:
            if name not in records:
                self.tunnel(name)  # which raises, unless something else made it
                remedy = f"`l2tpctl adopt {name} NAME` puts it on record"
                problem = "something else made it, so it is not known how it should be"
                raise ForeignError(f"tunnel {name}", problem, remedy)
            if session is not None and records[name].session(session) is None:
                raise no_session(name, session, (one.spec.name for one in records[name].sessions))
        return examine(look, session=session, listen_s=listen_s, probe=probe, drops=drops)

    def hosts(self, tunnel: str | None = None, session: str | None = None, *, listen_s: float = 2.0) -> HostsReport:
        """Find out who is behind sessions, see l2tpv3.lan_hosts.report.gather. None: behind all.

        Raises NotFoundError.
        """
        from l2tpv3.lan_hosts.report import gather

        tunnels = self.tunnels() if tunnel is None else [self.tunnel(tunnel)]
        if session is not None and all(one.name != session for one in tunnels[0].sessions):
            raise no_session(str(tunnel), session, (one.name for one in tunnels[0].sessions))
        observer = self._observer(self._store.load())

        def bridge_of(netdev: NetdevState) -> NetdevState | None:
            return observer.netdev(netdev.netns, netdev.bridge) if netdev.bridge is not None else None

        return gather(tunnels, session, bridge_of, listen_s=listen_s)

    def flows(self, tunnel: str, session: str, *, interval_s: float, most: int) -> Generator[Flows, None, None]:
        """Give the flows that pass a session, interval by interval; see l2tpv3.flows.watching.watch_flows.

        Raises NotFoundError; MissingError where the netdev is not there.
        """
        from l2tpv3.flows.watching import watch_flows

        netdev = self.session(tunnel, session).netdev
        if netdev is None:
            remedy = f"`l2tpctl doctor {tunnel}` says why"
            raise MissingError(f"session {tunnel}/{session}", "its netdev is not there", remedy)
        return watch_flows(netdev, interval_s=interval_s, most=most)

    def path_mtu(self, tunnel: str, *, probe: bool, timeout_s: float) -> PathMtu:
        """Find out what fits through a tunnel; see l2tpv3.host.path_mtu.examine. Raises also NotFoundError."""
        from l2tpv3.host.path_mtu import examine

        return examine(self.tunnel(tunnel, secrets=False), probe=probe, timeout_s=timeout_s)

    def capture(self, tunnel: str, session: str, options: CaptureOptions) -> Recording:
        """Capture a session's frames from now on; see Recording. Raises NotFoundError, InvalidValueError (filter)."""
        from l2tpv3.capture.recorder import Recording

        status = self.tunnel(tunnel)
        found = next((one for one in status.sessions if one.name == session), None)
        if found is None:
            raise no_session(tunnel, session, (one.name for one in status.sessions))
        return Recording(status, found, options)

    def follow(self, *, types: Collection[str] = (), counters_s: float | None = None) -> Iterator[Event]:
        """Events from now on, whichever program causes them; see l2tpv3.watch.follow.

        Blocks, and never ends by itself.
        Raises what watch.follow.follow does.
        """
        from l2tpv3.watch.follow import follow

        return follow(self.look, self.paths, types=types, counters_s=counters_s)

    @property
    def datapath_words(self) -> tuple[str, ...]:
        """The values that a tunnel's `datapath` may have."""
        return ("auto", *self._datapaths)

    def support(self) -> dict[str, Support]:
        """Which datapaths work here, and why or why not, by name."""
        return {name: one.probe() for name, one in self._datapaths.items()}

    def link_support(self) -> dict[LinkType, Support]:
        """Which types of link this host can make, and why or why not."""
        from l2tpv3.links.support import link_support

        return link_support()

    def records(self) -> Records:
        """Read what is on record, secrets included."""
        return self._store.tunnels()

    def stated(self, names: Collection[str] = ()) -> list[Desired]:
        """Give what is on record as files would state it in full, secrets included. names: of these tunnels alone.

        Raises NotFoundError for a name that is not on record.
        """
        from l2tpv3.model.desired import DesiredLink, DesiredTunnel

        recorded = self._store.load()
        records = recorded.tunnels
        for name in names:
            if name not in records:
                raise no_tunnel(name, records)
        chosen = [records[name] for name in (names or records)]
        links = {} if names else recorded.links
        return [
            *(DesiredTunnel.from_specs(one.spec, [session.spec for session in one.sessions]) for one in chosen),
            *(DesiredLink.from_spec(one.spec) for one in links.values()),
        ]

    @property
    def undoes_unconfirmed(self) -> bool:
        """False: nothing of it runs between calls. Something has to call `expire` when the time is up."""
        return False

    def audit(self, limit: int = 50) -> list[AuditEntry]:
        """Who changed what when: the last changes, the newest first."""
        return self._store.audit(limit)

    # -- tunnels -------------------------------------------------------------------------------------------------

    def add_tunnel(self, name: str, words: Mapping[str, Any], *, transient: bool = False) -> TunnelStatus:
        """Make a tunnel and put it on record; when that fails nothing is left of it.

        transient: it does not survive a reboot.
        Raises ExistsError for a name on record, and what Reconciler.change does.
        """
        from l2tpv3.resolve.change import EditTunnel, Verb

        change = EditTunnel(verb=Verb.ADD, name=name, words=words, transient=transient)
        return self._status_after(self._reconciler.change(change), name)

    def put_tunnel(
        self, name: str, words: Mapping[str, Any], *, transient: bool | None = None, check: TunnelCheck | None = None
    ) -> ChangeResult:
        """Make a tunnel, or change it to what the words say, whatever it was. Its sessions are left alone.

        Words left out take their default; `id` and ports keep their values. transient: None leaves that as it is.
        Raises what `check` and Reconciler.change do.
        """
        from l2tpv3.resolve.change import EditTunnel, Verb

        change = EditTunnel(verb=Verb.PUT, name=name, words=words, transient=transient, check=check)
        return self._reconciler.change(change).tunnel_result(name)

    def set_tunnel(
        self,
        name: str,
        words: Mapping[str, Any],
        *,
        check: TunnelCheck | None = None,
        confirm_s: float | None = None,
        on_step: OnStep | None = None,
    ) -> ChangeResult:
        """Change a tunnel; None resets a word. Little can change in place: it is made anew with its sessions.

        What has its default keeps to that, which for `udp-checksum` is another one with another datapath or peer.
        confirm_s, on_step: as for `apply`.
        Raises NotFoundError, ForeignError, and what `put_tunnel` does.
        """
        from l2tpv3.resolve.change import EditTunnel, Verb

        change = EditTunnel(verb=Verb.SET, name=name, words=words, check=check)
        return self._reconciler.change(change, confirm_s=confirm_s, on_step=on_step).tunnel_result(name)

    def del_tunnel(self, name: str, *, check: TunnelCheck | None = None) -> None:
        """Remove a tunnel with its sessions and their netdevs; it is true when this returns.

        Raises NotFoundError, ForeignError, and ConflictError for a tunnel with a session under a link.
        """
        from l2tpv3.resolve.change import EditTunnel, Verb

        self._reconciler.change(EditTunnel(verb=Verb.DELETE, name=name, check=check))

    def rename_tunnel(self, name: str, new: str) -> None:
        """Give a tunnel another name, on record, in links and marks, and interrupt nothing.

        Raises what Reconciler.rename does.
        """
        self._reconciler.rename(Renaming(name, None, new))

    def rename_session(self, tunnel: str, name: str, new: str) -> None:
        """Give a session another name, on record, in links and marks, and interrupt nothing.

        Raises what Reconciler.rename does.
        """
        self._reconciler.rename(Renaming(tunnel, name, new))

    # -- sessions ------------------------------------------------------------------------------------------------

    def add_session(self, tunnel: str, name: str, words: Mapping[str, Any]) -> SessionStatus:
        """Make a session and its netdev, and put it on record; when that fails nothing is left of it.

        Raises NotFoundError for the tunnel, ExistsError for a name on record, and what Reconciler.change does.
        """
        from l2tpv3.resolve.change import EditSession, Verb

        outcome = self._reconciler.change(EditSession(verb=Verb.ADD, tunnel=tunnel, name=name, words=words))
        return self._status_after(outcome, tunnel, name).sessions[0]

    def put_session(
        self, tunnel: str, name: str, words: Mapping[str, Any], *, check: SessionCheck | None = None
    ) -> ChangeResult:
        """Make a session and its netdev, or change it to what the words say, whatever it was.

        Words left out take their default; `id`, `ifname` and cookies keep their value.
        Raises NotFoundError for the tunnel, and what `check` and Reconciler.change do.
        """
        from l2tpv3.resolve.change import EditSession, Verb

        change = EditSession(verb=Verb.PUT, tunnel=tunnel, name=name, words=words, check=check)
        return self._reconciler.change(change).tunnel_result(tunnel, name)

    def set_session(
        self,
        tunnel: str,
        name: str,
        words: Mapping[str, Any],
        *,
        check: SessionCheck | None = None,
        confirm_s: float | None = None,
    ) -> ChangeResult:
        """Change a session: in place where the netdev and the datapath allow it, else it is made anew.

        None resets a word: to its default, or for `id`, `ifname` and cookies to the value that they have.
        confirm_s: as for `apply`.
        Raises NotFoundError, and what `put_session` does.
        """
        from l2tpv3.resolve.change import EditSession, Verb

        change = EditSession(verb=Verb.SET, tunnel=tunnel, name=name, words=words, check=check)
        return self._reconciler.change(change, confirm_s=confirm_s).tunnel_result(tunnel, name)

    def del_session(self, tunnel: str, name: str, *, check: SessionCheck | None = None) -> None:
        """Remove a session and its netdev; it is true when this returns.

        Raises NotFoundError, and ConflictError for a session under a link.
        """
        from l2tpv3.resolve.change import EditSession, Verb

        self._reconciler.change(EditSession(verb=Verb.DELETE, tunnel=tunnel, name=name, check=check))

    def _status_after(self, outcome: Outcome, tunnel: str, session: str | None = None) -> TunnelStatus:
        """A tunnel as it is once a change is done; of its sessions with `session` only that one."""
        from l2tpv3.resolve.resolution import session_on_record

        record = outcome.after.tunnels[tunnel]
        look = self._observer(Recorded(tunnels=outcome.after.tunnels, links=outcome.after.links))
        return look.tunnel(record if session is None else record.with_sessions((session_on_record(record, session),)))

    # -- all of it -----------------------------------------------------------------------------------------------

    def plan(
        self,
        wanted: Iterable[Desired],
        *,
        prune: bool = False,
        remove: Iterable[str] = (),
        check: RecordsCheck | None = None,
    ) -> Outcome:
        """Tell what `apply` would do now. Changes nothing. Raises what Reconciler.preview does."""
        from l2tpv3.resolve.change import ApplyAll

        change = ApplyAll(wanted=tuple(wanted), prune=prune, remove=frozenset(remove), check=check)
        return self._reconciler.preview(change)

    def apply(
        self,
        wanted: Iterable[Desired],
        *,
        prune: bool = False,
        confirm_s: float | None = None,
        on_step: OnStep | None = None,
        may_wait: bool = False,
        remove: Iterable[str] = (),
        check: RecordsCheck | None = None,
    ) -> Outcome:
        """Make this host as files say. On any failure it is put back as it was.

        prune: what is on record but not wanted is removed. confirm_s: undone unless confirmed in time. on_step: told of
        each step before it is taken. may_wait: what can't be made yet, for want of a route, an address, a namespace, a
        bridge or a NIC, goes on record as well; see Outcome.waiting. `restore` or `watch` makes it later.
        remove, check: see resolve.change.ApplyAll.
        """
        from l2tpv3.resolve.change import ApplyAll

        change = ApplyAll(wanted=tuple(wanted), prune=prune, may_wait=may_wait, remove=frozenset(remove), check=check)
        return self._reconciler.change(change, confirm_s=confirm_s, on_step=on_step)

    def confirm(self, mark: str | None = None) -> bool:
        """Keep the change that waits for its confirmation. False when none waits. mark: only the one with that mark."""
        return self._confirmation.confirm(mark)

    def rollback(self, mark: str | None = None) -> Outcome | None:
        """Undo the change that waits for its confirmation. None when none waits. mark: only the one with that mark."""
        return self._confirmation.rollback(mark=mark)

    def unconfirmed_mark(self) -> str | None:
        """What tells the change that waits for its confirmation from any other one; None when none waits."""
        return self._confirmation.mark()

    def expire(self) -> Outcome | None:
        """Undo the change that was not confirmed in time. None when none is due."""
        return self._confirmation.expire()

    def wait_for_changes(self) -> None:
        """Wait until no change of this host is under way. Raises LockedError when that takes too long."""
        with self._reconciler.locked():
            pass

    def unconfirmed_s(self) -> float | None:
        """Seconds that are left to confirm the change that awaits it; None without one."""
        return self._confirmation.left_s()

    def unconfirmed(self) -> RecordDelta | None:
        """The change that waits for its confirmation; None without one. Raises what Store.load does."""
        pending = self._store.pending()
        return None if pending is None or pending.deadline is None else pending.target

    def adopt(self, foreign: str, name: str | None = None, sublayer: str = "default") -> TunnelStatus:
        """Put a tunnel that something else made on record, with its sessions; its traffic is not touched.

        foreign: its name as `tunnels` gives it, DATAPATH:ID. name: its own one, by default tID. sublayer: what its
        sessions were made with, which the kernel doesn't tell. Sessions are called as their netdevs.
        Raises NotFoundError, ExistsError for a name on record, InvalidValueError for one that can't be a name.
        """
        from l2tpv3.resolve.adopted import adopted

        status = self.tunnel(foreign)
        if not status.foreign:
            raise ExistsError(f"tunnel {foreign}", "is on record already")
        name = name or f"t{status.spec.tunnel_id}"
        self._reconciler.adopt(adopted(status, name, sublayer))
        return self.tunnel(name)

    def down(self) -> Outcome:
        """Remove everything of ours that runs, and keep it on record: `restore` brings it back."""
        return self._reconciler.stop()

    def restore(
        self,
        names: str | Collection[str] | None = None,
        *,
        wait_s: float = 0.0,
        tell: Tell | None = None,
        stopped: bool = True,
    ) -> list[str]:
        """Make again what is on record but not there: after a reboot, a worker's death or an interrupted change.

        A netdev that outlived its worker is taken over with its addresses and bridge. A change that was not confirmed
        in time, or before the machine went down, is undone first. names: a tunnel, or some; None is all of them: then
        workers of another version, and those without a control socket, are ended first, which pauses what they carry.
        A link is `link NAME` among them, and NAME alone where no tunnel has that; what it is over comes along. wait_s:
        how long to wait for routes, addresses, namespaces, bridges and NICs that are not there yet. stopped: False
        leaves alone what `down` stopped, and names that are on record no more. Gives the names of what was brought
        back. Raises the first error, after all the others have been tried.
        """
        from l2tpv3.model.progress import RestoreEvent, RestoreOutcome
        from l2tpv3.reconcile.restore import Restorer

        self._confirmation.expire()
        if names is None and stopped:
            for ended in self._reconciler.replace_old_workers():
                if tell is not None:
                    tell(RestoreEvent(ended.subject, RestoreOutcome.FAILED, ended))
        if names is not None:
            recorded = self._store.load()
            names = [names] if isinstance(names, str) else list(names)
            keys = [self._key(recorded, name) for name in names] if stopped else names
            names = sorted({one for key in keys for one in (key, *beneath(recorded.links, key))})
        restored = Restorer(self._reconciler, tell, stopped=stopped).restore(names, wait_s)
        refreshed = [name for name in self._refresher.refresh(names) if name not in restored]
        if tell is not None:
            for name in refreshed:
                tell(RestoreEvent(name, RestoreOutcome.RESTORED))
        return sorted([*restored, *refreshed])

    def refresh(self) -> list[str]:
        """Have sessions heed routes, netdevs and IPsec policies as they are now, where they depend on more of them than
        the kernel sees to. `restore` does so, too. Interrupts nothing; gives the tunnels' names. Raises BusyError while
        another change is under way.
        """
        return self._refresher.refresh(timeout_s=0)

    def chosen_otherwise(self) -> set[str]:
        """The tunnels that run, and for which something else would be chosen now than is on record.

        That is the address of a peer that is known by its name, a local address that was left open, or an MTU.
        `restore` takes what would be chosen. None while a change is under way, or waits to be confirmed.
        """
        return self._reconciler.chosen_otherwise()

    def underlays(self) -> tuple[frozenset[str | None], frozenset[str]]:
        """The network namespaces of the tunnels on record that `down` has not stopped, and the names of their peers."""
        specs = [one.spec for one in self._store.tunnels().values() if one.stopped is None]
        names = frozenset(one.remote_name for one in specs if one.remote_name is not None)
        return frozenset(one.netns for one in specs), names

    def note_receptions(self) -> None:
        """Take note of when sessions receive something, where their datapath does not; see ReceptionNoter.note."""
        self._receptions.note()

    def probe_targets(self) -> list[tuple[ProbeTarget, ProbeReport | None]]:
        """What is probed for sessions on record that run, and what workers have found; see reconcile.probe_targets."""
        from l2tpv3.reconcile.probe_targets import probe_targets

        recorded = self._store.load()
        return probe_targets(recorded.shown.tunnels, self._observer(recorded))

    @property
    def host_id(self) -> str:
        """A random text that is this record's own, for good. Raises what Store.load does."""
        return self._store.load().host_id

    def restore_namespaces(self) -> tuple[str, ...]:
        """Make the network namespaces again that were made on demand and are gone, without what belongs into them.

        For units, which may not make any themselves (`restore` does where it may). Gives their names.
        """
        return self._reconciler.restore_namespaces()

    def orphans(self, known: Collection[str] = ()) -> dict[str, int | None]:
        """Tunnels and virtual cards (`link NAME`) with a worker: its pid; None where the netdevs are there, but nobody
        carries them.

        That is what a worker's death leaves. known: tunnels that had a worker in this boot, which count without
        netdevs as well, unless they were taken down. Tunnels that wait on record (TunnelRecord.waits) count, too.
        """
        from l2tpv3.reconcile.orphans import card_workers, tunnel_workers

        recorded = self._store.load()
        found = tunnel_workers(recorded, self._observer(recorded), self.paths.runtime, known)
        return found | card_workers(self.links.relayed(), self._card_workers, self.paths.runtime)

    @property
    def encrypts(self) -> bool:
        """Whether some tunnel on record is encrypted."""
        return any(record.spec.encrypt is not Encrypt.NONE for record in self._store.tunnels().values())

    def without_netdevs(self) -> set[str]:
        """Tunnels whose worker runs, but has no netdev any more, or no session, for one of their sessions on record;
        and tunnels that lack something of what encrypts them.

        That is what deleting a netdev leaves. One that was moved to where it can't be seen does not count, nor does
        what `down` stopped, or a change is about that is under way or was killed.
        """
        from l2tpv3.reconcile.orphans import without_netdevs

        recorded = self._store.load()
        return without_netdevs(recorded, self._observer(recorded))

    def _card_workers(self) -> dict[int, bool]:
        return self._reconciler.links.workers(self._store.load().shown.links)

    def workers(self) -> dict[int, bool]:
        """Every worker's pid, and whether it answers. Takes some seconds when one does not."""
        having = [one for one in self._datapaths.values() if isinstance(one, HasWorkers)]
        found = {pid: answers for one in having for pid, answers in one.workers().items()}
        return found | self._card_workers()

    def following_ports(self) -> list[FollowingPort]:
        """The ports on record whose NIC follows the link of their far end's; see l2tpv3.liveness.link_loss.

        Raises MissingError for a port over a session that is not on record.
        """
        from l2tpv3.model.links.record import following_ports

        recorded = self._store.load()
        return following_ports(recorded.tunnels, recorded.links)

    def tell_circuits(self, told: Mapping[CircuitKey, SignalledCircuit]) -> dict[CircuitKey, bool | None]:
        """Have far ends told whether what is attached here works; see SignalsCircuits.circuits."""
        heard: dict[CircuitKey, bool | None] = {}
        for one in self._datapaths.values():
            if isinstance(one, SignalsCircuits):
                heard |= one.circuits(told)
        return heard

    # -- shared --------------------------------------------------------------------------------------------------

    def _key(self, recorded: Recorded, name: str) -> str:
        """A tunnel or a link as the Restorer calls it. Raises NotFoundError, ForeignError."""
        if name not in recorded.tunnels and link_of(name) in recorded.links:
            return link_key(link_of(name))
        if is_link_key(name):
            raise no_link(link_of(name), recorded.links)
        look = self._observer(recorded)
        return self._reconciler.resolver(recorded, look).tunnel_on_record(name).spec.name


def _shipped(paths: Paths) -> list[Datapath]:
    from l2tpv3.datapath.ebpf import EbpfDatapath
    from l2tpv3.datapath.kernel import KernelDatapath
    from l2tpv3.datapath.user import UserDatapath

    return [KernelDatapath(), UserDatapath(paths), EbpfDatapath(paths)]


def _shipped_placer() -> NetdevConfigurator:
    from l2tpv3.netdev.configurator import RtnetlinkConfigurator

    return RtnetlinkConfigurator()
