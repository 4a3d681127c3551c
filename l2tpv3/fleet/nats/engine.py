"""Makes a host what its fleet wants, by the engine that every change of the host goes through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol

from l2tpv3.config.load import load_sent
from l2tpv3.errors import ExistsError
from l2tpv3.fleet.far_end import session_netdevs
from l2tpv3.fleet.nats.wire_test import FrameTest, WireTest
from l2tpv3.host.manager import Manager
from l2tpv3.model.desired import Desired, DesiredLink, DesiredTunnel
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.link_key import is_link_key, link_key
from l2tpv3.model.record import Records

_FILE = "the fleet's file for this host"


class Engine(Protocol):
    """What an agent asks of its host. Every method raises L2tpError; then everything is as it was."""

    def names(self, text: str) -> frozenset[str]:
        """The names of the tunnels and links (model.link_key) of a file."""

    def refuse_taken(self, names: frozenset[str], owned: Collection[str]) -> None:
        """Raise ExistsError where one of the names is on record and not owned by the fleet."""

    def make(self, text: str, owned: Collection[str], confirm_s: float | None) -> str | None:
        """Make the file's state. owned: what it may change and remove. confirm_s: how long it waits to be confirmed.

        Gives the mark of what waits; None where nothing does.
        """

    def keep(self, mark: str) -> bool:
        """Confirm what waits. False when it does not wait any more."""

    def go_back(self, mark: str) -> bool:
        """Undo what waits. False when it does not wait any more."""

    def expire(self) -> None:
        """Undo what was not confirmed in time, whoever made it."""

    def waits(self, mark: str) -> bool:
        """Whether it still waits."""

    def finish(self) -> None:
        """Finish or undo what a killed agent left in the middle."""

    def test(self, wires: Collection[str], nonce: bytes, news: Callable[[], None]) -> WireTest:
        """Begin to test these pseudowires. news: called when one is found to pass."""

    def conditions(self, owned: Collection[str]) -> dict[str, str]:
        """How the fleet's tunnels on this host are, by their names: a word each."""


class HostEngine:
    """The Engine of this host."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def names(self, text: str) -> frozenset[str]:
        """See Engine. Raises ConfigError for a file that can't be meant."""
        return frozenset(map(_name, load_sent(text.encode(), _FILE)))

    def refuse_taken(self, names: frozenset[str], owned: Collection[str]) -> None:
        """See Engine."""
        there = {*self._manager.records(), *(link_key(one.name) for one in self._manager.links.all())}
        _refuse(names, there - set(owned))

    def make(self, text: str, owned: Collection[str], confirm_s: float | None) -> str | None:
        """See Engine."""
        wanted = load_sent(text.encode(), _FILE)
        names, records = frozenset(map(_name, wanted)), self._manager.records()

        def check(before: HostRecords) -> None:
            _refuse(names, {*before.tunnels, *map(link_key, before.links)} - set(owned))

        done = self._manager.apply(
            wanted, remove={*owned, *_left_out(wanted, records)}, check=check, confirm_s=confirm_s
        )  # fmt: skip
        return self._manager.unconfirmed_mark() if confirm_s is not None and done.changes else None

    def keep(self, mark: str) -> bool:
        """See Engine."""
        return self._manager.confirm(mark)

    def go_back(self, mark: str) -> bool:
        """See Engine."""
        return self._manager.rollback(mark) is not None

    def expire(self) -> None:
        """See Engine."""
        self._manager.expire()

    def waits(self, mark: str) -> bool:
        """See Engine."""
        return self._manager.unconfirmed_mark() == mark

    def finish(self) -> None:
        """See Engine."""
        self._manager.restore(stopped=False)

    def test(self, wires: Collection[str], nonce: bytes, news: Callable[[], None]) -> WireTest:
        """See Engine."""
        shown = session_netdevs(self._manager.tunnels(secrets=False))
        seen = {f"{tunnel}/{session}": one for (tunnel, session), one in shown.items()}
        return FrameTest({name: seen.get(name) for name in wires}, nonce, news)

    def conditions(self, owned: Collection[str]) -> dict[str, str]:
        """See Engine."""
        return {one.name: one.condition.value for one in self._manager.tunnels(secrets=False) if one.name in owned}


def _refuse(names: frozenset[str], taken: Collection[str]) -> None:
    for name in sorted(names & set(taken)):
        subject = name if is_link_key(name) else f"tunnel {name}"
        raise ExistsError(subject, "is this host's own, and the fleet wants one of that name", "rename one of them")


def _left_out(wanted: Iterable[Desired], records: Records) -> Iterator[str]:
    """The sessions on record, as TUNNEL/SESSION, that wanted tunnels have no more."""
    for one in wanted:
        if isinstance(one, DesiredTunnel) and one.name in records:
            kept = {session.name for session in one.sessions}
            yield from (f"{one.name}/{it.spec.name}" for it in records[one.name].sessions if it.spec.name not in kept)


def _name(one: Desired) -> str:
    return link_key(one.name) if isinstance(one, DesiredLink) else one.name
