"""Links over the in-memory datapath: what a Manager is given to make them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable

from l2tpv3.datapath.memory import MemoryDatapath
from l2tpv3.link.memory import MemoryPlacer
from l2tpv3.links.maker import LinkMaker
from l2tpv3.links.memory import MemoryMaker
from l2tpv3.links.spec import LinkSpec

NICS = ("eth0", "eth1", "eth2")


def memory_makers(
    memory: MemoryDatapath, placer: MemoryPlacer, nics: Collection[str] = NICS
) -> Callable[[LinkSpec], LinkMaker]:
    """A maker over these NICs and the datapath's sessions."""

    def beneath(ifname: str) -> Hashable | None:
        netdev = placer.named(None, ifname)
        if netdev is not None and ifname in memory.ifnames():
            return netdev.ifindex
        return ifname if ifname in nics else None

    maker = MemoryMaker(beneath)
    return lambda _: maker
