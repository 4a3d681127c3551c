"""ethtool(8)'s offloads of a netdev in the calling thread's network namespace, by ioctl.

Its netlink may be left out of a kernel. Numbers from linux/ethtool.h.
"""

from __future__ import annotations

import array
import fcntl
import socket
import struct
from enum import Enum
from typing import Final

_SIOCETHTOOL: Final = 0x8946
_ifreq: Final = struct.Struct("16sP16x")


class Offload(Enum):
    """The commands that ask whether it is on, and that switch it."""

    TX_CHECKSUM = (0x16, 0x17)
    TSO = (0x1E, 0x1F)
    GRO = (0x2B, 0x2C)


def is_on(ifname: str, offload: Offload) -> bool:
    """Whether it is on. Raises OSError: ENODEV, EOPNOTSUPP."""
    return _value(ifname, offload.value[0], 0) != 0


def switch(ifname: str, offload: Offload, *, on: bool) -> None:
    """Switch it. Raises OSError: ENODEV, EOPNOTSUPP, EPERM."""
    _value(ifname, offload.value[1], int(on))


def _value(ifname: str, command: int, value: int) -> int:
    words = array.array("I", (command, value))  # struct ethtool_value
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCETHTOOL, _ifreq.pack(ifname.encode(), words.buffer_info()[0]))
    return words[1]
