"""Links over the in-memory datapath: what a Manager is given to make them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

from l2tpv3.links.backends.base import LinkMaker
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.testing.links import MemoryMaker
from l2tpv3.testing.netdevs import MemoryPlacer

NICS = ("eth0", "eth1", "eth2")


def memory_maker(placer: MemoryPlacer, nics: Collection[str] = NICS) -> MemoryMaker:
    """A maker over these NICs and the placer's sessions."""

    def beneath(ifname: str) -> Hashable | None:
        return placer.names().get(ifname) or (ifname if ifname in nics else None)

    maker = MemoryMaker(beneath, placer)
    placer.masters = maker
    return maker


def memory_makers(placer: MemoryPlacer, nics: Collection[str] = NICS) -> Callable[[LinkSpec], LinkMaker]:
    """It, for every type of link."""
    maker = memory_maker(placer, nics)
    return lambda _: maker
