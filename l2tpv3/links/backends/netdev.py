"""Makes, finds, changes and removes links that are netdevs of the kernel."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from l2tpv3.errors import L2tpError, NotFoundError
from l2tpv3.links.inventory import NetdevInventory
from l2tpv3.links.kinds import kind_of
from l2tpv3.links.kinds.base import Attributes
from l2tpv3.links.kinds.bond import check_lacp
from l2tpv3.links.preflight import check_name, check_over
from l2tpv3.links.rtnetlink import LinkSocket
from l2tpv3.linux.netns import same_netns
from l2tpv3.model.links.observed import LinkState, MemberState, counters_of
from l2tpv3.model.links.options import BondOptions, BridgeOptions, MemberVlans
from l2tpv3.model.links.spec import Below, LinkSpec
from l2tpv3.model.ownership import session_in
from l2tpv3.netdev.netdevs import Netdevs

_UP = 0x1  # IFF_UP
_ETHERNET_MTU = 1500  # a bridge's that has no members


class NetdevBackend:
    """The LinkBackend of the types that are netdevs of the kernel."""

    def check(self, spec: LinkSpec, below: Below, mark: str, *, ours: Iterable[str] = ()) -> None:
        """See LinkBackend.check."""
        ours = set(ours)
        check_name(spec, mark, ours=ours)
        check_over(spec, below, mark, ours=ours)

    # -- making --------------------------------------------------------------------------------------------------

    def make(self, spec: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.make. Members that are not there yet are left out: `change` takes them in when they are."""
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
        spare = spare_name(mark)
        with LinkSocket(spec.over_netns) as beneath:
            if not spec.options.loose:
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
            _fit_members(home, index, spec, below)
            self._take_in(home, index, spec, below, spec.over)
            _set_primary(home, index, spec, below)
            if spec.up:
                home.set(index, subject, state="up")
        with Netdevs(spec.home) as netdevs:
            netdevs.set_addresses(index, subject, spec.addresses, ())

    def _take_in(self, home: LinkSocket, index: int, spec: LinkSpec, below: Below, members: Iterable[str]) -> None:
        """Members join that are there, and are set up."""
        kind, subject = kind_of(spec), f"link {spec.name}"
        for name in members if spec.options.loose else ():
            try:
                member = home.named(below[name])
            except NotFoundError:
                continue
            if member.get("master") != index:
                check_lacp(spec, below[name])  # one that was not there yet when all was checked
                if kind.members_down:
                    home.set(member["index"], subject, state="down")
                    home.set(member["index"], subject, master=index)  # which sets it up (bond_enslave())
                else:
                    home.set(member["index"], subject, master=index, state="up")
            elif not member["flags"] & _UP:
                home.set(member["index"], subject, state="up")
            self._set_member(home, member["index"], spec, name)

    def _set_member(self, home: LinkSocket, member: int, spec: LinkSpec, name: str) -> None:
        attributes = kind_of(spec).member_attributes(spec.options, name)
        if attributes:
            home.set(member, f"link {spec.name}", **attributes)
        if isinstance(spec.options, BridgeOptions) and spec.options.vlan_filtering:
            _set_vlans(home, member, f"link {spec.name}", spec.options.vlans_of(name))

    # -- changing ------------------------------------------------------------------------------------------------

    def change(self, old: LinkSpec, new: LinkSpec, below: Below, mark: str, mac: str | None) -> None:
        """See LinkBackend.change. A new member joins before others leave."""
        subject = f"link {new.name}"
        kind = kind_of(new)
        place = find_netdev(new, mark)
        if place is None:
            raise NotFoundError(subject, f"its netdev {old.ifname} is gone", "`l2tpctl restore` makes it again")
        netns, netdev = place
        index = netdev["index"]
        with LinkSocket(netns) as home:
            if netdev["ifname"] != new.ifname:
                up = netdev["flags"] & _UP
                home.set(index, subject, state="down")
                # Found under the name that it was made by, it has no mark yet.
                home.set(index, subject, ifalias=mark, ifname=new.ifname, **({"state": "up"} if up else {}))
            attributes = kind.attributes(new, new.options) | kind.reset_with(netdev["info"], new.options)
            if attributes:
                home.set(index, subject, kind=kind.driver, **attributes)
            if mac is not None and netdev.get("address") != mac:
                home.set(index, subject, address=mac)
            _fit_members(home, index, new, below)
            self._take_in(home, index, new, below, new.over)
            for name, ifname in below.items() if new.options.loose else ():
                if name not in new.over:
                    _let_go(home, ifname, index, subject)
            _set_primary(home, index, new, below)
            mtu = _fitting_mtu(home, new, below) if new.mtu is None and old.mtu is not None else new.mtu
            if mtu is not None and netdev.get("mtu") != mtu:
                home.set(index, subject, mtu=mtu)
            home.set(index, subject, state="up" if new.up else "down")
        with Netdevs(netns) as netdevs:
            netdevs.set_addresses(index, subject, new.addresses, old.addresses)

    # -- seeing and removing -------------------------------------------------------------------------------------

    def find(self, spec: LinkSpec, mark: str, sight: NetdevInventory | None = None) -> LinkState | None:
        """See LinkBackend.find: wherever it has moved, and whatever it is called."""
        sight = sight or NetdevInventory()
        found = find_netdev(spec, mark, sight)
        state = sight.states(found[0]).get(found[1]["index"]) if found is not None else None
        if found is None or state is None:
            return None
        netns, one = found
        under = _under(spec, netns, one, sight)
        below_mtu = {}
        if under and not spec.options.loose:
            below_mtu = _session_below(sight.links(spec.over_netns), under[0])
        return LinkState(
            netdev=state,
            over=tuple(other["ifname"] for other in under),
            words=kind_of(spec).words(one["info"]),
            counters=counters_of(one.get("stats64")),
            mtus={other["ifname"]: other["mtu"] for other in under},
            sessions={other["ifname"]: name for other in under if (name := session_in(other.get("ifalias") or ""))},
            below_mtu=below_mtu,
            members=dict(_members(spec, one, under)),
        )

    def lacking(self, spec: LinkSpec, ifnames: Iterable[str], sight: NetdevInventory) -> frozenset[str]:
        """See LinkBackend.lacking."""
        return sight.lacking(spec.over_netns, ifnames)

    def remove(self, spec: LinkSpec, mark: str) -> None:
        """See LinkBackend.remove. Its members stay, and are up."""
        found = find_netdev(spec, mark)
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


def _under(spec: LinkSpec, netns: str | None, one: Attributes, sight: NetdevInventory) -> list[Attributes]:
    """The netdevs that a link's netdev has as members, or the one that it lies on."""
    if spec.options.loose:
        return [other for other in sight.links(netns).values() if other.get("master") == one["index"]]
    lower = sight.links(spec.over_netns).get(one.get("link") or 0)
    return [lower] if lower is not None else []


def find_netdev(
    spec: LinkSpec, mark: str, sight: NetdevInventory | None = None
) -> tuple[str | None, Attributes] | None:
    """Find a link's netdev and its attributes: by its owner tag, or by the name that it had before it got one.

    Bridges and bonds never leave their namespace (NETIF_F_NETNS_LOCAL); a virtual card is its worker's.
    Raises L2tpError where the kernel refuses.
    """
    sight = sight or NetdevInventory()
    found = sight.marked((spec.home, spec.over_netns), mark, spare_name(mark))
    if found is None and not spec.options.loose and not spec.options.relayed and spec.options.own_netdev:
        found = sight.moved(spec.over_netns, kind_of(spec).driver, mark)
    return found


def spare_name(mark: str) -> str:
    """The name of a netdev until it has its owner tag."""
    return f"l2link{zlib.crc32(mark.encode()):08x}"


def _let_go(home: LinkSocket, ifname: str, master: int, subject: str) -> None:
    with contextlib.suppress(NotFoundError):
        member = home.named(ifname)
        if member.get("master") == master:
            home.set(member["index"], subject, master=0)


def _fit_members(home: LinkSocket, index: int, spec: LinkSpec, below: Below) -> None:
    """Have a bond fit its smallest member: it gives its own MTU to each that joins (bond_enslave())."""
    if spec.mtu is None and isinstance(spec.options, BondOptions):
        ifnames = {below[name] for name in spec.over}
        there = [one["mtu"] for one in home.all().values() if one["ifname"] in ifnames]
        if there:
            home.set(index, f"link {spec.name}", mtu=min(there))


def _fitting_mtu(home: LinkSocket, spec: LinkSpec, below: Below) -> int | None:
    """The MTU that the netdevs beneath allow; None where they do not exist."""
    with contextlib.nullcontext(home) if spec.options.loose else LinkSocket(spec.over_netns) as beneath:
        ifnames = {below[name] for name in spec.over}
        there = [one["mtu"] for one in beneath.all().values() if one["ifname"] in ifnames]
    return min(there, default=None if spec.over else _ETHERNET_MTU)


def _set_primary(home: LinkSocket, index: int, spec: LinkSpec, below: Below) -> None:
    if isinstance(spec.options, BondOptions) and spec.options.primary is not None:
        with contextlib.suppress(NotFoundError):
            primary = home.named(below[spec.options.primary])["index"]
            home.set(index, f"link {spec.name}", kind="bond", bond_primary=primary)


def _members(spec: LinkSpec, one: Attributes, under: Sequence[Attributes]) -> Iterator[tuple[str, MemberState]]:
    """What those that have joined are as such, by the netdev's name. one: the link itself."""
    filters = isinstance(spec.options, BridgeOptions) and spec.options.vlan_filtering
    with LinkSocket(spec.home) if filters and under else contextlib.nullcontext() as home:
        for other in under if spec.options.loose else ():
            yield (
                other["ifname"],
                MemberState(
                    isolated=bool(other["member"].get("brport_isolated")),
                    primary=one["info"].get("bond_primary") == other["index"],
                    vlans=home.vlans(other["index"]) if home is not None else None,
                ),
            )


def _session_below(links: Mapping[int, Attributes], lower: Attributes | None) -> dict[str, int]:
    """The session's netdev that is at the bottom of what lies on one another, and its MTU."""
    passed: set[int] = set()
    while lower is not None and lower["index"] not in passed:
        if name := session_in(lower.get("ifalias") or ""):
            return {name: lower["mtu"]}
        passed.add(lower["index"])
        lower = links.get(lower.get("link") or 0) if "link_netnsid" not in lower else None
    return {}


def _set_vlans(home: LinkSocket, member: int, subject: str, wanted: MemberVlans) -> None:
    for number, is_untagged in home.vlans(member).items():
        if wanted.numbers.get(number) != is_untagged:
            home.vlan(member, subject, number, number, add=False)
    for low, high in wanted.tagged:
        home.vlan(member, subject, low, high)
    if wanted.untagged is not None:
        home.vlan(member, subject, wanted.untagged, wanted.untagged, untagged=True)
