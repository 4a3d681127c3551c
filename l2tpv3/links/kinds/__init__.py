"""The types of link that are netdevs of the kernel, each with its Kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2tpv3.links.kinds.base import Kind
from l2tpv3.links.kinds.bond import Bond
from l2tpv3.links.kinds.bridge import Alias, Bridge
from l2tpv3.links.kinds.stacked import Ipvlan, Macvlan, Vlan
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.spec import LinkSpec

_KINDS: Mapping[LinkType, Kind[Any]] = {
    LinkType.BRIDGE: Bridge(),
    LinkType.ALIAS: Alias(),
    LinkType.BOND: Bond(),
    LinkType.MACVLAN: Macvlan(),
    LinkType.IPVLAN: Ipvlan(),
    LinkType.VLAN: Vlan(),
}


def kind_of(spec: LinkSpec) -> Kind[Any]:
    """The Kind of a link's type. Raises KeyError for a type that has no netdev of the kernel."""
    return _KINDS[spec.type]


def driver_of(type_: LinkType) -> str:
    """The kernel's name of the driver of such netdevs (IFLA_INFO_KIND). Raises KeyError for a type that has none."""
    return _KINDS[type_].driver
