"""Changes of a host's links to interrupt and to fail, with the tunnels and sessions that they lie on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from l2tpv3 import Manager
from l2tpv3.errors import ConflictError, ExistsError, NotFoundError
from l2tpv3.model.desired import Desired, DesiredTunnel
from tests.changes import Bench, Change, Scenario, between, link, rolled_back, session, then, to, to_be_confirmed


def _tunnel(bench: Bench, number: int = 1) -> DesiredTunnel:
    """number: its id, and its port's."""
    return bench.tunnel("siteb", number, session("lan", 1), session("two", 2), session("three", 3))


def _netdevs(bench: Bench) -> list[Desired]:
    """Links that are netdevs of the kernel's."""
    return [
        link("hub", type="bridge", over=["nic0", "siteb/lan"], isolated=["siteb/lan"], address=["10.9.0.1/24"]),
        link("front", type="alias", over=["siteb/two"]),
        link("card", type="macvlan", over=["siteb/three"], netns=bench.inner.netns, address=["10.9.1.1/24"]),
    ]


def _port_and_card(bench: Bench) -> list[Desired]:
    """A port between a NIC and a session, and a virtual card."""
    return [
        link("wire", type="port", over=["nic2", "siteb/lan"], carrier="follow"),
        link("soft", type="vnic", over=["nic1"], netns=bench.inner.netns, address=["10.9.2.1/24"]),
    ]


def _all_types(bench: Bench) -> list[Desired]:
    return [
        bench.tunnel("siteb", 1, *(session(name, n) for n, name in enumerate(("lan", "two", "three", "four"), 1))),
        link("hub", type="bridge", over=["nic0", "siteb/two"]),
        link("card", type="macvlan", over=["siteb/three"]),
        link("soft", type="vnic", over=["siteb/four"]),
        link("wire", type="port", over=["nic2", "siteb/lan"]),
    ]


def _netdevs_from_nothing(bench: Bench) -> Scenario:
    return between(to(), to(_tunnel(bench), *_netdevs(bench)))


def _port_and_card_from_nothing(bench: Bench) -> Scenario:
    return between(to(), to(_tunnel(bench), *_port_and_card(bench)))


def _to_nothing(bench: Bench) -> Scenario:
    return between(to(*_all_types(bench)), to())


def _netdevs_in_place(bench: Bench) -> Scenario:
    one = (
        link("hub", type="bridge", over=["nic0", "siteb/lan"], priority=4096, address=["10.9.0.1/24"]),
        link("front", type="alias", over=["nic1"]),
        link("card", type="macvlan", over=["siteb/three"], mac="02:00:5e:00:53:71"),
    )
    two = (
        link("hub", type="bridge", ifname="hub9", over=["nic2", "siteb/lan"], priority=8192, address=["10.9.9.1/24"]),
        link("front", type="alias", over=["siteb/two"], mtu=1300),
        link("card", type="macvlan", over=["siteb/three"], mac="02:00:5e:00:53:72", up=False),
    )  # fmt: skip
    return between(to(_tunnel(bench), *one), to(_tunnel(bench), *two))


def _port_and_card_in_place(bench: Bench) -> Scenario:
    one = (
        link("wire", type="port", over=["nic2", "siteb/lan"], carrier="follow"),
        link("soft", type="vnic", over=["nic0"], mtu=1400),
    )
    two = (
        link("wire", type="port", over=["nic2", "siteb/lan"], carrier="alone"),
        link("soft", type="vnic", over=["siteb/two"], ifname="soft9", address=["10.9.2.1/24"]),
    )
    return between(to(_tunnel(bench), *one), to(_tunnel(bench), *two))


def _anew(bench: Bench) -> Scenario:
    """What can't change in place, and a link that becomes another type."""
    one = (
        link("card", type="macvlan", over=["siteb/three"], mode="private"),
        link("wire", type="port", over=["nic2", "siteb/lan"]),
        link("soft", type="vnic", over=["nic1"], netns=bench.inner.netns),
        link("hub", type="bridge", over=["nic0"]),
    )
    two = (
        link("card", type="macvlan", over=["siteb/three"], mode="vepa"),
        link("wire", type="port", over=["nic2", "siteb/two"]),
        link("soft", type="vnic", over=["nic1"]),
        link("hub", type="macvlan", over=["nic0"]),
    )
    return between(to(_tunnel(bench), *one), to(_tunnel(bench), *two))


def _tunnel_anew(bench: Bench) -> Scenario:
    links = (*_netdevs(bench), link("wire", type="port", over=["nic2", "siteb/four"]))
    four = session("four", 4)
    one, two = (bench.tunnel("siteb", number, *_tunnel(bench).sessions, four, **{"peer-id": 7}) for number in (1, 2))
    return between(to(one, *links), to(two, *links))


def _card_over_a_session_anew(bench: Bench) -> Scenario:
    card = link("soft", type="vnic", over=["siteb/lan"], address=["10.9.2.1/24"])
    one = bench.tunnel("siteb", 1, session("lan", 1))
    two = bench.tunnel("siteb", 1, session("lan", 5, mac="02:00:5e:00:53:01"))
    return between(to(one, card), to(two, card))


def _namespaces_on_demand(bench: Bench) -> Scenario:
    """Made for what goes into them, and gone with it; one by another's way than the other."""
    red, blue = f"{bench.inner.netns}-red", f"{bench.inner.netns}-blue"
    siteb = bench.tunnel("siteb", 1, session("lan", 1, netns=red), session("two", 2))
    return between(to(), to(siteb, link("card", type="macvlan", over=["nic0"], netns=blue)))


def _other_namespaces_on_demand(bench: Bench) -> Scenario:
    one, two = (
        to(
            bench.tunnel("siteb", 1, session("lan", 1, netns=f"{bench.inner.netns}-{name}")),
            link("card", type="macvlan", over=["nic0"], netns=f"{bench.inner.netns}-{name}"),
        )
        for name in ("red", "blue")
    )
    return between(one, two)


def _restore(bench: Bench) -> Scenario:
    def back(manager: Manager) -> None:
        manager.down()

    return Scenario(then(to(*_all_types(bench)), back), lambda manager: manager.restore(), back)


def _down(bench: Bench) -> Scenario:
    return Scenario(to(*_all_types(bench)), lambda manager: manager.down(), lambda manager: manager.restore())


def _commands(bench: Bench) -> Scenario:
    """Links one by one, as commands make, set and delete them."""
    start = to(_tunnel(bench))

    def change(manager: Manager) -> None:
        for name, words in (
            ("hub", {"type": "bridge", "over": ["nic0", "siteb/lan"]}),
            ("wire", {"type": "port", "over": ["nic2", "siteb/two"]}),
        ):
            with contextlib.suppress(ExistsError):
                manager.links.add(name, words)
        manager.links.set("hub", {"over": ["nic0", "nic1"], "priority": 4096})

    def back(manager: Manager) -> None:
        for name in ("wire", "hub"):
            with contextlib.suppress(NotFoundError):
                manager.links.delete(name)

    return Scenario(start, change, back)


def _deletions(bench: Bench) -> Scenario:
    there = _commands(bench)
    return Scenario(then(there.start, there.change), there.back, there.change)


def _unconfirmed(bench: Bench) -> tuple[Change, Change]:
    """What is there before, and a change of it that waits for its confirmation."""
    before = (link("hub", type="bridge", over=["nic0", "siteb/lan"]), link("old", type="macvlan", over=["nic1"]))
    after = (
        link("hub", type="bridge", over=["nic0", "siteb/two"], mtu=1300),
        link("wire", type="port", over=["nic2", "siteb/lan"]),
    )

    def unconfirmed(manager: Manager) -> None:
        with contextlib.suppress(ConflictError):  # it was killed when it was done
            manager.apply((_tunnel(bench), *after), prune=True, confirm_s=3600)

    return to(_tunnel(bench), *before), unconfirmed


def _to_be_confirmed(bench: Bench) -> Scenario:
    return to_be_confirmed(*_unconfirmed(bench))


def _rollback(bench: Bench) -> Scenario:
    return rolled_back(*_unconfirmed(bench))


def _confirm(bench: Bench) -> Scenario:
    before, unconfirmed = _unconfirmed(bench)
    start = then(before, unconfirmed)
    return Scenario(start, lambda manager: manager.confirm(), then(lambda manager: manager.rollback(), start))


def _of_modules(bench: Bench) -> list[Desired]:
    """Links of the types that many kernels lack."""
    return [
        link("bond", type="bond", over=["nic0", "siteb/lan"], address=["10.9.0.1/24"]),
        link("share", type="ipvlan", over=["nic1"], netns=bench.inner.netns, address=["10.9.1.1/24"]),
        link("v10", type="vlan", over=["siteb/two"], id=10),
        link("hub", type="bridge", over=["v10", "siteb/three"], **{"vlan-filtering": True, "vlan": ["v10=10u+20-29"]}),
    ]


def _modules_from_nothing(bench: Bench) -> Scenario:
    return between(to(), to(_tunnel(bench), *_of_modules(bench)))


def _modules_over_a_tunnel_anew(bench: Bench) -> Scenario:
    links = _of_modules(bench)
    return between(to(_tunnel(bench), *links), to(_tunnel(bench, 2), *links))


LINK_SCENARIOS: dict[str, Callable[[Bench], Scenario]] = {
    "bridge, alias and macvlan from nothing": _netdevs_from_nothing,
    "port and virtual card from nothing": _port_and_card_from_nothing,
    "all links go": _to_nothing,
    "bridge, alias and macvlan in place": _netdevs_in_place,
    "port and virtual card in place": _port_and_card_in_place,
    "links anew": _anew,
    "a tunnel anew under links": _tunnel_anew,
    "a session anew under a virtual card": _card_over_a_session_anew,
    "namespaces on demand": _namespaces_on_demand,
    "other namespaces on demand": _other_namespaces_on_demand,
    "restore of links": _restore,
    "down with links": _down,
    "link add and set": _commands,
    "link del": _deletions,
    "apply of links to be confirmed": _to_be_confirmed,
    "rollback of links": _rollback,
    "confirm of links": _confirm,
}
"""Those that every kernel with bridges, macvlan and tc can play."""

MODULE_SCENARIOS: dict[str, Callable[[Bench], Scenario]] = {
    "bond, ipvlan and vlan from nothing": _modules_from_nothing,
    "bond and vlan over a tunnel anew": _modules_over_a_tunnel_anew,
}
"""Those that need the bonding, ipvlan and 8021q modules."""

NOT_ON_THE_KERNEL = ("port and virtual card from nothing", "port and virtual card in place")
"""Their port follows its far end (`--carrier follow`), which the kernel datapath cannot do."""
