"""Brings back what is on record and not running, and waits for what that needs of the host, such as a DHCP lease."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from l2tpv3.errors import L2tpError, LockedError, WorkerError
from l2tpv3.linux.arrivals import Arrivals
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.late import WAITED_FOR, Late
from l2tpv3.model.links.record import Links
from l2tpv3.model.progress import RestoreEvent, RestoreOutcome, StepText, Tell
from l2tpv3.model.spec import home
from l2tpv3.plan.link_steps import LinkStep
from l2tpv3.plan.planner import touched_links
from l2tpv3.plan.result import Outcome
from l2tpv3.plan.steps import AnyStep
from l2tpv3.reconcile.reconciler import Reconciler
from l2tpv3.resolve.resolver import Resolver

_REFUSED_MAX: Final = 16  # each is found by trying once more


class Restorer:
    """One run of it. settling: what settles against these records.

    Links are among tunnels as `link NAME`, which no tunnel is called. stopped: also bring back what `down` stopped;
    False leaves that alone, and what is on record no more, at whichever moment that came.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        settling: Callable[[HostRecords], Resolver],
        tell: Tell | None = None,
        *,
        stopped: bool = True,
    ) -> None:
        self._stopped = stopped
        self._reconciler = reconciler
        self._resolver = settling
        self._tell = tell or (lambda _: None)
        self._told: set[tuple[str, str]] = set()
        self._restored: set[str] = set()
        self._begun: set[str] = set()  # of which steps were taken in an attempt that failed, perhaps because of another
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
            if (name, str(error)) not in self._told:
                self._told.add((name, str(error)))
                self._tell(news_of(name, RestoreOutcome.WAITING, error))

    def _attempt(self, names: Collection[str] | None) -> dict[str, L2tpError]:
        """Those that are to be waited for. All at once, else those that look ready, else one by one: quick when well.

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

    def _sorted(self, failures: dict[str, L2tpError]) -> dict[str, L2tpError]:
        self._failed |= {name: error for name, error in failures.items() if not isinstance(error, WAITED_FOR)}
        return {name: error for name, error in failures.items() if isinstance(error, WAITED_FOR)}

    def _inspect(self, names: Collection[str] | None) -> tuple[list[str], dict[str, L2tpError]]:
        """Which have what they need of the host, touching nothing."""
        whole = self._reconciler.store.load().everything
        settling = self._resolver(whole)
        ready: list[str] = []
        failures: dict[str, L2tpError] = {}
        for name in _keys(whole):
            if (names is None or name in names) and self._is_asked_for(whole, name):
                try:
                    tunnels, links = _parted([name])
                    settling.again(tunnels, links, Late())
                    ready.append(name)
                except L2tpError as error:
                    failures[name] = error
        return ready, failures

    def _together(self, names: Collection[str] | None) -> dict[str, L2tpError]:
        """Bring back as one change: all that is missing of them, or nothing.

        But for sessions that have to be waited for, and a few of a single tunnel that can't be made, which whoever has
        their network namespace can bring about: gives their tunnels, and what is wrong.
        """
        refused: dict[tuple[str, str], L2tpError] = {}
        while True:
            try:
                return self._at_once(names, refused)
            except _FewerError as fewer:
                if not fewer.names:
                    return {}
                names = fewer.names
            except WorkerError:
                raise
            except L2tpError as error:
                single = names is not None and len(names) == 1 and len(refused) < _REFUSED_MAX
                if not single or error.session is None or error.session in refused:
                    raise
                refused[error.session] = error

    def _at_once(
        self, names: Collection[str] | None, refused: Mapping[tuple[str, str], L2tpError]
    ) -> dict[str, L2tpError]:
        """As `_together`. Raises _FewerError, touching nothing, when some of them are not to be brought back.

        refused: sessions that are left out.
        """
        tunnels, links = (None, None) if names is None else _parted(names)
        scope = None if tunnels is None else frozenset((name, None) for name in tunnels)
        late = Late(sessions=dict(refused))

        def want(whole: HostRecords) -> HostRecords:
            asked = _keys(whole) if names is None else names
            left = [name for name in asked if self._is_asked_for(whole, name)]
            if len(left) < len(asked):
                raise _FewerError(left)
            about = touched_links(scope, links or (), whole)
            return self._resolver(whole).again(tunnels, about, late)

        outcome = self._reconciler.change(
            want,
            scope,
            links=links or (),
            on_step=self._note_begun,
            repairs=True,
            without=late.sessions.keys(),
            without_links=late.unmade,
            verb="restore",
        )
        done = {name for name in self._begun if names is None or name in names}
        self._begun -= done
        waiting: dict[str, L2tpError] = {link_key(name): error for name, error in late.links.items()}
        for (tunnel, _), error in late.sessions.items():
            waiting.setdefault(tunnel, error)
        for name in sorted(done | set(map(_subject, outcome.steps))):
            self._restored.add(name)
            if name not in waiting:
                self._tell(
                    dataclasses.replace(news_of(name, RestoreOutcome.RESTORED), changed=_what_changed(outcome, name))
                )
        return waiting

    def _note_begun(self, step: StepText) -> None:
        if step.link is not None:
            self._begun.add(link_key(step.link))
        elif step.tunnel:
            self._begun.add(step.tunnel)

    def _is_asked_for(self, whole: HostRecords, name: str) -> bool:
        record = whole.links.get(link_of(name)) if is_link_key(name) else whole.tunnels.get(name)
        return self._stopped or (record is not None and record.stopped is None)


_LINK = "link "


def is_link_key(name: str) -> bool:
    """Whether it stands for a link."""
    return name.startswith(_LINK)


def link_of(name: str) -> str:
    """The link's name."""
    return name.removeprefix(_LINK)


def link_key(name: str) -> str:
    """What a link is called among tunnels."""
    return f"{_LINK}{name}"


def beneath(links: Links, key: str) -> Iterator[str]:
    """The tunnels and links that a link is over, and what those are over. Of a tunnel, and of no link, nothing."""
    record = links.get(link_of(key)) if is_link_key(key) else None
    for one in record.spec.over if record is not None else ():
        tunnel, slash, _ = one.partition("/")
        if slash:
            yield tunnel
        elif one in links:
            yield link_key(one)
            yield from beneath(links, link_key(one))


def _keys(whole: HostRecords) -> list[str]:
    return [*whole.tunnels, *map(link_key, whole.links)]


def _parted(names: Collection[str]) -> tuple[list[str], frozenset[str]]:
    """Tunnels, and links."""
    links = frozenset(link_of(name) for name in names if is_link_key(name))
    return [name for name in names if not is_link_key(name)], links


def _subject(step: AnyStep) -> str:
    return link_key(step.link.spec.name) if isinstance(step, LinkStep) else step.tunnel.spec.name


def _what_changed(outcome: Outcome, name: str) -> str:
    """What had to be chosen anew for a tunnel, in words; "" for nothing, and for links."""
    old, new = outcome.before.tunnels.get(name), outcome.after.tunnels.get(name)
    if old is None or new is None:
        return ""
    said = []
    if old.datapath != new.datapath:
        said.append(f"datapath {old.datapath} → {new.datapath} ({new.reason})")
    if old.local != new.local:
        said.append(f"local {old.local} → {new.local}")
    for session in new.sessions:
        was = old.session(session.spec.name)
        if was is not None and was.mtu != session.mtu:
            said.append(f"session {session.spec.name}: mtu {was.mtu} → {session.mtu}")
    return ", ".join(said)


def news_of(name: str, turn: RestoreOutcome, error: L2tpError | None = None) -> RestoreEvent:
    """What became of a tunnel, or of a link as `link_key` has it."""
    return RestoreEvent("", turn, error, link_of(name)) if is_link_key(name) else RestoreEvent(name, turn, error)


class _FewerError(Exception):
    """Of what was to be brought back only `names` are, now that nobody else changes the record."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names
