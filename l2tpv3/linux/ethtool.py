"""Reads and sets what ethtool(8) does, of a netdev in the calling thread's network namespace, by ioctl.

Its netlink may be left out of a kernel. Numbers from linux/ethtool.h.
"""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from enum import Enum
from typing import Final

_SIOCETHTOOL: Final = 0x8946
_GET_LINK_SETTINGS: Final = 0x4C
_ifreq: Final = struct.Struct("16sP16x")


class Offload(Enum):
    """The commands that ask whether it is on, and that switch it."""

    TX_CHECKSUM = (0x16, 0x17)
    TSO = (0x1E, 0x1F)
    GRO = (0x2B, 0x2C)


def is_on(ifname: str, offload: Offload) -> bool:
    """Whether an offload of a netdev is on. Raises OSError: ENODEV, EOPNOTSUPP."""
    return _value(ifname, offload.value[0], 0) != 0


def switch(ifname: str, offload: Offload, *, on: bool) -> None:
    """Switch an offload of a netdev on or off. Raises OSError: ENODEV, EOPNOTSUPP, EPERM."""
    _value(ifname, offload.value[1], int(on))


def has_link_settings(ifname: str) -> bool:
    """Whether its driver tells the settings of its link, such as its duplex (ETHTOOL_GLINKSETTINGS).

    True as well where the kernel refuses for any other reason than EOPNOTSUPP.
    """
    try:
        _ask(ifname, array.array("I", (_GET_LINK_SETTINGS, *[0] * 11)))  # struct ethtool_link_settings
    except OSError as error:
        return error.errno != errno.EOPNOTSUPP
    return True


def _value(ifname: str, command: int, value: int) -> int:
    words = array.array("I", (command, value))  # struct ethtool_value
    _ask(ifname, words)
    return words[1]


def _ask(ifname: str, request: array.array[int]) -> None:
    """Send a request, which the kernel overwrites with its answer. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCETHTOOL, _ifreq.pack(ifname.encode(), request.buffer_info()[0]))
