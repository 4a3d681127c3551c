"""Reads what the kernel tells of IPv6 on a netdev, in files below /proc."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from l2tpv3.linux.netns import inside

DAD_FAILED: Final = 0x08
TENTATIVE: Final = 0x40
"""IFA_F_DADFAILED, IFA_F_TENTATIVE (linux/if_addr.h): whether duplicate address detection failed, or is not done."""
MTU_MAX: Final = 65535
"""Bytes: the greatest length that an IP packet's header can state."""


def advertised_mtu(netns: str | None, ifname: str) -> int:
    """The MTU of a netdev for IPv6, which a router can advertise (net.ipv6.conf.NETDEV.mtu); 65535 if none.

    Raises MissingError where the namespace is not there.
    """
    try:
        with inside(netns):
            return int(Path(f"/proc/sys/net/ipv6/conf/{ifname}/mtu").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return MTU_MAX


def address_flags(address: IPv4Address | IPv6Address, netns: str | None) -> int:
    """The flags (IFA_F_*, linux/if_addr.h) of an IPv6 address of a network namespace; 0 where it is not there.

    Raises MissingError where the namespace is not there.
    """
    wanted = address.packed.hex()
    with inside(netns):
        try:
            lines = Path("/proc/thread-self/net/if_inet6").read_text("ascii").splitlines()
        except OSError:
            return 0
    found = [line.split() for line in lines]
    return next((int(words[4], 16) for words in found if words[0] == wanted), 0)


def is_tentative(address: IPv4Address | IPv6Address, netns: str | None) -> bool:
    """Whether an address of a network namespace can't be used yet, or is another host's (RFC 4862, 5.4)."""
    return address.version == 6 and bool(address_flags(address, netns) & (TENTATIVE | DAD_FAILED))
