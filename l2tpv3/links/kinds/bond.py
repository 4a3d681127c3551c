"""Bonds: etherchannels, and which netdevs can be members of one that speaks LACP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.links.kinds.base import Attributes, Kind, name_of
from l2tpv3.linux.ethtool import has_link_settings
from l2tpv3.linux.netns import inside
from l2tpv3.model.links.options import BondMode, BondOptions, Hash, LacpRate
from l2tpv3.model.links.spec import LinkSpec

# include/uapi/linux/if_bonding.h
_MODES: Final = {BondMode.ROUND_ROBIN: 0, BondMode.ACTIVE_BACKUP: 1, BondMode.XOR: 2, BondMode.LACP: 4}
_HASHES: Final = {Hash.LAYER2: 0, Hash.LAYER34: 1, Hash.LAYER23: 2}
_RATES: Final = {LacpRate.SLOW: 0, LacpRate.FAST: 1}


class Bond(Kind[BondOptions]):
    """A bond: drivers/net/bonding/bond_netlink.c."""

    driver = "bond"
    members_down = True  # bond_enslave() wants them so

    def attributes(self, spec: LinkSpec, options: BondOptions) -> Attributes:
        """Carrier is looked at, or hosts are asked: the driver takes one of the two (bond_opt_check_deps())."""
        wanted: Attributes = {"bond_xmit_hash_policy": _HASHES[options.hash], "bond_min_links": options.min_links}
        if options.arp_targets:
            wanted["bond_arp_interval"] = options.arp_interval_ms
        else:
            wanted["bond_miimon"] = options.miimon_ms
        return wanted

    def made_with(self, spec: LinkSpec, options: BondOptions) -> Attributes:
        """The driver changes these only while it has no members."""
        wanted: Attributes = {"bond_mode": _MODES[options.mode]}
        if options.mode is BondMode.LACP:
            wanted["bond_ad_lacp_rate"] = _RATES[options.lacp_rate]
        if options.arp_targets:
            wanted["bond_arp_ip_target"] = list(options.arp_targets)
        return wanted

    def words(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """All but the primary, which is told by index; and but for miimon, which is 0, while hosts are asked."""
        return {
            "mode": name_of(_MODES, info.get("bond_mode")),
            "hash": name_of(_HASHES, info.get("bond_xmit_hash_policy")),
            "miimon-ms": None if info.get("bond_arp_interval") else info.get("bond_miimon"),
            "min-links": info.get("bond_min_links"),
            "arp-interval-ms": info.get("bond_arp_interval"),
        }


def check_lacp(spec: LinkSpec, ifname: str) -> None:
    """Check that a netdev can be a member of this bond, if that is one of 802.3ad. Raises InvalidValueError.

    A netdev without any settings of its link, as l2tp_eth's, would be in the bond, and silent: __get_duplex() in
    drivers/net/bonding/bond_3ad.c. One that has settings may be without a cable for now.
    """
    if not isinstance(spec.options, BondOptions) or spec.options.mode is not BondMode.LACP:
        return
    with inside(spec.over_netns):
        tells_duplex = has_link_settings(ifname)
    if not tells_duplex:
        problem = f"802.3ad has to know the duplex of its members, and the driver of {ifname} tells none"
        remedy = "give another mode, or, if it is a session's, have its tunnel use --datapath user or ebpf"
        raise InvalidValueError(f"link {spec.name}: --mode", problem, remedy, field="mode")
