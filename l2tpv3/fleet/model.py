"""A fleet as its file states it: hosts, meshes, and wires between two hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any, Final

from l2tpv3.model.source import Source
from l2tpv3.model.values import IPAddress, IPInterface
from l2tpv3.value_class import value_class

HERE: Final = "here"
"""The `reach` of the host that l2tpctl runs on."""
NATS: Final = "nats"
"""The `reach` of a host whose agent fetches its desired state by itself."""
SESSION: Final = "wire"
"""The name of the session in each tunnel of a fleet."""

IPNetwork = IPv4Network | IPv6Network


class Shape(StrEnum):
    """Between which hosts of a mesh there is a pseudowire: between all, or from one hub to each of the others."""

    FULL = "full"
    HUB = "hub"


@value_class(frozen=True, slots=True, kw_only=True)
class FleetHost:
    """A host. reach: its ssh:// URL, HERE or NATS. addresses: of the underlay, one of a family."""

    name: str
    reach: str
    addresses: tuple[IPAddress, ...]
    labels: tuple[str, ...] = ()
    datapath: str | None = None
    source: Source = field(compare=False, repr=False)


@value_class(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is the same at both ends of a pseudowire: words of its tunnel and of its session, as files have them."""

    tunnel: Mapping[str, Any] = field(default_factory=dict)
    session: Mapping[str, Any] = field(default_factory=dict)


@value_class(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Pseudowires among many hosts.

    hub: the host in the middle, where the shape is HUB. bridge: the netdev at each host that joins its pseudowires;
    None without one. split_horizon: no frame goes from one pseudowire into another. networks: each host's bridge gets
    an address of each. ports: further members of the bridge, by host.
    """

    name: str
    hosts: tuple[str, ...]
    shape: Shape
    hub: str | None
    bridge: str | None
    split_horizon: bool
    networks: tuple[IPNetwork, ...]
    ports: Mapping[str, tuple[str, ...]]
    settings: Settings
    source: Source = field(compare=False, repr=False)

    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of hosts that have a pseudowire, each once, in the order of the hosts."""
        if self.hub is not None:
            return [(self.hub, other) for other in self.hosts if other != self.hub]
        return [(a, b) for at, a in enumerate(self.hosts) for b in self.hosts[at + 1 :]]


@value_class(frozen=True, slots=True, kw_only=True)
class Wire:
    """A pseudowire between two hosts. addresses: of its netdev, at each end."""

    name: str
    ends: tuple[str, str]
    addresses: tuple[tuple[IPInterface, ...], tuple[IPInterface, ...]]
    settings: Settings
    source: Source = field(compare=False, repr=False)


@value_class(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All of it, as a checked file states it."""

    file: Path
    hosts: Mapping[str, FleetHost]
    meshes: Mapping[str, Mesh]
    wires: Mapping[str, Wire]
