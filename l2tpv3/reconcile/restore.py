"""Brings back what is on record and not running, and waits for what that needs of the host, such as a DHCP lease."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping
from typing import Final

from l2tpv3.errors import L2tpError, LockedError, WorkerError
from l2tpv3.linux.arrivals import Arrivals
from l2tpv3.model.late import WAITED_FOR
from l2tpv3.model.link_key import is_link_key, link_key, link_of
from l2tpv3.model.progress import RestoreEvent, RestoreOutcome, StepText, Tell
from l2tpv3.model.spec import home
from l2tpv3.plan.link_steps import LinkStep
from l2tpv3.plan.result import Outcome
from l2tpv3.plan.steps import AnyStep
from l2tpv3.reconcile.reconciler import Reconciler
from l2tpv3.resolve.change import RestoreRecorded
from l2tpv3.resolve.resolution import recorded_by_name, recorded_names, resolve

_REFUSED_MAX: Final = 16  # each is found by trying once more


class Restorer:
    """One run of `restore`. tell: called for each tunnel and link that is restored, waited for, or fails.

    Links are among tunnels as `link NAME`, which no tunnel is called. stopped: also bring back what `down` stopped;
    False leaves that alone, and what is on record no more, at whichever moment that came.
    """

    def __init__(self, reconciler: Reconciler, tell: Tell | None = None, *, stopped: bool = True) -> None:
        self._stopped = stopped
        self._reconciler = reconciler
        self._tell = tell or (lambda _: None)
        self._reported: set[tuple[str, str]] = set()
        self._restored: set[str] = set()
        self._partly_done: set[str] = (
            set()
        )  # of which steps were taken in an attempt that failed, perhaps because of another
        self._failed: dict[str, L2tpError] = {}

    def restore(self, names: Collection[str] | None, wait_s: float = 0.0) -> list[str]:
        """Bring back these tunnels and links (None: all on record), those that can be while others are waited for.

        A tunnel comes back without those of its sessions that have to be waited for. Gives the names of those in which
        something was missing. Raises an error of one that failed, or that could not be brought back in `wait_s`
        seconds, when the others are up; the rest of the errors are told.
        """
        give_up = time.monotonic() + wait_s
        with Arrivals(self._namespaces() if wait_s > 0 else ()) as arrivals:
            waiting = self._attempt(names)
            while waiting:
                left = give_up - time.monotonic()
                if left <= 0:
                    self._failed |= waiting
                    break
                self._tell_waiting(waiting)
                arrivals.wait(left)
                waiting = self._attempt(list(waiting))
                arrivals.forget()
        if self._failed:
            *others, (_, first) = reversed(self._failed.items())
            for name, error in reversed(others):
                self._tell(news_of(name, RestoreOutcome.FAILED, error))
            raise first
        return sorted(self._restored)

    def _namespaces(self) -> set[str | None]:
        recorded = self._reconciler.store.load()
        records = recorded.tunnels.values()
        homes = {home(record.spec, one.spec) for record in records for one in record.sessions}
        links = {place for one in recorded.links.values() for place in (one.over_netns, one.resolved.home)}
        return homes | {record.spec.netns for record in records} | links

    def _tell_waiting(self, waiting: dict[str, L2tpError]) -> None:
        for name, error in waiting.items():
            if (name, str(error)) not in self._reported:
                self._reported.add((name, str(error)))
                self._tell(news_of(name, RestoreOutcome.WAITING, error))

    def _attempt(self, names: Collection[str] | None) -> dict[str, L2tpError]:
        """Try to bring them back, and return those to wait for.

        All at once, else those that look ready, else one by one: quick when well.

        So one that can't be brought back is in no other's way. Raises LockedError at once: it is about all of them.
        """
        try:
            return self._sorted(self._together(names))
        except LockedError:
            raise
        except L2tpError as error:
            if names is not None and len(names) == 1:
                return self._sorted({next(iter(names)): error})
        ready, failures = self._inspect(names)
        if ready and failures:
            try:
                failures |= self._together(ready)
                ready = []
            except LockedError:
                raise
            except L2tpError:
                pass
        for name in ready:
            try:
                failures |= self._together([name])
            except LockedError:
                raise
            except L2tpError as error:
                failures[name] = error
        return self._sorted(failures)

    def _sorted(self, failures: Mapping[str, L2tpError]) -> dict[str, L2tpError]:
        self._failed |= {name: error for name, error in failures.items() if not isinstance(error, WAITED_FOR)}
        return {name: error for name, error in failures.items() if isinstance(error, WAITED_FOR)}

    def _inspect(self, names: Collection[str] | None) -> tuple[list[str], dict[str, L2tpError]]:
        """The tunnels and links that have what they need of the host. Touches nothing."""
        recorded = self._reconciler.store.load()
        resolver = self._reconciler.resolver(recorded, self._reconciler.observer(recorded))
        ready: list[str] = []
        failures: dict[str, L2tpError] = {}
        for name in recorded_names(recorded.everything):
            one = RestoreRecorded(names=[name], stopped=self._stopped)
            asked = names is None or name in names
            if not asked or not one.asks_for(recorded_by_name(recorded.everything, name)):
                continue
            try:
                resolve(one, resolver)
                ready.append(name)
            except L2tpError as error:
                failures[name] = error
        return ready, failures

    def _together(self, names: Collection[str] | None) -> Mapping[str, L2tpError]:
        """Bring back as one change: all that is missing of them, or nothing.

        But for sessions that have to be waited for, and a few of a single tunnel that can't be made, which whoever has
        their network namespace can bring about: gives their tunnels, and what is wrong.
        """
        refused: dict[tuple[str, str], L2tpError] = {}
        while True:
            change = RestoreRecorded(names=names, stopped=self._stopped, refused=dict(refused))
            try:
                return self._report(names, self._reconciler.change(change, on_step=self._note_begun))
            except WorkerError:
                raise
            except L2tpError as error:
                single = names is not None and len(names) == 1 and len(refused) < _REFUSED_MAX
                if not single or error.session is None or error.session in refused:
                    raise
                refused[error.session] = error

    def _report(self, names: Collection[str] | None, outcome: Outcome) -> Mapping[str, L2tpError]:
        """Tell what of these names was restored, also by an attempt before it; gives what has to be waited for."""
        asked = RestoreRecorded(names=names, stopped=self._stopped)
        done = {name for name in self._partly_done if names is None or name in names}
        done = {name for name in done if asked.asks_for(recorded_by_name(outcome.after, name))}
        self._partly_done -= done
        for name in sorted(done | set(map(_subject, outcome.steps))):
            self._restored.add(name)
            if name not in outcome.waiting:
                self._tell(
                    dataclasses.replace(
                        news_of(name, RestoreOutcome.RESTORED),
                        changed=self._what_changed(outcome, name),
                    )
                )
        return outcome.waiting

    def _what_changed(self, outcome: Outcome, name: str) -> str:
        """What was chosen anew, and that a peer's name told no address; that `watch` tells by itself."""
        said = [_what_changed(outcome, name)]
        spec = outcome.after.tunnels[name].spec if name in outcome.after.tunnels else None
        if self._stopped and spec is not None and spec.remote_name is not None:
            problem = self._reconciler.names.answer(spec.remote_name).problem
            if problem:
                said.append(f"remote {spec.remote} as before, since {spec.remote_name} has no address now ({problem})")
        return ", ".join(filter(None, said))

    def _note_begun(self, step: StepText) -> None:
        if step.link is not None:
            self._partly_done.add(link_key(step.link))
        elif step.tunnel:
            self._partly_done.add(step.tunnel)


def _subject(step: AnyStep) -> str:
    return link_key(step.link.spec.name) if isinstance(step, LinkStep) else step.tunnel.spec.name


def _what_changed(outcome: Outcome, name: str) -> str:
    """What had to be chosen anew for a tunnel, in words; "" for nothing, and for links."""
    old, new = outcome.before.tunnels.get(name), outcome.after.tunnels.get(name)
    if old is None or new is None:
        return ""
    said = []
    if old.spec.remote != new.spec.remote:
        said.append(f"remote {old.spec.remote} → {new.spec.remote} ({new.spec.remote_name})")
    if old.datapath != new.datapath:
        said.append(f"datapath {old.datapath} → {new.datapath} ({new.reason})")
    if old.local != new.local:
        said.append(f"local {old.local} → {new.local}")
    for session in new.sessions:
        was = old.session(session.spec.name)
        if was is not None and was.mtu != session.mtu:
            said.append(f"session {session.spec.name}: mtu {was.mtu} → {session.mtu}")
    return ", ".join(said)


def news_of(name: str, outcome: RestoreOutcome, error: L2tpError | None = None) -> RestoreEvent:
    """The event that reports what became of a tunnel, or of a link (named as `link_key` does)."""
    return RestoreEvent("", outcome, error, link_of(name)) if is_link_key(name) else RestoreEvent(name, outcome, error)
