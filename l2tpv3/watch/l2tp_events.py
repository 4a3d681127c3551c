"""The kernel's L2TP notifications: group `l2tp` of the family `l2tp` (l2tp_tunnel_notify() in net/l2tp/l2tp_netlink.c).

They reach all network namespaces (genlmsg_multicast_allns()), so one socket hears of every tunnel. The family is absent
until its module is loaded, and this loads none: it hears of that, too, by the group `notify` of `nlctrl`.
"""

from __future__ import annotations

from typing import Final

from l2tpv3.linux.netlink.generic import (
    CONTROL,
    FAMILY_NAME,
    GET_FAMILY,
    GROUP_ID,
    GROUP_NAME,
    GROUPS,
    HEADER_BYTES,
    NETLINK_GENERIC,
)
from l2tpv3.linux.netlink.message import attributes, text_of, unsigned
from l2tpv3.linux.netlink.multicast import Listener
from l2tpv3.linux.netlink.sock import NetlinkSocket

_CTRL_VERSION: Final = 2

Groups = dict[tuple[str, str], int]
"""(family, group) → the group's number."""


class L2tpListener:
    """Whether the kernel had something to say about L2TP. Close it. Raises OSError."""

    def __init__(self) -> None:
        groups = _groups()
        self._listener = Listener(NETLINK_GENERIC, None, tuple(groups[key] for key in _WANTED if key in groups))
        self._joined = ("l2tp", "l2tp") in groups

    def fileno(self) -> int:
        """The file descriptor to poll."""
        return self._listener.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._listener.close()

    def read(self) -> bool:
        """Whether anything that came is about L2TP. Raises Overrun."""
        about = False
        for heard in self._listener.read():
            if heard.kind != CONTROL:
                about = True
            elif not self._joined:
                group = _groups().get(("l2tp", "l2tp"))
                if group is not None:
                    self._listener.join(group)
                    self._joined = about = True
        return about


_WANTED: Final = (("nlctrl", "notify"), ("l2tp", "l2tp"))


def _groups() -> Groups:
    """The groups of all families that there are. By a dump: asking for one by its name makes the kernel load it."""
    found: Groups = {}
    with NetlinkSocket(NETLINK_GENERIC, None, HEADER_BYTES) as netlink:
        answer = netlink.dump(CONTROL, bytes((GET_FAMILY, _CTRL_VERSION, 0, 0)))
    for datagram, spans in answer.datagrams:
        for offset, end in spans:
            family = attributes(datagram, offset, end)
            if FAMILY_NAME not in family or GROUPS not in family:
                continue
            name = text_of(datagram, family[FAMILY_NAME])
            for start, stop in attributes(datagram, *family[GROUPS]).values():
                group = attributes(datagram, start, stop)
                if GROUP_NAME in group:
                    found[name, text_of(datagram, group[GROUP_NAME])] = unsigned(datagram, group.get(GROUP_ID))
    return found
