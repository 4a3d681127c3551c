"""Types that lie on one netdev: macvlan, ipvlan, vlan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from l2tpv3.links.kinds.base import Attributes, Kind, name_of
from l2tpv3.model.links.options import (
    IpvlanFlag,
    IpvlanMode,
    IpvlanOptions,
    MacvlanMode,
    MacvlanOptions,
    VlanOptions,
    VlanProtocol,
)
from l2tpv3.model.links.spec import LinkSpec

_MACADDR_SET: Final = 3  # MACVLAN_MACADDR_SET, linux/if_link.h
_IPVLAN_MODES: Final = {IpvlanMode.L2: 0, IpvlanMode.L3: 1, IpvlanMode.L3S: 2}
_IPVLAN_FLAGS: Final = {IpvlanFlag.BRIDGE: 0, IpvlanFlag.PRIVATE: 1, IpvlanFlag.VEPA: 2}
_ETHERTYPES: Final = {VlanProtocol.DOT1Q: 0x8100, VlanProtocol.DOT1AD: 0x88A8}


class Macvlan(Kind[MacvlanOptions]):
    """A macvlan: drivers/net/macvlan.c."""

    driver = "macvlan"

    def attributes(self, spec: LinkSpec, options: MacvlanOptions) -> Attributes:
        """The whole list of sources at once (MACVLAN_MACADDR_SET)."""
        if options.mode is not MacvlanMode.SOURCE:
            return {}
        data = {"attrs": [("IFLA_MACVLAN_MACADDR", mac) for mac in options.sources]}
        return {"macvlan_macaddr_mode": "set", "macvlan_macaddr_data": data}

    def made_with(self, spec: LinkSpec, options: MacvlanOptions) -> Attributes:
        """The driver refuses to change passthru, so no change of mode is done in place."""
        return {"macvlan_mode": str(options.mode)}

    def words(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """All words of the type."""
        data = info.get("macvlan_macaddr_data")
        sources = [value for _, value in data["attrs"]] if data else []
        return {"mode": info.get("macvlan_mode"), "source-mac": sources}


class Ipvlan(Kind[IpvlanOptions]):
    """An ipvlan: drivers/net/ipvlan/ipvlan_main.c."""

    driver = "ipvlan"

    def made_with(self, spec: LinkSpec, options: IpvlanOptions) -> Attributes:
        """Mode and flags are of all ipvlans on one NIC at once, so changing those of one means all of them."""
        return {"ipvlan_mode": _IPVLAN_MODES[options.mode], "ipvlan_flags": _IPVLAN_FLAGS[options.flag]}

    def words(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """All words of the type."""
        return {
            "mode": name_of(_IPVLAN_MODES, info.get("ipvlan_mode")),
            "flag": name_of(_IPVLAN_FLAGS, info.get("ipvlan_flags")),
        }


class Vlan(Kind[VlanOptions]):
    """A netdev of one VLAN: net/8021q/vlan_netlink.c."""

    driver = "vlan"

    def made_with(self, spec: LinkSpec, options: VlanOptions) -> Attributes:
        """The tag, whose priority bits are the frame's own priority both ways (802.1p)."""
        return {"vlan_id": options.id, "vlan_protocol": _ETHERTYPES[options.protocol]}

    def words(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """All words of the type."""
        return {"id": info.get("vlan_id"), "protocol": name_of(_ETHERTYPES, info.get("vlan_protocol"))}
