"""Takes the steps of a plan that are about links."""

from __future__ import annotations

from collections.abc import Callable, Collection

from l2tpv3.errors import L2tpError
from l2tpv3.links.backends.base import LinkBackend, Relays
from l2tpv3.model.links.observed import LinksSeen, LinkState
from l2tpv3.model.links.record import LinkRecord, Links
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.plan.link_steps import AddLink, DelLink, LinkStep, SetLink

BackendOf = Callable[[LinkSpec], LinkBackend]


class LinkExecutor:
    """Takes steps on one host.

    mark: gives the owner tag of a link's name. maker: gives the backend of a spec's type.
    """

    def __init__(self, mark: Callable[[str], str], maker: BackendOf) -> None:
        self._mark, self._maker = mark, maker

    def take(self, step: LinkStep) -> None:
        """Take one step. Raises L2tpError. What a failed step had made is removed, or found by the next plan."""
        spec = step.link.resolved
        mark, maker = self._mark(spec.name), self._maker(spec)
        match step:
            case AddLink():
                maker.make(spec, step.below, mark, step.link.mac)
            case DelLink():
                maker.remove(spec, mark)
            case SetLink():
                maker.change(step.old.resolved, spec, step.below, mark, step.link.mac)

    def seen(self, *known: Links) -> LinksSeen:
        """Observe links. known: the links that may exist, the likeliest first."""
        from l2tpv3.links.inventory import NetdevInventory

        present: dict[str, LinkState] = {}
        lacking: dict[str, frozenset[str]] = {}
        ours = {name for links in known for name in links}
        sight = NetdevInventory()
        for links in known:
            for name, record in links.items():
                spec = record.resolved
                maker = self._maker(spec)
                if name not in present and (state := maker.find(spec, self._mark(name), sight)) is not None:
                    present[name] = state
                others = [one for one in spec.over if "/" not in one and one not in ours]
                lacking[name] = lacking.get(name, frozenset()) | maker.lacking(spec, others, sight)
        return LinksSeen(present=present, lacking=lacking)

    def workers(self, links: Links) -> dict[int, bool]:
        """The workers that relay links; see Relays.workers."""
        relays = self._relays(links)
        return relays.workers() if relays is not None else {}

    def replace_old(self, links: Links) -> list[L2tpError]:
        """Start new workers for the links that are relayed; see Relays.replace_old."""
        relays = self._relays(links)
        return relays.replace_old([self._mark(name) for name in links]) if relays is not None else []

    def ask_all_again(self, *known: Links) -> None:
        """Have the next call ask each worker that relays any of these links; see Relays.ask_all_again."""
        for links in known:
            if (relays := self._relays(links)) is not None:
                relays.ask_all_again()

    def _relays(self, links: Links) -> Relays | None:
        specs = [record.spec for record in links.values() if record.spec.options.relayed]
        maker = self._maker(specs[0]) if specs else None  # all of them are of one type
        return maker if isinstance(maker, Relays) else None

    def check(self, record: LinkRecord, below: Below, ours: Collection[str]) -> None:
        """Check that a link can be made; see LinkBackend.check."""
        spec = record.resolved
        self._maker(spec).check(spec, below, self._mark(spec.name), ours=ours)
