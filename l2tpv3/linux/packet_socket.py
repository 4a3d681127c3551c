"""Binds a packet socket (packet(7)) to a netdev by its index.

Python binds by name only, which makes the kernel look for modules, and not to all netdevs at once.
"""

from __future__ import annotations

import socket
from struct import Struct
from typing import Final

from l2tpv3.linux.libc import checked, libc

_ALL: Final = 3  # ETH_P_ALL
_address = Struct("=HHiHBB8s")  # struct sockaddr_ll


def bind_packets(packets: socket.socket, ifindex: int) -> None:
    """Have a packet socket receive the packets of a netdev, of whatever protocol. 0: of all netdevs. Raises OSError."""
    address = _address.pack(socket.AF_PACKET, socket.htons(_ALL), ifindex, 0, 0, 0, bytes(8))
    checked(libc.bind(packets.fileno(), address, len(address)))
