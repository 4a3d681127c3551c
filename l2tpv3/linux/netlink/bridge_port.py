"""How a netdev is a port of a bridge: its settings and VLANs, read and set.

Numbers from linux/if_link.h and if_bridge.h.
"""

from __future__ import annotations

import socket
from struct import Struct
from typing import Any, Final, NamedTuple

from l2tpv3.linux.netlink.message import NLA_F_NESTED, attribute, attributes, text_of, u32, zero_terminated
from l2tpv3.linux.netlink.rtnetlink import LINK_HEADER, RouteSocket

_LINK, _VLAN = Struct("=BxHiII"), Struct("=HH")  # struct ifinfomsg, struct bridge_vlan_info
_NEW_LINK, _DEL_LINK, _GET_LINK, _SET_LINK = 16, 17, 18, 19
_LINKINFO, _AF_SPEC, _EXT_MASK = 18, 26, 29  # IFLA_*
_SLAVE_KIND, _SLAVE_DATA = 4, 5  # IFLA_INFO_*
_BRIDGE: Final = "bridge"
_ONLY_VLANS: Final = 1 << 1  # RTEXT_FILTER_BRVLAN
_VLAN_INFO: Final = 2  # IFLA_BRIDGE_VLAN_INFO
_PVID_OR_UNTAGGED: Final = 0x02 | 0x04
_SETTABLE: Final = frozenset(
    {
        *(
            2,
            3,
            4,
            5,
            6,
            7,
            8,
            9,
            10,
            12,
        ),  # priority, cost, hairpin, guard, root block, fast leave, learning, flood, ARP
        *(
            25,
            27,
            28,
            29,
            30,
            31,
            32,
            33,
            39,
        ),  # multicast, VLAN tunnel, broadcast, groups, suppression, isolated, locked
    }
)


class Port(NamedTuple):
    """settings: IFLA_BRPORT_* by number. vlans: the numbers, with BRIDGE_VLAN_INFO_* flags."""

    settings: dict[int, bytes]
    vlans: dict[int, int]

    def to_words(self) -> dict[str, Any]:
        """JSON-ready; from_words takes it back."""
        settings = {str(key): value.hex() for key, value in self.settings.items()}
        return {"settings": settings, "vlans": {str(key): value for key, value in self.vlans.items()}}

    @classmethod
    def from_words(cls, words: dict[str, Any]) -> Port:
        """The inverse of to_words. Raises what its steps raise for something else: TypeError, ValueError, KeyError."""
        settings = {int(key): bytes.fromhex(value) for key, value in words["settings"].items()}
        return cls(settings, {int(key): int(value) for key, value in words["vlans"].items()})


def read(route: RouteSocket, index: int, numbers: dict[int, dict[int, int]]) -> Port | None:
    """How the netdev is a port; None if of no bridge. numbers: of VLANs, see `vlans`. Raises OSError."""
    answer = route.request(_GET_LINK, _LINK.pack(0, 0, index, 0, 0))
    for datagram, spans in answer.datagrams:
        for begin, end in spans:
            info = attributes(datagram, begin, end).get(_LINKINFO)
            slave = attributes(datagram, *info) if info is not None else {}
            if _SLAVE_DATA in slave and text_of(datagram, slave[_SLAVE_KIND]) == _BRIDGE:
                found = attributes(datagram, *slave[_SLAVE_DATA])
                settings = {key: datagram[slice(*span)] for key, span in found.items() if key in _SETTABLE}
                return Port(settings, numbers.get(index, {}))
    return None


def vlans(route: RouteSocket) -> dict[int, dict[int, int]]:
    """The VLANs of all ports of bridges, by the ports' indices, with BRIDGE_VLAN_INFO_* flags. Raises OSError."""
    found: dict[int, dict[int, int]] = {}
    body = _LINK.pack(socket.AF_BRIDGE, 0, 0, 0, 0) + attribute(_EXT_MASK, u32(_ONLY_VLANS))
    for datagram, spans in route.dump(_GET_LINK, body).datagrams:
        for begin, end in spans:
            index = _LINK.unpack_from(datagram, begin - LINK_HEADER)[2]
            span = attributes(datagram, begin, end).get(_AF_SPEC)
            at, stop = span if span is not None else (0, 0)
            while at + 4 <= stop:  # one attribute for each, all of one number
                length, kind = _VLAN.unpack_from(datagram, at)
                if length < 4:
                    break
                if kind & 0x3FFF == _VLAN_INFO:
                    flags, number = _VLAN.unpack_from(datagram, at + 4)
                    found.setdefault(index, {})[number] = flags & _PVID_OR_UNTAGGED
                at += (length + 3) & ~3
    return found


def set_port(route: RouteSocket, index: int, wanted: Port) -> None:
    """Give a port of a bridge those settings and VLANs, touching only what differs. Raises OSError."""
    present = read(route, index, vlans(route))
    if present is None:
        return
    differing = {key: value for key, value in wanted.settings.items() if present.settings.get(key) != value}
    if differing:
        data = b"".join(attribute(key, value) for key, value in differing.items())
        info = attribute(_SLAVE_KIND, zero_terminated(_BRIDGE)) + attribute(_SLAVE_DATA | NLA_F_NESTED, data)
        body = _LINK.pack(0, 0, index, 0, 0) + attribute(_LINKINFO | NLA_F_NESTED, info)
        route.request(_NEW_LINK, body)
    for number, flags in wanted.vlans.items():
        if present.vlans.get(number) != flags:
            route.request(_SET_LINK, _vlan(index, flags, number))
    for number in present.vlans.keys() - wanted.vlans.keys():
        route.request(_DEL_LINK, _vlan(index, 0, number))


def _vlan(index: int, flags: int, number: int) -> bytes:
    spec = attribute(_VLAN_INFO, _VLAN.pack(flags, number))
    return _LINK.pack(socket.AF_BRIDGE, 0, index, 0, 0) + attribute(_AF_SPEC | NLA_F_NESTED, spec)
