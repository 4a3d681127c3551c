"""Encodes and decodes Set-Link-Info with a Circuit Status (RFC 3931 s. 5.4.5, 6.14; RFC 4719 s. 2.3.2).

Static tunnels have no control connection that would repeat what got lost, or know whom it talks to. So whoever sends
these repeats them, and they carry what guards data as well: the session's cookie, in an Assigned Cookie AVP.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final

from l2tpv3.value_class import value_class
from l2tpv3.wire.avp import make, read
from l2tpv3.wire.control import ControlMessage, decode, encode
from l2tpv3.wire.data import Buffer
from l2tpv3.wire.errors import WireError
from l2tpv3.wire.registry import Attribute, MessageType

LONGEST: Final = 128
"""Bytes of a payload beyond which it is none of these, whatever else is in it."""
_ACTIVE: Final = 0x0001  # the A bit; N, 0x0002, is for a circuit that is new


@value_class(frozen=True, slots=True)
class CircuitStatus:
    """One message. session_id: its receiver's; peer_session_id: its sender's. cookie: that of packets on this way."""

    session_id: int
    peer_session_id: int
    active: bool
    cookie: bytes = field(default=b"", repr=False)

    def encode(self, encap: str, ccid: int, ns: int) -> bytes:
        """The payload for encapsulation "udp" or "ip". ccid: the receiver's tunnel id; ns: modulo 2^16.

        Raises EncodeError for a number that does not fit its field.
        """
        avps = [
            make(Attribute.MESSAGE_TYPE, MessageType.SLI),
            make(Attribute.LOCAL_SESSION_ID, self.peer_session_id),
            make(Attribute.REMOTE_SESSION_ID, self.session_id),
            make(Attribute.CIRCUIT_STATUS, _ACTIVE if self.active else 0),
        ]
        if self.cookie:
            avps.append(make(Attribute.ASSIGNED_COOKIE, self.cookie, mandatory=False))
        return encode(ControlMessage(ccid, ns & 0xFFFF, 0, tuple(avps)), encap)


def read_circuit_status(payload: Buffer, encap: str) -> CircuitStatus | None:
    """Take a control message apart; None for any that is no such, or is malformed. Never raises."""
    if len(payload) > LONGEST:
        return None
    try:
        message = decode(payload, encap)
        if message.message_type != MessageType.SLI:
            return None
        values = {one.attribute: read(one) for one in message.avps if not one.vendor_id and not one.hidden}
    except WireError:
        return None
    ours, theirs = values.get(Attribute.REMOTE_SESSION_ID), values.get(Attribute.LOCAL_SESSION_ID)
    status, cookie = values.get(Attribute.CIRCUIT_STATUS), values.get(Attribute.ASSIGNED_COOKIE, b"")
    if not (isinstance(ours, int) and isinstance(theirs, int) and isinstance(status, int)):
        return None
    assert isinstance(cookie, bytes)
    return CircuitStatus(ours, theirs, bool(status & _ACTIVE), cookie)
