"""Every pseudowire of a fleet, whichever shape it comes from, with what its ends are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from l2tpv3.fleet.model import Fleet, FleetHost, Mesh, Settings
from l2tpv3.model.source import Source
from l2tpv3.model.values import IPAddress, IPInterface
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class Pair:
    """A pseudowire between two hosts, as the file asks for it.

    key: what it is called in the fleet: `MESH/HOST/HOST`, the hosts in the order of the alphabet, or a wire's name.
    hosts: both, in the same order; all that is said of both ends is in this order. tunnels: its tunnel's name at each.
    addresses: of its netdevs. mesh: the name of the mesh that it belongs to; None for a wire of its own.
    """

    key: str
    hosts: tuple[str, str]
    tunnels: tuple[str, str]
    underlay: tuple[IPAddress, IPAddress]
    addresses: tuple[tuple[IPInterface, ...], tuple[IPInterface, ...]]
    settings: Settings
    datapaths: tuple[str | None, str | None]
    mesh: str | None
    source: Source

    def at(self, host: str) -> int:
        """The place of a host among both: 0 or 1."""
        return self.hosts.index(host)

    @property
    def tunnel_words(self) -> Mapping[str, Any]:
        """The words of the tunnel that are the same at both ends."""
        return self.settings.tunnel


def common_underlay(a: FleetHost, b: FleetHost) -> tuple[IPAddress, IPAddress] | None:
    """An address of each, of the first family of `a` that both have; None where there is none."""
    for mine in a.addresses:
        for theirs in b.addresses:
            if mine.version == theirs.version:
                return mine, theirs
    return None


def all_pairs(fleet: Fleet) -> list[Pair]:
    """Every pseudowire of the fleet: those of its meshes, then its wires. The fleet has been checked."""
    return [*(pair for mesh in fleet.meshes.values() for pair in _of_mesh(fleet, mesh)), *_wires(fleet)]


def _of_mesh(fleet: Fleet, mesh: Mesh) -> Iterator[Pair]:
    for ends in mesh.pairs():
        a, b = sorted(ends)
        yield Pair(
            key=f"{mesh.name}/{a}/{b}",
            hosts=(a, b),
            tunnels=(f"{mesh.name}.{b}", f"{mesh.name}.{a}"),
            addresses=((), ()),
            mesh=mesh.name,
            **_of_both(fleet, (a, b), mesh.settings, mesh.source),
        )


def _wires(fleet: Fleet) -> Iterator[Pair]:
    for wire in fleet.wires.values():
        forwards = wire.ends[0] < wire.ends[1]
        yield Pair(
            key=wire.name,
            hosts=wire.ends if forwards else (wire.ends[1], wire.ends[0]),
            tunnels=(wire.name, wire.name),
            addresses=wire.addresses if forwards else (wire.addresses[1], wire.addresses[0]),
            mesh=None,
            **_of_both(fleet, tuple(sorted(wire.ends)), wire.settings, wire.source),
        )


def _of_both(fleet: Fleet, names: tuple[str, ...], settings: Settings, source: Source) -> dict[str, Any]:
    a, b = (fleet.hosts[name] for name in names)
    return {
        "underlay": common_underlay(a, b),
        "settings": settings,
        "datapaths": (a.datapath, b.datapath),
        "source": source,
    }
