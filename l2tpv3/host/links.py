"""Links of this host: list, add, set, delete. A l2tpv3.host.base.LinkHost; the Manager has one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from l2tpv3.errors import ExistsError
from l2tpv3.host.base import no_link
from l2tpv3.model.host_records import HostRecords
from l2tpv3.model.links.joined import link_status
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.links.spec import COMMON
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.progress import ChangeResult
from l2tpv3.plan.link_steps import DelLink
from l2tpv3.plan.result import Outcome
from l2tpv3.reconcile.reconciler import Reconciler
from l2tpv3.resolve.resolver import Resolver
from l2tpv3.store.database import Recorded

LinkCheck = Callable[[LinkRecord | None], None]
"""Called with what is on record by that name (None: nothing) before a change, under its lock; raises to refuse it."""


class ManagedLinks:
    """Every method raises L2tpError. words: by LinkSpec.to_words' keys without `name`: only those that are given."""

    def __init__(self, reconciler: Reconciler, settling: Callable[[HostRecords], Resolver]) -> None:
        self._reconciler, self._resolver = reconciler, settling

    def all(self) -> list[LinkStatus]:
        """Every link on record, by name."""
        return self.among(self._reconciler.store.load())

    def among(self, recorded: Recorded) -> list[LinkStatus]:
        """Every link of what is on record, by name."""
        return self._look(recorded, recorded.shown.links)

    def get(self, name: str) -> LinkStatus:
        """One link by name. Raises NotFoundError."""
        recorded = self._reconciler.store.load()
        links = recorded.shown.links
        if name not in links:
            raise no_link(name, links)
        return self._look(recorded, {name: links[name]})[0]

    def relayed(self) -> list[LinkStatus]:
        """Those on record that a process of ours carries."""
        recorded = self._reconciler.store.load()
        links = {name: record for name, record in recorded.shown.links.items() if record.spec.options.relayed}
        return self._look(recorded, links)

    def _look(self, recorded: Recorded, links: Mapping[str, LinkRecord]) -> list[LinkStatus]:
        pending = recorded.pending
        unfinished: Collection[str] = pending.target.links if pending and pending.deadline is None else ()
        if not links:
            return []
        seen = self._reconciler.links.seen(links)
        return [link_status(record, seen, unfinished) for _, record in sorted(links.items())]

    def add(self, name: str, words: Mapping[str, Any], *, transient: bool = False) -> LinkStatus:
        """Make a link and put it on record; when that fails nothing is left of it."""

        def want(whole: HostRecords) -> HostRecords:
            if name in whole.links:
                raise ExistsError(f"link {name}", "exists already", f"`l2tpctl link set {name}` changes it")
            return self._resolver(whole).link(name, words, transient=transient)

        self._reconciler.change(want, frozenset(), links=(name,))
        return self.get(name)

    def put(
        self, name: str, words: Mapping[str, Any], *, transient: bool | None = None, check: LinkCheck | None = None
    ) -> ChangeResult:
        """Make a link, or change it to what the words say, whatever it was. Words left out take their default."""

        def want(whole: HostRecords) -> HostRecords:
            if check is not None:
                check(whole.links.get(name))
            return self._resolver(whole).link(name, words, transient=transient)

        return _change(self._reconciler.change(want, frozenset(), links=(name,)), name)

    def set(self, name: str, words: Mapping[str, Any], *, check: LinkCheck | None = None) -> ChangeResult:
        """Change a link, in place where that can be; None resets a word."""

        def want(whole: HostRecords) -> HostRecords:
            old = _record(whole, name)
            if check is not None:
                check(old)
            return self._resolver(whole).link(name, _merged(old, words))

        return _change(self._reconciler.change(want, frozenset(), links=(name,)), name)

    def delete(self, name: str, *, check: LinkCheck | None = None) -> None:
        """Remove a link; what it is over stays."""

        def want(whole: HostRecords) -> HostRecords:
            if name not in whole.links and name in self._reconciler.unfinished().links:
                return whole  # whoever made it was killed half-way: it goes as nothing wants it
            old = _record(whole, name)
            if check is not None:
                check(old)
            return self._resolver(whole).without_link(name)

        self._reconciler.change(want, frozenset(), links=(name,))


def _record(whole: HostRecords, name: str) -> LinkRecord:
    if name not in whole.links:
        raise no_link(name, whole.links)
    return whole.links[name]


def _merged(old: LinkRecord, words: Mapping[str, Any]) -> dict[str, Any]:
    """What it says now, with some words changed. With another type, only what all types have stays."""
    stated = old.spec.stated_words()
    if words.get("type", stated["type"]) != stated["type"]:
        stated = {word: value for word, value in stated.items() if word in COMMON}
    return {**stated, **words}


def _change(outcome: Outcome, name: str) -> ChangeResult:
    forced = [step for step in outcome.steps if isinstance(step, DelLink) and step.link.spec.name == name and step.why]
    made = name not in outcome.before.links
    return ChangeResult(recreated=True, why=forced[0].why, made=made) if forced else ChangeResult(made=made)
