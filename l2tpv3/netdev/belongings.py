"""Settings that other programs made on a netdev: read before it goes, and put back on the one that takes its place.

Addresses, routes, permanent neighbours; the bridge, bond or VRF that it is a port of, with a bridge port's settings,
VLANs and entries; sysctls. What is bound to the netdev itself can't be put back and is named: netdevs over it, tc's
schedulers and filters, and what the kernel refuses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Final

from l2tpv3.linux import sysctls
from l2tpv3.linux.netlink import bridge_port, configured
from l2tpv3.linux.netlink.configured import ConfiguredItem, ItemKind
from l2tpv3.linux.netlink.rtnetlink import Link, RouteSocket
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import SessionSpec
from l2tpv3.value_class import value_class

_OURS: Final = "l2tpv3 "
"""What the owner tags of our own netdevs begin with, see model/ownership.py. Whoever made those makes them again."""


@value_class(frozen=True, slots=True)
class ForeignSettings:
    """Settings of one netdev that others made. index: the netdev's. master: what it was a port of, unless on record.

    sysctls: those that differ from a new netdev's, by name. bound: what goes with it, in words.
    """

    index: int
    things: tuple[ConfiguredItem, ...] = ()
    master: str | None = None
    port: bridge_port.Port | None = None
    sysctls: dict[str, str] = field(default_factory=dict)
    bound: tuple[str, ...] = ()

    def to_words(self) -> dict[str, Any]:
        """JSON-ready; from_words takes it back."""
        return {
            "index": self.index,
            "things": [[one.kind.value, one.text, one.body.hex()] for one in self.things],
            "master": self.master,
            "port": None if self.port is None else self.port.to_words(),
            "sysctls": self.sysctls,
            "bound": list(self.bound),
        }

    def without_setting(self, name: str) -> ForeignSettings:
        """These settings without one of the sysctls, by its name."""
        return dataclasses.replace(self, sysctls={key: value for key, value in self.sysctls.items() if key != name})

    @classmethod
    def from_words(cls, words: Mapping[str, Any]) -> ForeignSettings:
        """The inverse of to_words. Raises KeyError, TypeError or ValueError for anything else."""
        things = tuple(
            ConfiguredItem(ItemKind(kind), str(text), bytes.fromhex(body)) for kind, text, body in words["things"]
        )
        port = None if words["port"] is None else bridge_port.Port.from_words(words["port"])
        settings = {str(name): str(value) for name, value in words["sysctls"].items()}
        return cls(words["index"], things, words["master"], port, settings, tuple(words["bound"]))


def read(netns: str | None, netdevs: Mapping[int, SessionSpec]) -> dict[int, ForeignSettings]:
    """Read what others have configured on netdevs of a network namespace, by index. Raises OSError, NotFoundError.

    netdevs: by index, with what we have configured on each, which is left out.
    """
    with inside(netns), RouteSocket() as route:
        links = {link.ifindex: link for link in route.links()}
        found = {index: ForeignSettings(index) for index in netdevs if index in links}
        numbers = bridge_port.vlans(route) if any(links[index].master for index in found) else {}
        for index, one in found.items():
            link, master = links[index], links.get(links[index].master)
            if master is not None and not master.alias.startswith(_OURS):
                on_record = netdevs[index].bridge == master.ifname
                port = bridge_port.read(route, index, numbers)
                one = dataclasses.replace(one, master=None if on_record else master.ifname, port=port)
            found[index] = dataclasses.replace(one, sysctls=sysctls.changed(link.ifname))
        ours = {index: netdevs[index] for index in found}
        things = _things(route, ours, links)
        bound = _bound(route, ours, links)
    return {
        index: dataclasses.replace(one, things=tuple(things[index]), bound=tuple(dict.fromkeys(bound[index])))
        for index, one in found.items()
    }


def _things(
    route: RouteSocket, ours: Mapping[int, SessionSpec], links: Mapping[int, Link]
) -> dict[int, list[ConfiguredItem]]:
    """Addresses, neighbours and routes of these netdevs that are not on record, by index."""
    things: dict[int, list[ConfiguredItem]] = {index: [] for index in ours}
    for index, thing in (*configured.addresses(route), *configured.neighbours(route)):
        if index in things and not _is_ours(thing, ours[index], links[index].mac):
            things[index].append(thing)
    for index, thing in configured.routes(route, list(ours)):
        things[index].append(thing)
    return things


def _bound(route: RouteSocket, ours: Mapping[int, SessionSpec], links: Mapping[int, Link]) -> dict[int, list[str]]:
    """What is bound to these netdevs themselves and not by us, in words, by index."""
    bound: dict[int, list[str]] = {index: [] for index in ours}
    for index, over, text in configured.bound(route):
        if index not in bound or (over in links and links[over].alias.startswith(_OURS)):
            continue
        if over or ours[index].vlan is None:  # the schedulers and filters of a VLAN's netdev are ours
            bound[index].append(text)
    return bound


def _is_ours(thing: ConfiguredItem, session: SessionSpec, mac: str) -> bool:
    """Whether it is on record, or the kernel's own: a port's bridge knows the port's own MAC address."""
    if thing.kind is ItemKind.FDB:
        return configured.mac_of(thing) == mac
    return thing.kind is ItemKind.ADDRESS and thing.text in map(str, session.addresses)


def put_back(netns: str | None, ifname: str, belongings: ForeignSettings) -> list[str]:
    """Configure on a netdev, which is up, the settings of another one. Returns those that could not be, in words.

    Raises OSError.
    """
    lost = list(belongings.bound)
    with inside(netns), RouteSocket() as route:
        index = route.link(ifname).ifindex
        lost += _join(route, index, belongings)
        lost += sysctls.set_again(ifname, belongings.sysctls)
        left: Sequence[ConfiguredItem] = sorted(belongings.things, key=lambda one: list(ItemKind).index(one.kind))
        while left:  # a route may need another one first, by which its gateway is reached
            refused = [one for one in left if not _configure(route, one, belongings.index, index)]
            if len(refused) == len(left):
                break
            left = refused
    return lost + [one.text for one in left]


def _join(route: RouteSocket, index: int, belongings: ForeignSettings) -> list[str]:
    lost = []
    try:
        if belongings.master is not None:
            route.set_link(index, master=route.link(belongings.master).ifindex)
    except OSError:
        lost.append(f"it was a port of {belongings.master}")
    try:
        if belongings.port is not None:
            bridge_port.set_port(route, index, belongings.port)
    except OSError:
        lost.append("settings as a port of its bridge")
    return lost


def _configure(route: RouteSocket, thing: ConfiguredItem, old: int, new: int) -> bool:
    try:
        configured.configure(route, thing, old, new)
    except FileExistsError:
        return True
    except OSError:
        return False
    return True
