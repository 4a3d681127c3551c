"""The kernel's L2TP notifications: group `l2tp` of the family `l2tp` (l2tp_tunnel_notify() in net/l2tp/l2tp_netlink.c).

They reach all network namespaces (genlmsg_multicast_allns()), so one socket hears of every tunnel. The family is absent
until its module is loaded, and this loads none: it hears of that, too, by the group `notify` of `nlctrl`.
"""

from __future__ import annotations

from typing import Final

from l2tpv3.linux.netlink.message import attributes, text_of, unsigned
from l2tpv3.linux.netlink.multicast import Listener
from l2tpv3.linux.netlink.sock import NetlinkSocket

_GENERIC: Final = 16  # NETLINK_GENERIC
_CTRL: Final = 16  # GENL_ID_CTRL
_GETFAMILY: Final = 3
_CTRL_VERSION: Final = 2
_FAMILY_ID, _FAMILY_NAME, _GROUPS, _GROUP_NAME, _GROUP_ID = 1, 2, 7, 1, 2  # CTRL_ATTR_*, linux/genetlink.h
_GENL_HEADER: Final = 4

Groups = dict[tuple[str, str], int]
"""(family, group) → the group's number."""


class L2tpListener:
    """Whether the kernel had something to say about L2TP. Close it. Raises OSError."""

    def __init__(self) -> None:
        groups = _groups()
        self._listener = Listener(_GENERIC, None, tuple(groups[key] for key in _WANTED if key in groups))
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
            if heard.kind != _CTRL:
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
    with NetlinkSocket(_GENERIC, None, _GENL_HEADER) as netlink:
        answer = netlink.dump(_CTRL, bytes((_GETFAMILY, _CTRL_VERSION, 0, 0)))
    for datagram, spans in answer.datagrams:
        for offset, end in spans:
            family = attributes(datagram, offset, end)
            if _FAMILY_NAME not in family or _GROUPS not in family:
                continue
            name = text_of(datagram, family[_FAMILY_NAME])
            for start, stop in attributes(datagram, *family[_GROUPS]).values():
                group = attributes(datagram, start, stop)
                if _GROUP_NAME in group:
                    found[name, text_of(datagram, group[_GROUP_NAME])] = unsigned(datagram, group.get(_GROUP_ID))
    return found
