"""rtnetlink's notifications of one network namespace: netdevs and their addresses, only those that matter here."""

from __future__ import annotations

import socket
from collections.abc import Collection
from struct import Struct
from typing import Final

from l2tpv3.linux.netlink.message import attributes, text_of
from l2tpv3.linux.netlink.multicast import Heard, Listener

_GROUPS: Final = (1, 5, 9)  # RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR (linux/rtnetlink.h)
_NEWLINK, _DELLINK, _NEWADDR, _DELADDR = 16, 17, 20, 21
_IFNAME, _IFALIAS = 3, 20  # IFLA_*
_LINK = Struct("=BxHiII")  # struct ifinfomsg
_ADDR = Struct("=BBBBI")  # struct ifaddrmsg
_MARK: Final = "l2tpv3 "
"""What owner tags begin with, also those of other hosts; see l2tpv3.model.ownership."""


class LinkListener:
    """Whether netdevs of sessions changed. netns: None is the calling thread's. Close it.

    indices, names: the netdevs to be told of, beside all that carry a mark; replace them at any time.
    """

    def __init__(self, netns: str | None) -> None:
        self.indices: Collection[int] = ()
        self.names: Collection[str] = ()
        self._listener = Listener(socket.NETLINK_ROUTE, netns, _GROUPS)

    def fileno(self) -> int:
        """The file descriptor to poll."""
        return self._listener.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._listener.close()

    def read(self) -> bool:
        """Whether anything that came is about one of those netdevs. Raises Overrun."""
        about = False
        for heard in self._listener.read():  # to the end, whatever is found: the next is asked for by poll
            about = self._matters(heard) or about
        return about

    def _matters(self, heard: Heard) -> bool:
        kind, datagram, offset, end = heard
        if kind in (_NEWADDR, _DELADDR) and end - offset >= _ADDR.size:
            return _ADDR.unpack_from(datagram, offset)[4] in self.indices
        if kind not in (_NEWLINK, _DELLINK) or end - offset < _LINK.size:
            return False
        if _LINK.unpack_from(datagram, offset)[2] in self.indices:
            return True
        said = attributes(datagram, offset + _LINK.size, end)
        if _IFALIAS in said and text_of(datagram, said[_IFALIAS]).startswith(_MARK):
            return True
        return _IFNAME in said and text_of(datagram, said[_IFNAME]) in self.names
