"""Makes, finds, changes and removes the netdevs of links."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from l2tpv3.errors import ConflictError, InvalidValueError, L2tpError, MissingError, NotFoundError, NotPermittedError
from l2tpv3.link.netdev import Netdevs
from l2tpv3.links.bond import Bond
from l2tpv3.links.bridge import Alias, Bridge
from l2tpv3.links.kind import Attributes, Kind
from l2tpv3.links.options import BondOptions, BridgeOptions, LinkType, MemberVlans
from l2tpv3.links.rtnl import LinkSocket
from l2tpv3.links.spec import LinkSpec
from l2tpv3.links.stacked import Ipvlan, Macvlan, Vlan
from l2tpv3.links.state import LinkState
from l2tpv3.netns import NETNS_DIR, same_netns
from l2tpv3.status import NetdevState

_KINDS: Mapping[LinkType, Kind[Any]] = {
    LinkType.BRIDGE: Bridge(),
    LinkType.ALIAS: Alias(),
    LinkType.BOND: Bond(),
    LinkType.MACVLAN: Macvlan(),
    LinkType.IPVLAN: Ipvlan(),
    LinkType.VLAN: Vlan(),
}
_UP = 0x1
_LOWER_UP = 0x10000
_EXCLUSIVE = ("macvlan", "macvtap", "ipvlan", "ipvtap", "bridge", "bond", "team")  # each wants a netdev's rx_handler

Below = Mapping[str, str]
"""What a link is over, as LinkSpec.over names it → the netdev's name."""


def kind_of(spec: LinkSpec) -> Kind[Any]:
    """What knows how to make it."""
    return _KINDS[spec.type]


def has_own_mac(spec: LinkSpec) -> bool:
    """Whether its netdev has a MAC address of its own, rather than that of what it is over."""
    return kind_of(spec).has_own_mac(spec.options)


class LinkPlacer:
    """Links of one host. mark: a link's ifalias. Every method raises L2tpError."""

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """That it can be made, before anything is touched. ours: netdevs' names that a change is about to make or free.

        Raises ConflictError (a name taken, a netdev in use or with addresses), MissingError, InvalidValueError.
        """
        subject = f"link {spec.name}"
        ours = set(ours)
        with LinkSocket(spec.home) as home:
            names = {one["ifname"]: one for one in home.all().values()}
            found = names.get(spec.ifname)
            if found is not None and found.get("ifalias") != mark and spec.ifname not in ours:
                raise ConflictError(subject, f"netdev {spec.ifname} exists already", "give another --ifname")
        with contextlib.ExitStack() as stack:
            beneath = stack.enter_context(LinkSocket(spec.over_netns)).all()
            addressed = {one.ifname: one for one in stack.enter_context(Netdevs(spec.over_netns)).all()}
        by_name = {one["ifname"]: one for one in beneath.values()}
        for name in spec.over:
            ifname = below[name]
            if ifname in by_name:
                self._check_member(spec, name, by_name[ifname], addressed[ifname], beneath, mark)
            elif ifname not in ours:
                raise MissingError(subject, f"no netdev {ifname} to be over", "`ip link` shows those that there are")

    def _check_member(
        self, spec: LinkSpec, name: str, one: Attributes, state: NetdevState, all_: Mapping[int, Attributes], mark: str
    ) -> None:
        subject, kind = f"link {spec.name}", kind_of(spec)
        ifname = state.ifname
        if spec.mtu is not None and spec.mtu > state.mtu:
            problem = f"{spec.mtu} is more than {state.mtu}, the MTU of {ifname}"
            raise InvalidValueError(f"{subject}: --mtu", problem, f"give {state.mtu} at most, or auto")
        master = all_.get(one.get("master") or 0)
        mine = master is not None and master.get("ifalias") == mark
        if kind.driver == "vlan" or mine:
            return
        if master is not None:
            problem = f"{ifname} is a member of {master['ifname']}"
            raise ConflictError(subject, problem, f"`ip link set {ifname} nomaster` takes it out of there")
        users = [
            other for other in all_.values()
            if other.get("link") == one["index"] and other["driver"] in _EXCLUSIVE and "link_netnsid" not in other
        ]  # fmt: skip
        if users and not (kind.stacked and all(other["driver"] == kind.driver for other in users)):
            problem = f"{ifname} is in use by {users[0]['ifname']} ({users[0]['driver']})"
            raise ConflictError(subject, problem, f"be over {users[0]['ifname']}, or remove that first")
        lasting = [address for address in state.addresses if not address.ip.is_link_local]
        if lasting and not kind.stacked:
            problem = f"{ifname} has the address {lasting[0]}, at which nobody would reach it any more"
            raise ConflictError(subject, problem, f"give the address to {spec.name}, and take it from {ifname}")

    # -- making --------------------------------------------------------------------------------------------------

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """Make it whole. mac: its own address, None for the kernel's choice. What was made goes again on an error.

        Those of `over` that are not there yet are left out: `change` takes them in when they are.
        """
        try:
            self._make(spec, below, mark, mac)
        except BaseException:
            with contextlib.suppress(L2tpError):
                self.remove(spec, mark)
            raise

    def _make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        kind, subject = kind_of(spec), f"link {spec.name}"
        attributes = kind.made_with(spec, spec.options) | kind.attributes(spec, spec.options)
        if mac is not None:
            attributes["address"] = mac
        spare = _spare_name(mark)
        with LinkSocket(spec.over_netns) as beneath:
            if kind.stacked:
                lower = beneath.named(below[spec.over[0]])
                attributes["link"] = lower["index"]
                beneath.set(lower["index"], subject, state="up")
            elsewhere = None if same_netns(spec.home, spec.over_netns) else spec.home
            # Under a name that nobody else would give: a netdev can be marked only once it is there, and we may be
            # killed in between.
            beneath.make(subject, kind.driver, netns=elsewhere, ifname=spare, **attributes)
        with LinkSocket(spec.home) as home:
            index = home.named(spare)["index"]
            words: Attributes = {"ifalias": mark, "ifname": spec.ifname}
            if spec.mtu is not None:
                words["mtu"] = spec.mtu
            home.set(index, subject, **words)
            self._take_in(home, index, spec, below, spec.over)
            _set_primary(home, index, spec, below)
            if spec.up:
                home.set(index, subject, state="up")
        with Netdevs(spec.home) as netdevs:
            netdevs.set_addresses(index, subject, spec.addresses, ())

    def _take_in(self, home: LinkSocket, index: int, spec: LinkSpec, below: Below, members: Iterable[str]) -> None:
        """Members join that are there, and are set up."""
        kind, subject = kind_of(spec), f"link {spec.name}"
        for name in () if kind.stacked else members:
            try:
                member = home.named(below[name])
            except NotFoundError:
                continue
            if member.get("master") != index:
                if kind.members_down:
                    home.set(member["index"], subject, state="down")
                home.set(member["index"], subject, master=index)
            self._set_member(home, member["index"], spec, name)
            home.set(member["index"], subject, state="up")

    def _set_member(self, home: LinkSocket, member: int, spec: LinkSpec, name: str) -> None:
        attributes = kind_of(spec).member_attributes(spec.options, name)
        if attributes:
            home.set(member, f"link {spec.name}", **attributes)
        if isinstance(spec.options, BridgeOptions) and spec.options.vlan_filtering:
            wanted = next((one for one in spec.options.vlans if one.member == name), None)
            _set_vlans(home, member, f"link {spec.name}", wanted)

    # -- changing ------------------------------------------------------------------------------------------------

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """Change it in place to what `new` says. below: of what both are over. A new member joins before others leave.

        Raises NotFoundError when it is gone.
        """
        subject = f"link {new.name}"
        kind = kind_of(new)
        found = self._find(new, mark)
        if found is None:
            raise NotFoundError(subject, f"its netdev {old.ifname} is gone", "`l2tpctl restore` makes it again")
        netns, one = found
        index = one["index"]
        with LinkSocket(netns) as home:
            if one["ifname"] != new.ifname:
                up = one["flags"] & _UP
                home.set(index, subject, state="down")
                home.set(index, subject, ifname=new.ifname, **({"state": "up"} if up else {}))
            attributes = kind.attributes(new, new.options)
            if attributes:
                home.set(index, subject, kind=kind.driver, **attributes)
            if mac is not None and one.get("address") != mac:
                home.set(index, subject, address=mac)
            self._take_in(home, index, new, below, new.over)
            for name in old.over:
                if name not in new.over and not kind.stacked:
                    _let_go(home, below[name], index, subject)
            _set_primary(home, index, new, below)
            if new.mtu is not None and one.get("mtu") != new.mtu:
                home.set(index, subject, mtu=new.mtu)
            home.set(index, subject, state="up" if new.up else "down")
        with Netdevs(netns) as netdevs:
            netdevs.set_addresses(index, subject, new.addresses, old.addresses)

    # -- seeing and removing -------------------------------------------------------------------------------------

    def find(self, spec: LinkSpec, mark: str) -> LinkState | None:
        """The link as it is now, wherever it has moved and whatever it is called; None when it is not there."""
        found = self._find(spec, mark)
        if found is None:
            return None
        netns, one = found
        kind = kind_of(spec)
        with LinkSocket(netns) as home, Netdevs(netns) as netdevs:
            there = home.all()
            state = next((state for state in netdevs.all() if state.ifindex == one["index"]), None)
        if state is None:
            return None
        if not kind.stacked:
            over = [other["ifname"] for other in there.values() if other.get("master") == one["index"]]
        else:
            with LinkSocket(spec.over_netns) as beneath:
                lower = beneath.all().get(one.get("link") or 0)
            over = [lower["ifname"]] if lower is not None else []
        stats = one.get("stats64") or {}
        return LinkState(netdev=state, over=tuple(over), words=kind.words(one["info"]), counters=dict(stats))

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """Remove it; one that is gone is fine. Its members stay, and are up."""
        found = self._find(spec, mark)
        if found is None:
            return
        netns, one = found
        subject = f"link {spec.name}"
        with LinkSocket(netns) as home:
            members = [other["index"] for other in home.all().values() if other.get("master") == one["index"]]
            home.delete(one["index"], subject)
            for member in members if kind_of(spec).members_down else ():
                with contextlib.suppress(NotFoundError):  # the bond closed them
                    home.set(member, subject, state="up")

    def _find(self, spec: LinkSpec, mark: str) -> tuple[str | None, Attributes] | None:
        likely = list(dict.fromkeys((spec.home, spec.over_netns)))
        for netns in (*likely, *(name for name in _named() if name not in likely)):
            with contextlib.suppress(NotFoundError, NotPermittedError), LinkSocket(netns) as socket:
                for one in socket.all().values():
                    if one.get("ifalias") == mark or (one["ifname"] == _spare_name(mark) and netns in likely):
                        return netns, one
        return None


def _spare_name(mark: str) -> str:
    """A netdev's name until it is marked."""
    return f"l2link{zlib.crc32(mark.encode()):08x}"


def _let_go(home: LinkSocket, ifname: str, master: int, subject: str) -> None:
    with contextlib.suppress(NotFoundError):
        member = home.named(ifname)
        if member.get("master") == master:
            home.set(member["index"], subject, master=0)


def _set_primary(home: LinkSocket, index: int, spec: LinkSpec, below: Below) -> None:
    if isinstance(spec.options, BondOptions) and spec.options.primary is not None:
        with contextlib.suppress(NotFoundError):
            primary = home.named(below[spec.options.primary])["index"]
            home.set(index, f"link {spec.name}", kind="bond", bond_primary=primary)


def _set_vlans(home: LinkSocket, member: int, subject: str, wanted: MemberVlans | None) -> None:
    """A member that is not named has what the kernel gives each: VLAN 1, untagged."""
    untagged = wanted.untagged if wanted else 1
    there = home.vlans(member)
    numbers = {number for low, high in (wanted.tagged if wanted else ()) for number in range(low, high + 1)}
    for number, is_untagged in there.items():
        if (number != untagged or not is_untagged) and (number not in numbers or is_untagged):
            home.vlan(member, subject, number, number, add=False)
    for low, high in wanted.tagged if wanted else ():
        home.vlan(member, subject, low, high)
    if untagged is not None:
        home.vlan(member, subject, untagged, untagged, untagged=True)


def _named() -> Iterator[str]:
    from pathlib import Path

    with contextlib.suppress(OSError):
        yield from sorted(path.name for path in Path(NETNS_DIR).iterdir())
