"""Bridges, and the alias, which is a bridge with one exchangeable member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2tpv3.links.kinds.base import Attributes, Kind
from l2tpv3.model.links.options import AliasOptions, BridgeOptions, Stp
from l2tpv3.model.links.spec import LinkSpec

_HZ = 100  # rtnetlink's clock_t: hundredths of a second
_STP_DELAY_DEFAULT_S = 15


class Bridge(Kind[BridgeOptions]):
    """A bridge: net/bridge/br_netlink.c."""

    driver = "bridge"

    def attributes(self, spec: LinkSpec, options: BridgeOptions) -> Attributes:
        """The timers are IEEE 802.1D's: max age may not exceed 2 (forward delay - 1 s)."""
        delay_s = options.forward_delay_ms / 1000
        wanted: Attributes = {
            "br_stp_state": int(stp_runs(spec, options)),
            "br_forward_delay": round(delay_s * _HZ),
            "br_max_age": round(min(20.0, 2 * (delay_s - 1)) * _HZ),
            "br_priority": options.priority,
            "br_ageing_time": options.ageing_s * _HZ,
            "br_mcast_snooping": int(options.igmp_snooping),
        }
        if options.vlan_filtering:  # a kernel without it refuses the very word
            wanted["br_vlan_filtering"] = 1
        return wanted

    def reset_with(self, info: Mapping[str, Any], options: BridgeOptions) -> Attributes:
        """See Kind.reset_with."""
        return {"br_vlan_filtering": 0} if info.get("br_vlan_filtering") and not options.vlan_filtering else {}

    def member_attributes(self, options: BridgeOptions, member: str) -> Attributes:
        """The attributes of a member: whether it is isolated (split horizon)."""
        return {"kind": "bridge_slave", "isolated": int(member in options.isolated)}

    def words(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """All words but those about members.

        While the topology changes the bridge ages quicker by itself (802.1D 17.19.9).
        """
        return {
            "stp": "on" if info.get("br_stp_state") else "off",
            "priority": info.get("br_priority"),
            "forward-delay-ms": int(info.get("br_forward_delay", 0)) * 1000 // _HZ,
            "ageing-s": None if info.get("br_topology_change") else int(info.get("br_ageing_time", 0)) // _HZ,
            "igmp-snooping": bool(info.get("br_mcast_snooping")),
            "vlan-filtering": bool(info.get("br_vlan_filtering")),
        }


def stp_runs(spec: LinkSpec, options: BridgeOptions) -> bool:
    """Whether the spanning tree protocol is to run.

    Members that don't hear each other make no loop, and the protocol, which does not know of that, would cut a
    full mesh of pseudowires into a tree in which not everybody is reached.
    """
    if options.stp is Stp.AUTO:
        return sum(member not in options.isolated for member in spec.over) > 1
    return options.stp is Stp.ON


class Alias(Kind[AliasOptions]):
    """A bridge that has one member at most: what is behind it can go and come, the netdev in front of it stays."""

    driver = "bridge"

    def attributes(self, spec: LinkSpec, options: AliasOptions) -> Attributes:
        """Attributes that switch learning, snooping and STP off: with one member they are of no use."""
        return {"br_stp_state": 0, "br_mcast_snooping": 0, "br_ageing_time": 0}
