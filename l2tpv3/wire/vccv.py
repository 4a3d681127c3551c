"""A session's control channel: packets beside its frames, told from them by a bit of the default sublayer.

    session id, cookie | sublayer with V set (4) | 0001, version 0 (1) | reserved (1) | channel type (2) | BFD (24)

This is VCCV, Virtual Circuit Connectivity Verification (RFC 5085 section 6), with BFD in it that has no IP and UDP
headers of its own (RFC 5885 section 3). Only two ends that both want it use it: to others the V bit is reserved, and
what follows a frame. It is one that does no harm. It has the BFD packet's multiplier where a frame has the first byte
of its source, and a bridge discards what an odd one makes of it, a multicast address.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from l2tpv3.wire.bfd import BfdPacket, read_bfd
from l2tpv3.wire.data import SUBLAYER, V_BIT, Buffer

SUBLAYER_OF_CHANNEL: Final = SUBLAYER.pack(V_BIT)
"""The sublayer of such a packet, which takes no sequence number."""

_CHANNEL = Struct("!BBH")
_FIRST: Final = 0x10
_BFD: Final = 0x0007
"""The channel type of BFD without IP and UDP headers."""
_HEADER: Final = _CHANNEL.pack(_FIRST, 0, _BFD)
PACKET_BYTES: Final = _CHANNEL.size + 24
"""Bytes behind the sublayer. With the programs of the ebpf datapath, which leave packets as short to a worker, it must
not become longer."""


def encode_channel(packet: BfdPacket) -> bytes:
    """The bytes behind the sublayer."""
    return _HEADER + packet.encode()


def read_channel(payload: Buffer) -> BfdPacket | None:
    """Take what is behind the sublayer of a packet with the V bit apart; None for anything but BFD. Never raises."""
    if len(payload) != PACKET_BYTES or payload[: _CHANNEL.size] != _HEADER:
        return None
    return read_bfd(payload[_CHANNEL.size :])
