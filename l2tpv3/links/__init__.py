"""Netdevs that are layered over others: bridge, bond, alias, macvlan, ipvlan, vlan. One file a type."""
