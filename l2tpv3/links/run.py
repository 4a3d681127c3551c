"""Takes the steps of a plan that are about links."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from l2tpv3.links.maker import LinkMaker
from l2tpv3.links.record import Links
from l2tpv3.links.spec import LinkSpec
from l2tpv3.links.state import LinkState
from l2tpv3.links.steps import AddLink, DelLink, LinkStep, SetLink

MakerOf = Callable[[LinkSpec], LinkMaker]


class LinkRunner:
    """Takes steps on one host. mark: from a link's name to its mark. maker: what makes links of a spec's type."""

    def __init__(self, mark: Callable[[str], str], maker: MakerOf) -> None:
        self._mark, self._maker = mark, maker

    def take(self, step: LinkStep) -> None:
        """Take one step. Raises L2tpError; what it had made by then is removed, or found by the next plan."""
        spec = step.link.resolved
        mark, maker = self._mark(spec.name), self._maker(spec)
        match step:
            case AddLink():
                maker.make(spec, step.below, mark, step.link.mac)
            case DelLink():
                maker.remove(spec, mark)
            case SetLink():
                maker.change(step.old.resolved, spec, step.below, mark, step.link.mac)

    def seen(self, *known: Links) -> Mapping[str, LinkState]:
        """Those links that are there. known: what may be there, the likeliest first."""
        found: dict[str, LinkState] = {}
        for links in known:
            for name, record in links.items():
                if name not in found:
                    spec = record.resolved
                    state = self._maker(spec).find(spec, self._mark(name))
                    if state is not None:
                        found[name] = state
        return found
