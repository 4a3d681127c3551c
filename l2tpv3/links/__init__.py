"""Links: netdevs over other netdevs (bridge, bond, alias, macvlan, ipvlan, vlan), virtual cards, and ports."""
