"""That a netdev can speak LACP: the bonding driver speaks it on those alone that tell their duplex."""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from typing import Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.netns import inside
from l2tpv3.model.links.options import BondMode, BondOptions
from l2tpv3.model.links.spec import LinkSpec

_SIOCETHTOOL: Final = 0x8946
_ETHTOOL_GLINKSETTINGS: Final = struct.pack("=I44x", 0x4C)  # struct ethtool_link_settings, all else 0
_ifreq: Final = struct.Struct("16sP16x")


def check_lacp(spec: LinkSpec, ifname: str) -> None:
    """That a member of this bond, if it is one of 802.3ad, can take part in it. Raises InvalidValueError.

    A netdev without any settings of its link, as l2tp_eth's, would be in the bond, and silent: __get_duplex() in
    drivers/net/bonding/bond_3ad.c. One that has settings may be without a cable for now.
    """
    if not isinstance(spec.options, BondOptions) or spec.options.mode is not BondMode.LACP:
        return
    if not _has_settings(spec.over_netns, ifname):
        problem = f"802.3ad has to know the duplex of its members, and the driver of {ifname} tells none"
        remedy = "give another mode, or, if it is a session's, have its tunnel use --datapath user or ebpf"
        raise InvalidValueError(f"link {spec.name}: --mode", problem, remedy)


def _has_settings(netns: str | None, ifname: str) -> bool:
    """By ethtool's ioctl: its netlink may be left out of a kernel. Doubt counts as yes."""
    command = array.array("B", _ETHTOOL_GLINKSETTINGS)
    with inside(netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            fcntl.ioctl(sock, _SIOCETHTOOL, _ifreq.pack(ifname.encode(), command.buffer_info()[0]))
        except OSError as error:
            return error.errno != errno.EOPNOTSUPP
    return True
