"""Links of this host: list, add, set, delete. A l2tpv3.host.base.LinkHost; the Manager has one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from l2tpv3.model.absent import no_link
from l2tpv3.store.database import Recorded, Store

if TYPE_CHECKING:
    from l2tpv3.model.links.record import Links
    from l2tpv3.model.links.status import LinkStatus
    from l2tpv3.model.progress import ChangeResult
    from l2tpv3.reconcile.reconciler import Reconciler
    from l2tpv3.resolve.change import LinkCheck


class ManagedLinks:
    """Every method raises L2tpError. words: by LinkSpec.to_words' keys without `name`: only those that are given."""

    def __init__(self, store: Store, reconciler: Callable[[], Reconciler]) -> None:
        """reconciler: returns the reconciler, which is imported only when there is a change to make."""
        self._store, self._reconciler = store, reconciler

    def all(self) -> list[LinkStatus]:
        """Every link on record, by name."""
        return self.among(self._store.load())

    def among(self, recorded: Recorded) -> list[LinkStatus]:
        """The status of every link of these records, by name."""
        return self._look(recorded, recorded.shown.links)

    def get(self, name: str) -> LinkStatus:
        """One link by name. Raises NotFoundError."""
        recorded = self._store.load()
        links = recorded.shown.links
        if name not in links:
            raise no_link(name, links)
        return self._look(recorded, {name: links[name]})[0]

    def relayed(self) -> list[LinkStatus]:
        """The links on record whose frames a process of ours moves."""
        recorded = self._store.load()
        links = {name: record for name, record in recorded.shown.links.items() if record.spec.options.relayed}
        return self._look(recorded, links)

    def _look(self, recorded: Recorded, links: Links) -> list[LinkStatus]:
        pending = recorded.pending
        unfinished: Collection[str] = pending.target.links if pending and pending.deadline is None else ()
        if not links:
            return []
        from l2tpv3.model.links.joined import link_status

        seen = self._reconciler().links.seen(links)
        return [link_status(record, seen, unfinished) for _, record in sorted(links.items())]

    def add(self, name: str, words: Mapping[str, Any], *, transient: bool = False) -> LinkStatus:
        """Make a link and put it on record; when that fails nothing is left of it.

        Raises ExistsError for a name on record, and what Resolver.link and the steps do.
        """
        from l2tpv3.resolve.change import EditLink, Verb

        self._reconciler().change(EditLink(verb=Verb.ADD, name=name, words=words, transient=transient))
        return self.get(name)

    def put(
        self, name: str, words: Mapping[str, Any], *, transient: bool | None = None, check: LinkCheck | None = None
    ) -> ChangeResult:
        """Make a link, or change it to what the words say, whatever it was. Words left out take their default.

        Raises what Resolver.link and the steps do, and what `check` does.
        """
        from l2tpv3.resolve.change import EditLink, Verb

        change = EditLink(verb=Verb.PUT, name=name, words=words, transient=transient, check=check)
        return self._reconciler().change(change).link_result(name)

    def set(self, name: str, words: Mapping[str, Any], *, check: LinkCheck | None = None) -> ChangeResult:
        """Change a link, in place where that can be; None resets a word. Raises NotFoundError, and what `put` does."""
        from l2tpv3.resolve.change import EditLink, Verb

        change = EditLink(verb=Verb.SET, name=name, words=words, check=check)
        return self._reconciler().change(change).link_result(name)

    def delete(self, name: str, *, check: LinkCheck | None = None) -> None:
        """Remove a link. The netdevs beneath stay. Raises NotFoundError, ConflictError for a link under another one."""
        from l2tpv3.resolve.change import EditLink, Verb

        self._reconciler().change(EditLink(verb=Verb.DELETE, name=name, check=check))
