"""Links over the in-memory datapath: what a Manager is given to make them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

from l2tpv3.links.backends.base import LinkBackend
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.testing.links import MemoryBackend
from l2tpv3.testing.netdevs import MemoryConfigurator

NICS = ("eth0", "eth1", "eth2")


def memory_maker(placer: MemoryConfigurator, nics: Collection[str] = NICS) -> MemoryBackend:
    """A maker over these NICs and the placer's sessions."""

    def beneath(ifname: str) -> Hashable | None:
        return placer.names().get(ifname) or (ifname if ifname in nics else None)

    maker = MemoryBackend(beneath, placer)
    placer.masters = maker
    return maker


def memory_makers(placer: MemoryConfigurator, nics: Collection[str] = NICS) -> Callable[[LinkSpec], LinkBackend]:
    """It, for every type of link."""
    maker = memory_maker(placer, nics)
    return lambda _: maker
