"""Links of the in-memory datapath: a real fake, which keeps the kernel's rules of what goes with what."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from l2tpv3.errors import ConflictError, ExistsError, MissingError, NotFoundError
from l2tpv3.links.inventory import NetdevInventory
from l2tpv3.links.kinds.bridge import stp_runs
from l2tpv3.model.links.observed import LinkState, MemberState
from l2tpv3.model.links.options import AliasOptions, BondOptions, BridgeOptions
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.model.status import NetdevState

Beneath = Callable[[str], Hashable | None]
"""Which netdev has that name now, None for none: two netdevs that had it one after the other are two."""


class Guests(Protocol):
    """Netdevs of sessions, which join bridges by themselves, and change their names (l2tpv3/testing/netdevs.py)."""

    def all(self) -> list[NetdevState]:
        """All netdevs that are there."""

    def names(self) -> dict[str, int]:
        """Their names, each with the number that `beneath` knows the netdev by."""

    def leave(self, ifname: str) -> None:
        """Take a netdev out of its bridge, since a link took it in."""


@dataclass(eq=False)
class _Made:
    spec: LinkSpec
    index: int
    mac: str
    mtu: int
    over: dict[Hashable, str] = field(default_factory=dict)  # which netdev → what it was called
    isolated: frozenset[Hashable] = frozenset()
    primary: Hashable | None = None


class MemoryBackend:
    """The LinkBackend protocol in dictionaries. beneath: netdevs that are no links. guests: sessions'."""

    def __init__(self, beneath: Beneath, guests: Guests | None = None) -> None:
        self._beneath, self._guests = beneath, guests
        self._made: dict[str, _Made] = {}
        self._indices = 1000

    def _netdev(self, ifname: str) -> Hashable | None:
        made = next((one for one in self._there().values() if one.spec.ifname == ifname), None)
        return made if made is not None else self._beneath(ifname)

    def _name(self, which: Hashable, was: str) -> str | None:
        """What a netdev is called now; None when it is gone."""
        if isinstance(which, _Made):
            return which.spec.ifname if which in self._made.values() else None
        if self._beneath(was) == which:
            return was
        guests = self._guests.names() if self._guests is not None else {}
        return next((name for name, one in guests.items() if one == which), None)

    def _there(self) -> dict[str, _Made]:
        """What is stacked on a netdev went with it; what has it as a member lost it."""
        settled = False
        while not settled:
            settled = True
            for mark, one in list(self._made.items()):
                now = {which: self._name(which, was) for which, was in one.over.items()}
                left = {which: name for which, name in now.items() if name is not None}
                if len(left) < len(one.over):
                    settled = False
                    if not one.spec.options.loose:
                        del self._made[mark]
                one.over = left
        return self._made

    def marks(self) -> set[str]:
        """The owner tags of all links that are there."""
        return {*self._there()}

    # -- for sessions that join by themselves ---------------------------------------------------------------------

    def bridge(self, ifname: str) -> Hashable | None:
        """See l2tpv3.testing.netdevs.Masters."""
        found = self._netdev(ifname)
        return found if isinstance(found, _Made) and isinstance(found.spec.options, _BRIDGES) else None

    def release(self, ifname: str) -> None:
        """See l2tpv3.testing.netdevs.Masters."""
        which = self._netdev(ifname)
        for one in self._made.values():
            if one.spec.options.loose and one.spec.options.exclusive:
                one.over.pop(which, None)

    # -- LinkBackend --------------------------------------------------------------------------------------------------

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """See LinkBackend.check."""
        ours = set(ours)
        made = self._there().get(mark)
        mine = made is not None and made.spec.ifname == spec.ifname
        if spec.ifname and spec.ifname not in ours and not mine and self._netdev(spec.ifname) is not None:
            raise ConflictError(f"link {spec.name}", f"netdev {spec.ifname} exists already", "give another --ifname")
        for name in spec.over:
            if below[name] not in ours and self._netdev(below[name]) is None:
                raise MissingError(f"link {spec.name}", f"no netdev {below[name]} to be over", "make it first")

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.make."""
        if mark in self._there() or (spec.ifname and self._netdev(spec.ifname) is not None):
            raise ExistsError(f"link {spec.name}", "exists already")
        self._indices += 1
        mac = mac or f"02:00:00:01:{self._indices >> 8 & 255:02x}:{self._indices & 255:02x}"
        made = _Made(spec, self._indices, mac, spec.mtu or _MTU)
        self._layer(made, spec, below)
        if not spec.options.loose and len(made.over) < len(spec.over):
            raise NotFoundError(f"link {spec.name}", "what it is over is gone")
        self._made[mark] = made

    def _layer(self, made: _Made, spec: LinkSpec, below: Below) -> None:
        over = {which: below[name] for name in spec.over if (which := self._netdev(below[name])) is not None}
        if spec.options.loose and spec.options.exclusive:  # a netdev is a member of one at most
            for ifname in over.values():
                self.release(ifname)
                if self._guests is not None:
                    self._guests.leave(ifname)
        made.over = over
        isolated = spec.options.isolated if isinstance(spec.options, BridgeOptions) else ()
        made.isolated = frozenset(which for which, ifname in over.items() if ifname in {below[one] for one in isolated})
        primary = spec.options.primary if isinstance(spec.options, BondOptions) else None
        made.primary = self._netdev(below[primary]) if primary is not None else None

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.change."""
        made = self._there().get(mark)
        if made is None:
            raise NotFoundError(f"link {new.name}", "its netdev is gone", "`l2tpctl restore` makes it again")
        made.spec, made.mac = new, mac or made.mac
        made.mtu = new.mtu or (_MTU if old.mtu is not None else made.mtu)
        if new.options.loose:
            self._layer(made, new, below)

    def find(self, spec: LinkSpec, mark: str, sight: NetdevInventory | None = None) -> LinkState | None:
        """See LinkBackend.find."""
        made = self._there().get(mark)
        if made is None:
            return None
        if not made.spec.options.own_netdev:
            return LinkState(over=tuple(made.over.values()))
        words = made.spec.options.to_words()
        if isinstance(made.spec.options, BridgeOptions):
            words["stp"] = "on" if stp_runs(made.spec, made.spec.options) else "off"
        netdev = NetdevState(
            ifname=made.spec.ifname,
            ifindex=made.index,
            mac=made.mac,
            mtu=made.mtu,
            up=made.spec.up,
            carrier=made.spec.up,
            kind="memory",
            alias=mark,
            netns=made.spec.home,
            addresses=made.spec.addresses,
        )
        members = {
            name: MemberState(isolated=which in made.isolated, primary=which == made.primary)
            for which, name in made.over.items()
        }
        guests = self._guests.all() if self._guests is not None and made.spec.options.loose else []
        joined = [one.ifname for one in guests if one.bridge == made.spec.ifname and one.ifname not in members]
        return LinkState(netdev=netdev, over=(*made.over.values(), *joined), words=words, members=members)

    def lacking(self, spec: LinkSpec, ifnames: Iterable[str], sight: NetdevInventory) -> frozenset[str]:
        """See LinkBackend.lacking."""
        return frozenset(one for one in ifnames if self._netdev(one) is None)

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """See LinkBackend.remove."""
        self._there().pop(mark, None)


_MTU = 1500
_BRIDGES = (BridgeOptions, AliasOptions)
