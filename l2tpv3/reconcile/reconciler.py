"""Changes this host, one change at a time: resolve, plan, write the journal, take the steps, observe again, record.

A change comes as a value (resolve.change). Under the lock it is resolved against what is on record, and what it comes
to is planned with what was observed for that. Before the first step the change is written to the journal. When it
fails, what was there before is made again by the same planning. When it is killed, the next change finds the journal
entry and plans from both records, the old one and the one that was being made. So everything that a change made is
found again, and no change is ever half on record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import time
from collections.abc import Iterator, Mapping

from l2tpv3.datapath.base import Datapath, HasWorkers
from l2tpv3.errors import ConflictError, ExistsError, L2tpError, NotFoundError
from l2tpv3.links.backends.base import LinkBackends
from l2tpv3.linux.boot import boot_id
from l2tpv3.linux.filelock import exclusive
from l2tpv3.model.host_records import HostRecords, RecordDelta
from l2tpv3.model.progress import OnStep, StepText
from l2tpv3.model.record import TunnelRecord, resolved, resolved_session
from l2tpv3.model.scope import touched_links
from l2tpv3.netdev.base import NetdevConfigurator
from l2tpv3.netdev.configurator import RtnetlinkConfigurator
from l2tpv3.paths import Paths
from l2tpv3.plan.journal_entry import journal_entry, left_of, links_of, what_is_made
from l2tpv3.plan.plan_input import LinkPlanInput, PlanInput
from l2tpv3.plan.planner import plan_everything
from l2tpv3.plan.result import Outcome, of_namespace
from l2tpv3.plan.scope import leave_out
from l2tpv3.plan.steps import AnyStep
from l2tpv3.reconcile.converge import Convergence
from l2tpv3.reconcile.executor import Executor
from l2tpv3.reconcile.link_executor import BackendOf, LinkExecutor
from l2tpv3.reconcile.namespaces import NamespacesOnDemand
from l2tpv3.reconcile.observer import Observer
from l2tpv3.resolve.change import ApplyAll, Change, RestoreRecorded
from l2tpv3.resolve.peer_names import PeerNames
from l2tpv3.resolve.renaming import renamed
from l2tpv3.resolve.resolution import Resolution, resolve, session_on_record
from l2tpv3.resolve.resolver import Resolver
from l2tpv3.resolve.tunnels import HostAccess
from l2tpv3.store.actor import caller
from l2tpv3.store.database import AuditEntry, Recorded, Store, unconfirmed
from l2tpv3.store.journal import PendingChange, Renaming, to_be_confirmed
from l2tpv3.value_class import value_class

_VERBS: dict[type[Change], str] = {ApplyAll: "apply", RestoreRecorded: "restore"}
"""How the log calls a change, where its steps alone do not say it."""


class Reconciler:
    """Makes changes of one host; see the module.

    Between calls it keeps open only the sockets that listen to netdevs.
    """

    def __init__(
        self,
        paths: Paths,
        store: Store,
        datapaths: Mapping[str, Datapath],
        placer: NetdevConfigurator,
        makers: BackendOf | None = None,
    ) -> None:
        """makers: gives the backend of each type of link; None is this host's."""
        self.paths = paths
        self.store = store
        self._datapaths = datapaths
        self._placer = placer
        self.links = LinkExecutor(paths.link_mark, makers or LinkBackends(paths.runtime))
        self.names = PeerNames(paths.runtime)
        self._runner = Executor(datapaths, placer, paths, self.links)
        self._convergence = Convergence(
            self._runner,
            self.links,
            datapaths,
            placer,
            look=lambda: self.observer(Recorded(tunnels={})),
            look_at_few=lambda: Observer.of_few(datapaths, paths, placer),
        )
        self._in_place = {name: one.in_place for name, one in datapaths.items()}
        self._tunnels_in_place = {name: one.tunnel_in_place for name, one in datapaths.items()}
        self._spaces = NamespacesOnDemand(paths, self.store, real=isinstance(placer, RtnetlinkConfigurator))

    def observer(self, recorded: Recorded) -> Observer:
        """A new observer of this host."""
        return Observer.of_record(recorded, self._datapaths, self.paths, self._placer)

    def resolver(self, recorded: Recorded, look: Observer) -> Resolver:
        """The resolver of changes against that record. look: the observer that it asks."""
        host = HostAccess(self._datapaths, self._placer, self.paths, look, self.names)
        return Resolver(recorded.everything, what_is_made(recorded.pending), host, self.links, recorded.host_id)

    def preview(self, change: Change) -> Outcome:
        """Tell what `change` would do now. Changes nothing, and takes no lock: another change may come between.

        Raises what resolving the change does (see Resolver), and what Store.load does.
        """
        with _no_collection():
            recorded = self.store.load()
            look = self.observer(recorded)
            with self._spaces.standing_in():
                with self._convergence.busy():
                    resolution = resolve(change, self.resolver(recorded, look))
                planned = self._plan_input(recorded, resolution, look)
                steps = plan_everything(dataclasses.replace(planned, to_show=True))
        before, after = recorded.everything, resolution.records
        namespaces = self._spaces.missing(_records_asked_for(before, resolution))
        return Outcome(steps=steps, before=before, after=after, namespaces=namespaces)

    def change(self, change: Change, *, confirm_s: float | None = None, on_step: OnStep | None = None) -> Outcome:
        """Make the change. On any failure the host is put back as it was.

        confirm_s: the change is to be undone unless it is confirmed within that many seconds; see reconcile.confirm.
        on_step: told of each step before it is taken.
        Raises whatever resolving it and the steps raise, BusyError when it does not come true, ConflictError while
        another change waits for its confirmation (a RestoreRecorded need not wait for that).
        """
        repairs = isinstance(change, RestoreRecorded)
        with self.locked(), _no_collection(), contextlib.ExitStack() as stack:
            recorded = self._recorded(repairs=repairs)
            before, look = recorded.everything, self.observer(recorded)
            with self._spaces.standing_in(repairs=repairs), self._convergence.busy():
                resolution = resolve(change, self.resolver(recorded, look))
            if resolution.about_nothing:
                return Outcome(steps=(), before=before, after=before)
            meant = _records_in_scope(resolution) if repairs else _records_asked_for(before, resolution)
            namespaces = self._spaces.missing(meant, repairs=repairs)
            if on_step is not None:
                for name in namespaces:
                    on_step(of_namespace(name))
            stack.enter_context(self._spaces.having(namespaces))
            planned = self._plan_input(recorded, resolution, look)
            steps = plan_everything(planned)
            prepared = _Prepared(
                verb=_VERBS.get(type(change), ""),
                recorded=recorded,
                resolution=resolution,
                changed=RecordDelta.between(before, resolution.records),
                planned=planned,
                steps=steps,
                namespaces=namespaces,
            )
            return prepared.outcome(self._make_so(prepared, confirm_s, on_step))

    def _make_so(self, change: _Prepared, confirm_s: float | None, on_step: OnStep | None) -> tuple[StepText, ...]:
        """Take the steps of a change, noted before and put on record after. Gives what was lost.

        See Convergence.take.
        """
        pending, late = change.recorded.pending, change.resolution.late
        if pending is not None and pending.deadline is not None:
            # The note of the unconfirmed change has to stay; this one is on record already and needs none.
            if change.changed:
                raise unconfirmed(pending)
            lost: list[StepText] = []
            self._convergence.take(change.planned, change.steps, on_step, lost=lost)
            return tuple(lost)
        left = left_of(pending, late.left_out, late.unmade)
        if not change.steps and not change.changed:
            if pending == left:
                return ()
            confirm_s = None
        if confirm_s is None:
            return self._carry_out(change, change.verb, left, on_step)
        verb = f"{change.verb}, to be confirmed within {confirm_s:g} s"
        return self._carry_out(change, verb, to_be_confirmed(change.changed, change.before, confirm_s), on_step)

    def _carry_out(
        self, change: _Prepared, verb: str, after: PendingChange | None, on_step: OnStep | None
    ) -> tuple[StepText, ...]:
        """Note the change, take its steps, put it on record; on any failure undo it. Gives what was lost.

        See Convergence.take.

        verb: how the log calls it. after: what stays noted when it is done: that it waits to be confirmed, or what is
        left of a killed change.
        """
        before, changed, pending = change.before, change.changed, change.recorded.pending
        note = journal_entry(pending, change.planned, change.steps, changed)
        self.store.begin(note)
        begun: list[AnyStep] = []
        lost: list[StepText] = []
        try:
            self._convergence.take(change.planned, change.steps, on_step, begun, lost)
            done = change.outcome(tuple(lost))
            if on_step is not None:
                for one in done.steps_on_record:
                    on_step(one)
            self.store.commit(changed, _audited(verb, done), after)
            self._runner.tidy({**change.planned.wanted, **done.after.tunnels})
        except BaseException as error:
            with _noting(error):
                self._convergence.undo(change.planned, note, begun)
                # What a killed change left is as it was, too.
                self.store.revert(changed.back(before), pending)
            raise
        return tuple(lost)

    def _plan_input(self, recorded: Recorded, resolution: Resolution, look: Observer) -> PlanInput:
        """The input of the plan of a change, without what the change leaves out."""
        wanted, scope, about, maybe = (
            resolution.records,
            resolution.scope,
            resolution.links,
            what_is_made(recorded.pending),
        )
        if recorded.pending is not None and recorded.pending.deadline is None:
            scope = None if scope is None else scope | recorded.pending.scope
            about |= links_of(recorded.pending)
        links = LinkPlanInput(
            old=recorded.links,
            wanted=wanted.links,
            maybe=maybe.links,
            scope=touched_links(scope, about, recorded.everything, maybe, wanted),
        )
        observation = look.observation(recorded.tunnels, maybe.tunnels, wanted.tunnels)
        planned = PlanInput(
            old=recorded.tunnels,
            maybe=maybe.tunnels,
            wanted=wanted.tunnels,
            observation=self._convergence.with_links(observation, recorded.links, maybe.links, wanted.links),
            in_place=self._in_place,
            tunnels_in_place=self._tunnels_in_place,
            scope=scope,
            links=links,
        )
        return leave_out(planned, resolution.late.left_out, resolution.late.unmade)

    def stop(self) -> Outcome:
        """Remove everything on record from this host, keeping the record. Raises what `change` does."""
        with self.locked():
            recorded = self._recorded()
            nothing = Resolution(records=HostRecords(), scope=None)
            change = self._plan_input(recorded, nothing, self.observer(recorded))
            steps = plan_everything(change)
            kept = dataclasses.replace(
                change, wanted=recorded.tunnels, links=dataclasses.replace(change.links, wanted=recorded.links)
            )
            self.store.begin(journal_entry(recorded.pending, kept, steps, RecordDelta()))
            self._convergence.take(change, steps)
            outcome = Outcome(steps=steps, before=recorded.everything, after=recorded.everything)
            # On record it stays, but nothing is to bring it back in this boot unless somebody asks for it.
            now = boot_id()
            tunnels = {name: dataclasses.replace(one, stopped=now) for name, one in recorded.tunnels.items()}
            links = {name: dataclasses.replace(one, stopped=now) for name, one in recorded.links.items()}
            self.store.commit(RecordDelta(tunnels=tunnels, links=links), _audited("down", outcome), None)
            self._runner.tidy({})
            self._spaces.tidy()
            return outcome

    def replace_old_workers(self) -> list[L2tpError]:
        """Have new workers, of this very program, for what is to be restored next; see HasWorkers.replace_old.

        Gives what became of each that was replaced. Raises WorkerError when none can be started: then all go on.
        """
        with self.locked():
            recorded = self.store.load()
            unfinished = what_is_made(recorded.pending)
            known = {*recorded.tunnels, *unfinished.tunnels}
            datapaths = [one for one in self._datapaths.values() if isinstance(one, HasWorkers)]
            ended = [error for one in datapaths for error in one.replace_old(known)]
            return ended + self.links.replace_old({**unfinished.links, **recorded.links})

    def restore_namespaces(self) -> tuple[str, ...]:
        """Make again the namespaces that were made on demand and are gone; see Manager.restore_namespaces.

        Raises LockedError, and RefusedError for a namespace that can't be made.
        """
        with self.locked():
            names = self._spaces.missing(self.store.load().everything, repairs=True)
            self._spaces.make(names)
            return names

    def chosen_otherwise(self) -> set[str]:
        """The tunnels that run, and for which something else would be chosen now. None while a change is noted.

        Raises what Store.load does.
        """
        recorded = self.store.load()
        if recorded.pending is not None:
            return set()
        with _no_collection(), self._convergence.busy():
            return self.resolver(recorded, self.observer(recorded)).chosen_otherwise()

    def adopt(self, record: TunnelRecord) -> None:
        """Record a tunnel that runs already, and give its netdevs our owner tag.

        Raises ExistsError for a name on record, ConflictError while a change waits for its confirmation, LockedError.
        """
        with self.locked():
            recorded = self._recorded()
            if record.spec.name in recorded.shown.tunnels:
                raise ExistsError(f"tunnel {record.spec.name}", "exists already", "give another NAME")
            for session in record.sessions:
                mark = self.paths.mark(record.spec.name, session.spec.name)
                self._placer.mark(resolved(record), resolved_session(session), mark)
            what = f"adopt tunnel {record.spec.name} with {len(record.sessions)} sessions"
            audit = AuditEntry(at=time.time(), who=caller(), what=what)
            self.store.commit(RecordDelta(tunnels={record.spec.name: record}), audit)

    def rename(self, renaming: Renaming) -> None:
        """Give a tunnel or session another name, which interrupts nothing.

        It is on record first; what runs follows, or is made to by the next change if this one is killed. Raises
        NotFoundError, ExistsError, InvalidValueError, ConflictError.
        """
        tunnel, session, new = renaming
        subject = f"tunnel {tunnel}" if session is None else f"session {tunnel}/{session}"
        with self.locked():
            recorded = self._recorded()
            if recorded.pending is not None:
                problem = "a change of this host was interrupted, and it may be part of that"
                raise ConflictError(subject, problem, "`l2tpctl restore` finishes it")
            before = recorded.everything
            record = self.resolver(recorded, self.observer(recorded)).tunnel_on_record(tunnel)
            if session is not None:
                session_on_record(record, session)
            edits = RecordDelta.between(before, renamed(before, renaming))
            scope = frozenset((name, None) for name in edits.tunnels)
            note = PendingChange(scope=scope, before=edits.back(before), target=edits, renaming=renaming)
            what = f"~ {subject}: renamed to {new}"
            self.store.commit(edits, AuditEntry(at=time.time(), who=caller(), what=what), note)
            self._follow_renaming(note, renaming)

    def _follow_renaming(self, note: PendingChange, renaming: Renaming) -> None:
        """Have marks and workers say the new name of what has got one on record. The same again does no harm."""
        tunnel, session, new = renaming
        now = new if session is None else tunnel
        old, record = note.before.tunnels.get(tunnel), note.target.tunnels.get(now)
        if old is not None and record is not None:
            is_, was = resolved(record), resolved(old)
            names = {new: session} if session is not None else {one.spec.name: one.spec.name for one in record.sessions}
            sessions = [resolved_session(one) for one in record.sessions if one.spec.name in names]
            datapath = self._datapaths.get(record.datapath)
            if datapath is not None and datapath.tunnel_in_place:
                with contextlib.suppress(NotFoundError):  # it is not running
                    datapath.set_tunnel(was, is_, sessions)
                    for one in sessions if session is not None else ():
                        datapath.set_session(is_, one)
            self._runner.rename_encryption(old, record)
            for one in sessions:
                marks = self.paths.mark(tunnel, names[one.name]), self.paths.mark(now, one.name)
                self._placer.mark_again(is_, one, *marks)
        self._follow_in_backups(note, tunnel)
        self.store.forget_pending()

    def _follow_in_backups(self, note: PendingChange, renamed_tunnel: str) -> None:
        """Have workers know the new name of what is the backup of their sessions."""
        for name, record in note.target.tunnels.items():
            old = note.before.tunnels.get(name) or note.before.tunnels.get(renamed_tunnel)
            if record is None or old is None:
                continue
            backups = {one.spec.name: one.spec.backup for one in old.sessions}
            for one in record.sessions:
                if one.spec.backup != backups.get(one.spec.name, one.spec.backup):
                    with contextlib.suppress(NotFoundError):  # it is not running
                        self._datapaths[record.datapath].set_session(resolved(record), resolved_session(one))

    def go_back(self, recorded: Recorded, pending: PendingChange, verb: str) -> Outcome:
        """Make what a change that is done replaced. Call it under the lock. verb: how the log calls it.

        The record is undone first: whatever interrupts the rest, `restore` or the next change finishes it.
        Raises what the steps raise.
        """
        before = recorded.everything
        self._convergence.ask_all_again(recorded.links, pending.before.made.links)
        wanted = before.edited(pending.before)
        resolution = Resolution(records=wanted, scope=pending.scope, links=links_of(pending))
        change = self._plan_input(recorded, resolution, self.observer(recorded))
        steps = plan_everything(change)
        note = PendingChange(scope=pending.scope, before=pending.before, target=pending.before.back(before))
        done = Outcome(steps=steps, before=before, after=wanted)
        self.store.commit(pending.before, _audited(verb, done), note)
        lost: list[StepText] = []
        self._convergence.take(change, steps, lost=lost)
        self._runner.tidy(change.wanted)
        self.store.forget_pending()
        self.tidy_namespaces()
        return dataclasses.replace(done, lost=tuple(lost))

    def tidy_namespaces(self) -> None:
        """Remove the network namespaces that were made on demand, and that nothing on record is for any more."""
        self._spaces.tidy()

    def _recorded(self, *, repairs: bool = False) -> Recorded:
        """The record for a change to begin with. Every change begins here, so none is made beside an unconfirmed one.

        repairs: the change only makes again what is on record. Raises ConflictError while one waits to be confirmed.
        """
        recorded = self.store.load()
        if recorded.pending is not None and recorded.pending.renaming is not None:
            self._follow_renaming(recorded.pending, recorded.pending.renaming)
            recorded = self.store.load()
        if not repairs and recorded.pending is not None and recorded.pending.deadline is not None:
            raise unconfirmed(recorded.pending)
        return recorded

    # -- one at a time -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock for the block, so that nobody else changes this host.

        The database stays open; see Store.kept_open.
        Raises LockedError when another change takes too long, and what Store.load does.
        """
        self.paths.make()
        with exclusive(self.paths.runtime), self.store.kept_open():
            yield


@value_class(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A change that is resolved and planned, before its first step.

    verb: how the log calls it. changed: what becomes of the record. planned: what the plan looked at. namespaces: those
    that were made for it.
    """

    verb: str
    recorded: Recorded
    resolution: Resolution
    changed: RecordDelta
    planned: PlanInput
    steps: tuple[AnyStep, ...]
    namespaces: tuple[str, ...]

    @property
    def before(self) -> HostRecords:
        """The record as it was before the change."""
        return self.recorded.everything

    def outcome(self, lost: tuple[StepText, ...]) -> Outcome:
        """The result of the change, once its steps are taken. lost: see Outcome."""
        return Outcome(
            steps=self.steps,
            before=self.before,
            after=self.resolution.records,
            namespaces=self.namespaces,
            lost=lost,
            waiting=self.resolution.late.reasons,
        )


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Thousands of objects are made in a row, and kept: looking for garbage among them takes a third of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _audited(verb: str, done: Outcome) -> AuditEntry:
    """The entry of the log for a change that is done."""
    what = done.in_words or "nothing but the record"
    return AuditEntry(at=time.time(), who=caller(), what=f"{verb}: {what}" if verb else what)


def _records_asked_for(before: HostRecords, resolution: Resolution) -> HostRecords:
    """The records that somebody asks for with this change."""
    wanted = resolution.records
    return wanted if resolution.scope is None else RecordDelta.between(before, wanted).made


def _records_in_scope(resolution: Resolution) -> HostRecords:
    """The new records of what the change is about."""
    whole, scope = resolution.records, resolution.scope
    if scope is None:
        return whole
    tunnels, about = {name for name, _ in scope}, touched_links(scope, resolution.links, whole) or ()
    return HostRecords(
        tunnels={name: record for name, record in whole.tunnels.items() if name in tunnels},
        links={name: record for name, record in whole.links.items() if name in about},
    )


@contextlib.contextmanager
def _noting(error: BaseException) -> Iterator[None]:
    """An L2tpError inside the block is added to `error` as a note, and does not replace it."""
    try:
        yield
    except L2tpError as second:
        error.add_note(f"and undoing it failed: {second}")
