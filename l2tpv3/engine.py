"""Changes of this host, one at a time: plan, note, take the steps, look again, put on record; or undo.

Before the first step the change is noted in the store. When it fails, what was there is made again by the same
planning; when it is killed, the next change finds the note and plans from both beliefs. So nothing that a change made
is lost sight of, and none is ever half on record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from l2tpv3.datapath.base import Busy, Datapath, HasWorkers, unanswered
from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.errors import BusyError, ConflictError, ExistsError, L2tpError
from l2tpv3.link.base import Placer
from l2tpv3.link.place import NetdevPlacer
from l2tpv3.lock import exclusive
from l2tpv3.netlink.tape import Tape, taping
from l2tpv3.observe import Observer
from l2tpv3.places import Places
from l2tpv3.plan import Change, Scope, plan
from l2tpv3.quick import Quick, Request
from l2tpv3.recall import Recall
from l2tpv3.records import Records, TunnelRecord, resolved, resolved_session
from l2tpv3.run import Runner
from l2tpv3.steps import AddTunnel, Step, describe
from l2tpv3.store import AuditEntry, Pending, Recorded, Store, boot_id, since_boot_s
from l2tpv3.told import OnStep, ToldStep
from l2tpv3.whoami import caller
from l2tpv3.world import World

ROUNDS = 4
"""How often a change is planned again when what is seen after its steps is not yet what is wanted."""

_PAUSE_S = 0.05

Look = Callable[[Records], World]
"""At what is there of these tunnels and sessions."""

Want = Callable[[Records], Records]
"""From what is on record to what is wanted instead. May raise L2tpError: then nothing has been touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change did, or would do. steps: in their order; () when everything was so already."""

    steps: tuple[Step, ...]
    before: Records
    after: Records

    @property
    def changes(self) -> bool:
        """Whether anything changes: what runs, or only what is on record of it."""
        return bool(self.steps) or dict(self.before) != dict(self.after)

    @property
    def told(self) -> tuple[ToldStep, ...]:
        """The steps in words."""
        return tuple(map(describe, self.steps))


class Engine:
    """See the module. One for a pair of places; it holds nothing open between calls."""

    def __init__(self, places: Places, datapaths: Mapping[str, Datapath], placer: Placer) -> None:
        self.places = places
        recall = Recall(places)
        self.store = Store(places.state, recall.forget)
        self._datapaths = datapaths
        self._placer = placer
        self._runner = Runner(datapaths, placer, places)
        self._in_place = {name: one.in_place for name, one in datapaths.items()}
        kernel = datapaths.get(KernelDatapath.name)
        self._quick = (
            Quick(places, self.store, recall, kernel, self._in_place)
            if isinstance(kernel, KernelDatapath) and isinstance(placer, NetdevPlacer)
            else None
        )

    def observer(self, recorded: Recorded) -> Observer:
        """A fresh look at this host."""
        pending = recorded.pending
        unfinished: Scope = pending.scope if pending and pending.deadline is None else frozenset()
        return Observer(self._datapaths, self.places, self._placer.locator(), unfinished)

    def unfinished(self) -> Records:
        """What a change was making that was killed half-way, and which may therefore be there; {} without one."""
        pending = self.store.pending()
        return {} if pending is None else _making(pending)

    def preview(self, want: Want, scope: Scope | None, request: Request | None = None) -> Outcome:
        """What `change` would do now. Touches nothing; needs no lock, so another change may come between.

        request: what `want` stands for, if the quick way may be taken.
        """
        if (quick := self._preview_quickly(request)) is not None:
            return quick
        stamp = self._quick.stamp() if self._quick is not None else None
        with _no_collection():
            recorded = self.store.load()
            with self._busy():
                wanted = want(recorded.tunnels)
            with taping() as tape:
                change = self._look(recorded, wanted, scope)
            steps = plan(change)
        outcome = Outcome(steps=steps, before=recorded.tunnels, after=wanted)
        if self._quick is not None and stamp is not None and recorded.pending is None and not outcome.changes:
            # Not to be had at once: somebody is changing the record.
            with contextlib.suppress(L2tpError), exclusive(self.places.runtime, timeout_s=0):
                self._quick.keep(tape, change, request, stamp)
        return outcome

    def _preview_quickly(self, request: Request | None) -> Outcome | None:
        known = self._quick.known(request) if self._quick is not None and request is not None else None
        if self._quick is None or request is None or known is None:
            return None
        if not known.touched:
            return Outcome(steps=(), before={}, after={})
        narrow = self._quick.narrow(request, known)
        if narrow is None:
            return None
        return Outcome(steps=plan(narrow.change), before=narrow.recorded.tunnels, after=narrow.after)

    def _change_quickly(self, request: Request | None, on_step: OnStep | None) -> Outcome | None:
        """The quick way of `change`, in which the lock is held; None where there is none."""
        known = self._quick.known(request) if self._quick is not None and request is not None else None
        if self._quick is None or request is None or known is None:
            return None
        if not known.touched:
            return Outcome(steps=(), before={}, after={})
        narrow = self._quick.narrow(request, known)
        if narrow is None:
            return None
        steps = plan(narrow.change)
        changed = _changed(narrow.recorded.tunnels, narrow.after)
        if changed:
            self._carry_out(narrow.recorded, narrow.change, steps, changed, None, on_step, self._quick.look)
        self._quick.keep_after(known, narrow)
        return Outcome(steps=steps, before=narrow.recorded.tunnels, after=narrow.after)

    def change(
        self,
        want: Want,
        scope: Scope | None,
        *,
        confirm_s: float | None = None,
        on_step: OnStep | None = None,
        repairs: bool = False,
        without: Collection[tuple[str, str]] = (),
        request: Request | None = None,
    ) -> Outcome:
        """Make it so within `scope` (None: everything); on any failure, what was there is there again.

        confirm_s: the change is to be undone unless `confirm` comes within that time; see `expire`. repairs: it only
        makes again what is on record, and so need not wait for a confirmation that something else awaits. without:
        sessions (tunnel, name) that are left as they are, whatever is wanted; looked at after `want` was called.
        request: what `want` stands for, if the quick way may be taken.
        Raises whatever the steps raise, BusyError when it does not come true, ConflictError while another change waits
        for its confirmation.
        """
        with self._locked(), _no_collection():
            if confirm_s is None and (quick := self._change_quickly(request, on_step)) is not None:
                return quick
            recorded = self.store.load()
            if not repairs:
                self._refuse_unconfirmed(recorded)
            with self._busy():
                wanted = want(recorded.tunnels)
            with taping() as tape:
                change = _leave_out(self._look(recorded, wanted, scope), without)
            steps = plan(change)
            self._refuse_unanswering(steps, change)
            changed = _changed(recorded.tunnels, wanted)
            if recorded.pending is not None and recorded.pending.deadline is not None:
                # The note of the unconfirmed change has to stay; this one is on record already and needs none.
                if changed:
                    self._refuse_unconfirmed(recorded)
                self._take(change, steps, on_step)
                return Outcome(steps=steps, before=recorded.tunnels, after=wanted)
            if not steps and not changed and recorded.pending is None:
                if self._quick is not None and not without:
                    self._quick.keep(tape, change, request)
                return Outcome(steps=(), before=recorded.tunnels, after=wanted)
            waiting = None
            if confirm_s is not None and (changed or steps):
                before = {name: recorded.tunnels.get(name) for name in changed}
                scope_ = frozenset((name, None) for name in changed)
                deadline = since_boot_s() + confirm_s
                waiting = Pending(scope=scope_, before=before, target=changed, deadline=deadline, boot=boot_id())
            last = self._carry_out(recorded, change, steps, changed, waiting, on_step)
            if self._quick is not None and waiting is None and not without:
                self._quick.keep(last, self._done(change), request)
            return Outcome(steps=steps, before=recorded.tunnels, after=wanted)

    def _carry_out(
        self,
        recorded: Recorded,
        change: Change,
        steps: tuple[Step, ...],
        changed: Mapping[str, TunnelRecord | None],
        waiting: Pending | None,
        on_step: OnStep | None,
        look: Look | None = None,
    ) -> Tape:
        """Note it, take the steps, put it on record; on any failure undo it. Gives what the last look told."""
        audit = AuditEntry(at=time.time(), who=caller(), what="; ".join(map(_in_words, steps)) or "record only")
        note = _note(recorded, change, steps, changed)
        self.store.begin(note)
        try:
            last = self._take(change, steps, on_step, look)
            self.store.commit(changed, audit, waiting)
        except BaseException as error:
            with _noting(error):
                self._undo(change, note)
                self.store.revert({name: recorded.tunnels.get(name) for name in changed})
            raise
        return last

    def _take(
        self, change: Change, steps: tuple[Step, ...], on_step: OnStep | None = None, look: Look | None = None
    ) -> Tape:
        """Take the steps, and look whether what is seen is then what is wanted; if not, plan once more.

        look: at what; None is everything that is wanted. Gives what the last look told.
        """

        def tell(step: Step) -> None:
            if on_step is not None:
                on_step(describe(step))

        for attempt in range(ROUNDS):
            with self._busy():
                self._runner.take_all(steps, tell)
            with taping() as tape:
                world = (look or self._look_at_all)(change.wanted)
            steps = plan(dataclasses.replace(self._done(change), world=world))
            if not steps:
                return tape
            time.sleep(_PAUSE_S * attempt)
        left = describe(steps[0])
        problem = f"after {ROUNDS} attempts still to do: {left.sign} {left.text}"
        raise BusyError(left.subject, problem, "something else may be changing it at the same time")

    @contextlib.contextmanager
    def _busy(self) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for one in (*self._datapaths.values(), self._placer):
                if isinstance(one, Busy):
                    stack.enter_context(one.busy())
            yield

    def _look_at_all(self, records: Records) -> World:
        return self.observer(Recorded(tunnels={})).world(records)

    def _done(self, change: Change) -> Change:
        """The same change once its steps were taken: what can't be seen is what was wanted."""
        return dataclasses.replace(change, old=change.wanted, maybe={})

    def _undo(self, change: Change, note: Pending) -> None:
        """Make again what was there before: of what was on record, that which was really running."""
        was = {
            name: alive for name, record in change.old.items() if (alive := _alive(record, change.world)) is not None
        }
        making = {**change.maybe, **{name: record for name, record in note.target.items() if record is not None}}
        world = self.observer(Recorded(tunnels={})).world(change.old, making)
        back = dataclasses.replace(change, maybe=making, wanted=was, world=world, scope=note.scope)
        self._take(back, plan(back))

    def _look(self, recorded: Recorded, wanted: Records, scope: Scope | None) -> Change:
        maybe: dict[str, TunnelRecord] = {}
        if recorded.pending is not None and recorded.pending.deadline is None:
            maybe = _making(recorded.pending)
            scope = None if scope is None else scope | recorded.pending.scope
        world = self.observer(recorded).world(recorded.tunnels, maybe, wanted)
        return Change(
            old=recorded.tunnels, maybe=maybe, wanted=wanted, world=world, in_place=self._in_place, scope=scope
        )

    def stop(self) -> Outcome:
        """Remove everything on record from this host, keeping the record."""
        with self._locked():
            recorded = self.store.load()
            self._refuse_unconfirmed(recorded)
            change = self._look(recorded, {}, None)
            steps = plan(change)
            self.store.begin(_note(recorded, dataclasses.replace(change, wanted=recorded.tunnels), steps, {}))
            self._take(change, steps)
            audit = AuditEntry(
                at=time.time(), who=caller(), what="down: " + ("; ".join(map(_in_words, steps)) or "nothing")
            )
            # On record it stays, but nothing is to bring it back in this boot unless somebody asks for it.
            now = boot_id()
            stopped = {name: dataclasses.replace(one, stopped=now) for name, one in recorded.tunnels.items()}
            self.store.commit(stopped, audit)
            return Outcome(steps=steps, before=recorded.tunnels, after=recorded.tunnels)

    def adopt(self, record: TunnelRecord) -> None:
        """Put on record what is running already, and mark its netdevs as ours."""
        with self._locked():
            recorded = self.store.load()
            if record.spec.name in recorded.tunnels:
                raise ExistsError(f"tunnel {record.spec.name}", "exists already", "give another NAME")
            for session in record.sessions:
                mark = self.places.mark(record.spec.name, session.spec.name)
                self._placer.mark(resolved(record), resolved_session(session), mark)
            what = f"adopt tunnel {record.spec.name} with {len(record.sessions)} sessions"
            audit = AuditEntry(at=time.time(), who=caller(), what=what)
            self.store.commit({record.spec.name: record}, audit)

    # -- confirmation --------------------------------------------------------------------------------------------

    def confirm(self) -> bool:
        """Keep what waits for its confirmation. False when nothing does."""
        with self._locked():
            pending = self.store.load().pending
            if pending is None or pending.deadline is None:
                return False
            self.store.forget_pending()
            return True

    def rollback(self) -> Outcome | None:
        """Undo what waits for its confirmation. None when nothing does.

        The record is undone first: whatever interrupts the rest, `restore` or the next change finishes it.
        """
        with self._locked():
            recorded = self.store.load()
            pending = recorded.pending
            if pending is None or pending.deadline is None:
                return None
            merged = {**recorded.tunnels, **pending.before}
            wanted = {name: record for name, record in merged.items() if record is not None}
            change = self._look(recorded, wanted, pending.scope)
            steps = plan(change)
            there = {name: recorded.tunnels.get(name) for name in pending.before}
            note = Pending(scope=pending.scope, before=pending.before, target=there)
            what = "rolled back: " + ("; ".join(map(_in_words, steps)) or "record only")
            self.store.commit(dict(pending.before), AuditEntry(at=time.time(), who=caller(), what=what), note)
            self._take(change, steps)
            self.store.forget_pending()
            return Outcome(steps=steps, before=recorded.tunnels, after=wanted)

    def expire(self) -> Outcome | None:
        """Undo what was not confirmed in time. None when nothing is due."""
        pending = self.store.load().pending
        if pending is None or pending.left_s is None or pending.left_s > 0:
            return None
        return self._forget_outlived(pending) if pending.outlived else self.rollback()

    def unconfirmed_s(self) -> float | None:
        """Seconds that are left to confirm the change that awaits it, 0 when it is due; None without one."""
        pending = self.store.load().pending
        return None if pending is None else pending.left_s

    def _forget_outlived(self, pending: Pending) -> Outcome | None:
        """The machine went down before a change was confirmed: nothing of it runs, only the record has to be undone.

        So that cannot fail for an address that is not there yet, and `restore` then brings up what was before.
        """
        with self._locked():
            recorded = self.store.load()
            if recorded.pending != pending:
                return None
            what = "rolled back: the machine went down before it was confirmed: " + ", ".join(sorted(pending.before))
            self.store.commit(dict(pending.before), AuditEntry(at=time.time(), who=caller(), what=what))
            return Outcome(steps=(), before=recorded.tunnels, after=self.store.tunnels())

    def _refuse_unanswering(self, steps: tuple[Step, ...], change: Change) -> None:
        """Raise WorkerError when a tunnel would be made that a worker which does not answer may have."""
        for step in steps:
            name = step.tunnel.datapath
            datapath = self._datapaths.get(name)
            if isinstance(step, AddTunnel) and name in change.world.hung and isinstance(datapath, HasWorkers):
                raise unanswered(next(iter(datapath.unanswering), 0))

    def _refuse_unconfirmed(self, recorded: Recorded) -> None:
        pending = recorded.pending
        if pending is not None and pending.deadline is not None:
            problem = f"a change waits for its confirmation, {pending.left_s or 0:.0f} s left"
            raise ConflictError("this host", problem, "`l2tpctl confirm` keeps it, `l2tpctl rollback` undoes it")

    # -- one at a time -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.places.make()
        with exclusive(self.places.runtime):
            yield


def _leave_out(change: Change, sessions: Collection[tuple[str, str]]) -> Change:
    """The change as if there were no such sessions: neither on record, nor wanted."""
    if not sessions:
        return change
    less = [
        {
            name: record.with_sessions(tuple(one for one in record.sessions if (name, one.spec.name) not in sessions))
            for name, record in records.items()
        }
        for records in (change.old, change.maybe, change.wanted)
    ]
    return dataclasses.replace(change, old=less[0], maybe=less[1], wanted=less[2])


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


def _making(pending: Pending) -> dict[str, TunnelRecord]:
    """What was being made by a change that is under way, or was killed; nothing of one that is done."""
    if pending.deadline is not None:
        return {}
    return {name: record for name, record in pending.target.items() if record is not None}


def _changed(old: Records, wanted: Records) -> dict[str, TunnelRecord | None]:
    """The tunnels whose record differs, as wanted; None where it goes."""
    return {name: wanted.get(name) for name in sorted({*old, *wanted}) if old.get(name) != wanted.get(name)}


def _note(
    recorded: Recorded, change: Change, steps: tuple[Step, ...], changed: Mapping[str, TunnelRecord | None]
) -> Pending:
    """What has to be known of a change to find everything that it may have made: only what it is about."""
    about: set[tuple[str, str | None]] = set(recorded.pending.scope) if change.maybe and recorded.pending else set()
    for step in steps:
        session = getattr(step, "session", None)
        about.add((step.tunnel.spec.name, session.spec.name if session is not None else None))
    for name in changed:
        if change.covers(name):
            about.add((name, None))
    names = {name for name, _ in about}
    target = {name: _narrow(change.wanted.get(name) or change.maybe.get(name), about) for name in names}
    before = {name: _narrow(change.old.get(name), about) for name in names}
    return Pending(scope=frozenset(about), before=before, target=target)


def _narrow(record: TunnelRecord | None, about: set[tuple[str, str | None]]) -> TunnelRecord | None:
    """The record with only the sessions that a change is about, so that changing one of many stays cheap."""
    if record is None or (record.spec.name, None) in about:
        return record
    return record.with_sessions(tuple(one for one in record.sessions if (record.spec.name, one.spec.name) in about))


def _alive(record: TunnelRecord, world: World) -> TunnelRecord | None:
    """What of a record is running; None when its tunnel is not."""
    seen = world.tunnel(record)
    if seen is None:
        return None
    ids = {one.session_id for one in seen.sessions}
    return record.with_sessions(tuple(one for one in record.sessions if one.spec.session_id in ids))


def _in_words(step: Step) -> str:
    said = describe(step)
    return f"{said.sign} {said.subject}: {said.text}"


@contextlib.contextmanager
def _noting(error: BaseException) -> Iterator[None]:
    """What goes wrong while `error` is being dealt with is added to it as a note, and does not take its place."""
    try:
        yield
    except L2tpError as second:
        error.add_note(f"and undoing it failed: {second}")
