"""Bytes on the wire to values and back: no socket, no clock, no file (RFC 3931, RFC 4719).

    data             data packets: Framing, encode, decode; classify_*, SendHeader, ReceiveHeader for a datapath's loop
    sequence         ReceiveSequence: what to deliver, hold, give up, discard; time is an argument
    control, avp     control messages, HELLO, attribute-value pairs
    registry         message, attribute and pseudowire numbers and names
    errors           EncodeError (the caller's fault), DecodeError (the peer's)
    scapy_l2tpv3     scapy layers for all of it, scapy_avps the AVPs: import them by name, they need scapy

The names that nearly every user of this room wants are here too; `control.encode` and the like stay with their modules.
"""

from __future__ import annotations

from l2tpv3.wire.data import DataPacket, Framing, ReceiveHeader, SendHeader, decode, encode
from l2tpv3.wire.errors import DecodeError, EncodeError, WireError

__all__ = [
    "DataPacket",
    "DecodeError",
    "EncodeError",
    "Framing",
    "ReceiveHeader",
    "SendHeader",
    "WireError",
    "decode",
    "encode",
]
