"""Looks after workers: when one dies, its tunnels or virtual cards are restored, in whose netdevs nothing changed.

A worker has no parent, so that it outlives whatever command started it, and so that this may end and start again, at an
upgrade for instance, without a packet lost. Its end is noticed by a pidfd (pidfd_open(2)); that there are other workers
now, by the time of the last change of the directories of their sockets. One that lives but does not answer for a while
is ended. A netdev that somebody deleted is noticed when workers are asked whether they answer; what waits on record is
tried now and then. What was chosen from the surroundings, an address or an MTU, is compared again when they change.
When sessions of the kernel and of ebpf receive something is noted. No error ends this: see l2tpv3.linux.tasks.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from l2tpv3.errors import BusyError, L2tpError, NotPermittedError, WorkerError
from l2tpv3.host.manager import Manager
from l2tpv3.linux.arrivals import Arrivals
from l2tpv3.linux.tasks import Tasks
from l2tpv3.liveness.link_loss import LinkLoss
from l2tpv3.liveness.name_watcher import NameWatcher
from l2tpv3.liveness.prober import Prober
from l2tpv3.liveness.surroundings_rules import SurroundingsRules
from l2tpv3.model.progress import RestoreEvent, RestoreOutcome, Tell
from l2tpv3.paths import CARDS, EBPF, Paths
from l2tpv3.reconcile.restore import news_of

LOOK_S: Final = 1.0
"""How often those directories and the record are looked at when no worker dies; a stat() call each."""
ASK_S: Final = 3.0
"""How often workers are asked whether they still answer."""
GRACE_S: Final = 8.0
"""How long one may not answer before it is ended: it has been asked twice by then, and waited for each time."""

_CALM_S: Final = 60.0
_DELAY_FIRST_S: Final = 0.5
_DELAY_MAX_S: Final = 10.0


class Supervisor:
    """Call `run`. complain: told of errors that are no single tunnel's or link's. say: of what probes come to."""

    def __init__(
        self, manager: Manager, paths: Paths | None = None, *, tell: Tell, complain: Callable[[L2tpError], None],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._manager = manager
        self._paths = paths or Paths.from_environment()
        self._tell, self._complain = tell, complain
        self._cables = LinkLoss(manager)
        self._prober = Prober(self._paths.runtime, say, complain)
        self._targets_at = 0.0
        self._names = NameWatcher(self._paths.runtime, say, complain)
        self._arrivals: Arrivals | None = None
        self._surroundings = SurroundingsRules(time.monotonic())
        self._names_seen = 0
        self._uncompared = ""
        self._tasks = Tasks(complain)
        self._complained = self._unheeded = self._unseen = self._unsettled = ""
        self._workers: dict[int, int] = {}  # pid: its pidfd
        self._orphans: set[str] = set()
        self._bare: set[str] = set()  # tunnels whose worker lacks a netdev
        self._encrypts = False  # some tunnel on record is encrypted
        self._known: set[str] = set()  # tunnels and cards that had a worker
        self._hangs: dict[int, float] = {}  # pid: since when it does not answer
        self._asked = 0.0
        self._tried: dict[str, tuple[float, float]] = {}  # when it was tried last, and the delay
        self._told: dict[str, str] = {}
        self._stamp: object = None
        self._due: float | None = None  # when what awaits its confirmation is to be undone

    def run(self) -> None:
        """Run until SIGTERM or SIGINT. A restore that is under way then is completed first."""
        with contextlib.closing(self._prober), contextlib.closing(self._names), _end_signals() as ended:
            manager = self._manager
            tasks = (
                self._look_at_changes, self._restore_orphans, self._ask, self._follow, manager.note_receptions,
                self._look_for_targets, self._compare,
            )  # fmt: skip
            while True:
                for task in tasks:
                    self._tasks.run(task)
                ready = dict(self._poll(ended))
                if ended in ready:
                    return
                if ready.keys() - self._cables.filenos():
                    self._stamp = None
                    self._hangs = {pid: since for pid, since in self._hangs.items() if self._workers[pid] not in ready}

    def _look_at_changes(self) -> None:
        if self._changed():
            self._look()
            self._listen()

    def _listen(self) -> None:
        """Listen to the surroundings of the tunnels on record, and have the names of their peers looked up."""
        try:
            places, names = self._manager.underlays()
        except L2tpError:
            return  # which _look tells
        self._names.want(names)
        if self._arrivals is None or not self._arrivals.listens_in(places):
            if self._arrivals is not None:
                self._arrivals.close()
            self._arrivals = Arrivals(places)
            self._surroundings.heard(time.monotonic())

    def _compare(self) -> None:
        """Restore tunnels for which something else would be chosen now: an address, or an MTU."""
        began = time.monotonic()
        if self._arrivals is not None and self._arrivals.heard():
            self._surroundings.heard(began)
            self._names.hurry()
        if self._names.changes != self._names_seen:
            self._names_seen = self._names.changes
            self._surroundings.named(began)
        if not self._surroundings.due(began):
            return
        try:
            differing = self._manager.chosen_otherwise()
            self._uncompared = ""
        except L2tpError as error:
            differing = set()
            if str(error) != self._uncompared:
                self._complain(error)
            self._uncompared = str(error)
        self._surroundings.compared(began, time.monotonic(), differed=bool(differing))
        if differing:
            self._restore(sorted(differing))

    def _changed(self) -> bool:
        record = self._paths.state / "l2tpv3.db"
        runtime = self._paths.runtime
        sockets = (runtime, runtime / EBPF, runtime / CARDS)
        stamp = [_mtime(path) for path in (*sockets, record, record.with_name("l2tpv3.db-wal"))]
        changed, self._stamp = stamp != self._stamp, stamp
        return changed or (self._due is not None and time.monotonic() >= self._due)

    def _look(self) -> None:
        """See which workers there are and which tunnels and cards lost theirs; undo what was not confirmed in time."""
        try:
            self._manager.expire()
            left = self._manager.unconfirmed_s()
            self._due = None if left is None else time.monotonic() + left
            found = self._manager.orphans(self._known)
            self._encrypts = self._manager.encrypts
            self._cables.look()
        except L2tpError as error:
            if str(error) != self._unsettled:
                self._complain(error)
            self._unsettled = str(error)
            self._due = time.monotonic() + ASK_S  # what was not confirmed in time must not stay
            return
        self._unsettled = ""
        self._orphans = {name for name, pid in found.items() if pid is None}
        pids = {pid for pid in found.values() if pid is not None}
        self._known |= {name for name, pid in found.items() if pid is not None}
        # One that lives on, but can't be asked any more as its socket is gone, is watched until it ends.
        for pid in [pid for pid in self._workers.keys() - pids - self._hangs.keys() if _has_ended(self._workers[pid])]:
            os.close(self._workers.pop(pid))
        for pid in pids - self._workers.keys():
            try:
                self._workers[pid] = os.pidfd_open(pid)
            except ProcessLookupError:  # it has ended since
                self._stamp = None

    def _restore_orphans(self) -> None:
        """What is lost again and again is tried less and less often. Then the workers are looked at again."""
        now = time.monotonic()
        due = [name for name in sorted(self._orphans | self._bare) if now >= sum(self._tried.get(name, (0.0, 0.0)))]
        for name in due:
            last, delay = self._tried.get(name, (0.0, 0.0))
            again = min(_DELAY_MAX_S, max(_DELAY_FIRST_S, 2 * delay)) if now - last < _CALM_S and last else 0.0
            self._tried[name] = (now, again)
        if not due:
            return
        try:
            self._restore(due)
        except Exception:
            if len(due) == 1:
                raise
            for name in due:  # one by one: what is wrong with one of them keeps none of the others down
                self._tasks.run(functools.partial(self._restore, [name]), f"restore {name}")
        finally:
            self._bare.difference_update(due)  # until they are asked after again
            self._look()

    def _restore(self, names: list[str]) -> None:
        try:
            self._manager.restore(names, tell=self._tell_once, stopped=False)
        except L2tpError as error:
            self._tell_once(news_of(names[0] if len(names) == 1 else "", RestoreOutcome.FAILED, error))

    def _follow(self) -> None:
        """Pass on link loss for ports that follow their far end."""
        try:
            self._cables.step()
        except L2tpError as error:
            if str(error) != self._complained:
                self._complain(error)
            self._complained = str(error)
        else:
            self._complained = ""

    def _look_for_targets(self) -> None:
        """Have sessions probed that are to be, as they are now."""
        now = time.monotonic()
        if now >= self._targets_at:
            found = self._manager.probe_targets()
            self._prober.want(target for target, _ in found if target.address is not None)
            self._prober.hear([(target, report) for target, report in found if report is not None])
            waited_for = any(target.hook is not None for target, report in found if report is not None)
            self._targets_at = time.monotonic() + (LOOK_S if waited_for else ASK_S)

    def _refresh(self) -> None:
        """Refresh sessions whose routes, netdevs or IPsec policies may have changed."""
        try:
            for name in self._manager.refresh():
                self._tell(RestoreEvent(name, RestoreOutcome.RESTORED))
            self._unheeded = ""
        except BusyError:
            return  # next time
        except L2tpError as error:
            if str(error) != self._unheeded:
                self._complain(error)
            self._unheeded = str(error)

    def _without_netdevs(self) -> set[str]:
        try:
            return self._manager.without_netdevs()
        except L2tpError as error:
            if str(error) != self._unseen:
                self._complain(error)
            self._unseen = str(error)
            return set()

    def _ask(self) -> None:
        """Whether all workers still answer; one that has not for a while is ended, and so will be replaced.

        It may be stopped (a debugger) or run in circles (a defect of ours): its frames go nowhere either way.
        """
        now = time.monotonic()
        if now < self._asked + ASK_S:
            return
        try:
            workers = self._manager.workers()
        except L2tpError as error:
            self._complain(error)
            workers = {}
        silent = {pid for pid, answers in workers.items() if not answers}
        if not silent:  # which would have to be waited for once more
            self._refresh()
            self._bare = self._without_netdevs() if workers or self._encrypts else set()
        self._asked = time.monotonic()
        for pid in silent - self._workers.keys():
            with contextlib.suppress(OSError):  # it has ended since; or its pid is not known
                self._workers[pid] = os.pidfd_open(pid)
        self._hangs = {pid: self._hangs.get(pid, now) for pid in silent & self._workers.keys()}
        for pid in [pid for pid, since in self._hangs.items() if self._asked >= since + GRACE_S]:
            self._end(pid)

    def _end(self, pid: int) -> None:
        who = f"worker {pid}"
        error: L2tpError = WorkerError(who, "did not answer as it should; it is ended, and another one takes its place")
        try:
            signal.pidfd_send_signal(self._workers[pid], signal.SIGKILL)  # that very process, whoever has its pid now
        except ProcessLookupError:
            return
        except PermissionError:  # root's own l2tpctl started it, and our unit may not end a process of another user
            error = NotPermittedError(who, "does not answer and can't be ended from here", f"`kill -9 {pid}`")
        self._tell_once(RestoreEvent(who, RestoreOutcome.FAILED, error))

    def _tell_once(self, news: RestoreEvent) -> None:
        """Report an error of a tunnel or link once, not at each try."""
        text = str(news.error or "")
        if not text or self._told.get(news.subject) != text:
            self._tell(news)
        self._told[news.subject] = text

    def _poll(self, ended: int) -> list[tuple[int, int]]:
        poll = select.poll()
        for fd in (ended, *self._workers.values(), *self._cables.filenos()):
            poll.register(fd, select.POLLIN)
        return poll.poll(LOOK_S * 1000)


def _has_ended(process: int) -> bool:
    """process: its pidfd."""
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(0))


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@contextlib.contextmanager
def _end_signals() -> Iterator[int]:
    """A file that is readable once SIGTERM or SIGINT has come."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    wakeup = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
