"""Links of the in-memory datapath: a real fake, which keeps the kernel's rules of what goes with what."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from l2tpv3.errors import ConflictError, ExistsError, MissingError, NotFoundError
from l2tpv3.links.bridge import stp_runs
from l2tpv3.links.kind import Below
from l2tpv3.links.options import BridgeOptions
from l2tpv3.links.sight import Sight
from l2tpv3.links.spec import LinkSpec
from l2tpv3.links.state import LinkState
from l2tpv3.status import NetdevState

Beneath = Callable[[str], Hashable | None]
"""Which netdev has that name now, None for none: two netdevs that had it one after the other are two."""


@dataclass(eq=False)
class _Made:
    spec: LinkSpec
    index: int
    mac: str
    over: dict[str, Hashable] = field(default_factory=dict)  # netdev's name → which one


class MemoryMaker:
    """The LinkMaker protocol in dictionaries. beneath: netdevs that are no links."""

    def __init__(self, beneath: Beneath) -> None:
        self._beneath = beneath
        self._made: dict[str, _Made] = {}
        self._indices = 1000

    def _netdev(self, ifname: str) -> Hashable | None:
        made = next((one for one in self._there().values() if one.spec.ifname == ifname), None)
        return made if made is not None else self._beneath(ifname)

    def _there(self) -> dict[str, _Made]:
        """What is stacked on a netdev went with it; what has it as a member lost it."""
        settled = False
        while not settled:
            settled = True
            for mark, one in list(self._made.items()):
                names = {other.spec.ifname: other for other in self._made.values() if other.spec.ifname}
                lost = [name for name, which in one.over.items() if (names.get(name) or self._beneath(name)) != which]
                for name in lost:
                    del one.over[name]
                    settled = False
                if lost and not one.spec.options.loose:
                    del self._made[mark]
        return self._made

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """See LinkMaker.check."""
        ours = set(ours)
        made = self._there().get(mark)
        mine = made is not None and made.spec.ifname == spec.ifname
        if spec.ifname and spec.ifname not in ours and not mine and self._netdev(spec.ifname) is not None:
            raise ConflictError(f"link {spec.name}", f"netdev {spec.ifname} exists already", "give another --ifname")
        for name in spec.over:
            if below[name] not in ours and self._netdev(below[name]) is None:
                raise MissingError(f"link {spec.name}", f"no netdev {below[name]} to be over", "make it first")

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkMaker.make."""
        if mark in self._there() or (spec.ifname and self._netdev(spec.ifname) is not None):
            raise ExistsError(f"link {spec.name}", "exists already")
        over = {below[name]: which for name in spec.over if (which := self._netdev(below[name])) is not None}
        if not spec.options.loose and len(over) < len(spec.over):
            raise NotFoundError(f"link {spec.name}", "what it is over is gone")
        for other in self._made.values() if spec.options.loose and spec.options.exclusive else ():
            for name in over:
                other.over.pop(name, None)  # a netdev is a member of one at most
        self._indices += 1
        mac = mac or f"02:00:00:01:{self._indices >> 8 & 255:02x}:{self._indices & 255:02x}"
        self._made[mark] = _Made(spec, self._indices, mac, over)

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkMaker.change."""
        made = self._there().get(mark)
        if made is None:
            raise NotFoundError(f"link {new.name}", "its netdev is gone", "`l2tpctl restore` makes it again")
        made.spec, made.mac = new, mac or made.mac
        if new.options.loose:
            made.over = {below[name]: which for name in new.over if (which := self._netdev(below[name])) is not None}

    def find(self, spec: LinkSpec, mark: str, sight: Sight | None = None) -> LinkState | None:
        """See LinkMaker.find."""
        made = self._there().get(mark)
        if made is None:
            return None
        if not made.spec.options.own_netdev:
            return LinkState(over=tuple(made.over))
        words = made.spec.options.to_words()
        if isinstance(made.spec.options, BridgeOptions):
            words["stp"] = "on" if stp_runs(made.spec, made.spec.options) else "off"
        netdev = NetdevState(
            ifname=made.spec.ifname,
            ifindex=made.index,
            mac=made.mac,
            mtu=made.spec.mtu or 1500,
            up=made.spec.up,
            carrier=made.spec.up,
            kind="memory",
            alias=mark,
            netns=made.spec.home,
            addresses=made.spec.addresses,
        )
        return LinkState(netdev=netdev, over=tuple(made.over), words=words)

    def lacking(self, spec: LinkSpec, ifnames: Iterable[str], sight: Sight) -> frozenset[str]:
        """See LinkMaker.lacking."""
        return frozenset(one for one in ifnames if self._netdev(one) is None)

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """See LinkMaker.remove."""
        self._there().pop(mark, None)
