"""A tunnel that carries its own packets: the route to its peer leads through one of its sessions.

Each packet then comes back as a frame, in a packet with one more header, and so on without end. So a frame in which a
packet of the tunnel is about to go out once more is dropped: directly, behind VLAN tags, or in a packet of another
tunnel whose own route leads through this one. The kernel's tunnels stop after a few rounds by themselves.
"""

from __future__ import annotations

import socket
from typing import Final

from l2tpv3.datapath.user.settings import TunnelSettings
from l2tpv3.wire.data import L2TP_IP_PROTOCOL, Buffer

_UDP: Final = 17
_ETHERNET: Final = 14
_WINDOW: Final = 320
"""Bytes at a frame's beginning that are looked at: the headers of three tunnels in one another."""
_PROTOCOL_BEFORE: Final = {socket.AF_INET: 3, socket.AF_INET6: 2}
"""How many bytes before the source address an IP header says what is in it."""


class OwnPackets:
    """The addresses and numbers by which packets that a tunnel sent are recognised."""

    def __init__(self, tunnel: TunnelSettings) -> None:
        family = socket.AF_INET6 if ":" in tunnel.remote else socket.AF_INET
        ends = b"".join(socket.inet_pton(family, text.partition("%")[0]) for text in (tunnel.local, tunnel.remote))
        udp = tunnel.encap == "udp"
        ports = tunnel.local_port.to_bytes(2, "big") + tunnel.remote_port.to_bytes(2, "big") if udp else b""
        self._pattern = ends + ports
        self._protocol = _UDP if udp else L2TP_IP_PROTOCOL
        self._before = _PROTOCOL_BEFORE[family]

    def are_in(self, frame: Buffer) -> bool:
        """Whether an ethernet frame is, or holds in its first bytes, such a packet."""
        head = bytes(frame[_ETHERNET:_WINDOW])
        at = head.find(self._pattern)
        return at >= self._before and head[at - self._before] == self._protocol
