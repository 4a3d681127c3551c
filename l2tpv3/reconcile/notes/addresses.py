"""Notes about a session's addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address

from l2tpv3.model.spec import SessionSpec
from l2tpv3.model.status import NetdevState

Owners = Callable[[IPv4Address | IPv6Address], Sequence[NetdevState]]
"""A function that gives, for an address, the netdevs in the session's namespace that have it."""


def address_notes(tunnel: str, spec: SessionSpec, netdev: NetdevState, owners: Owners) -> Iterator[str]:
    """Notes about the addresses of a session. netdev: that of the session."""
    change = f"l2tpctl session set {tunnel} {spec.name} --address"
    for address in spec.addresses:
        for other in owners(address.ip) if not address.ip.is_link_local else ():
            if other.ifindex != netdev.ifindex:
                yield (
                    f"{other.ifname} has the address {address.ip} too, and only one of them is used for packets to "
                    f"{address.network}; give one of them another address (`{change} ...`)"
                )
