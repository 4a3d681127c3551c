"""Control messages: header and AVPs, over UDP and over IP (RFC 3931 s. 3.2.1, 4.1.1.2), and HELLO (s. 6.5).

    over UDP:             T L x x S x x x x x x x version (2) | length (2) | control connection id (4) | Ns (2) | Nr (2)
    over IP:   zero (4) | the same; the zero session id says "control" and is not in the length

T, L and S must be set, version is 3, the x bits are ignored. Length counts from the T bit to the end of the last AVP.
No AVP at all is a zero-length-body acknowledgement. This is a codec only: this project's tunnels are static and have
no control connection.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from l2tpv3.value_class import value_class
from l2tpv3.wire.avp import AVP, decode_avps, make
from l2tpv3.wire.data import T_BIT, VERSION, VERSION_MASK, Buffer
from l2tpv3.wire.errors import BadAVP, BadHeader, BadVersion, EncodeError, Truncated, WrongKind
from l2tpv3.wire.registry import Attribute, MessageType

L_BIT: Final = 0x4000
S_BIT: Final = 0x0800
CONTROL_FLAGS: Final = T_BIT | L_BIT | S_BIT
CONTROL_HEADER: Final = Struct("!HHIHH")
"""Flags and version, length, control connection id, Ns, Nr: 12 bytes, after the zero session id over IP."""
ZERO_SESSION: Final = bytes(4)


@value_class(frozen=True, slots=True)
class ControlMessage:
    """A control message. `ccid` is the receiver's control connection id (0 in an SCCRQ); `ns`, `nr` are modulo 2^16."""

    ccid: int
    ns: int
    nr: int
    avps: tuple[AVP, ...] = ()

    @property
    def message_type(self) -> int | None:
        """The Message Type (RFC 3931 s. 5.4.1), or None for a zero-length body or a vendor's own message."""
        if not self.avps or self.avps[0].vendor_id:
            return None
        return int.from_bytes(self.avps[0].value, "big")


def hello(ccid: int, ns: int, nr: int) -> ControlMessage:
    """Give a HELLO: 20 bytes over UDP, 24 over IP. Raises EncodeError for a number that does not fit its field."""
    return ControlMessage(ccid, ns, nr, (make(Attribute.MESSAGE_TYPE, MessageType.HELLO),))


def encode(message: ControlMessage, encap: str = "udp") -> bytes:
    """Give the payload for encapsulation "udp" or "ip".

    Raises EncodeError when a number does not fit, the AVPs are too long together, or there are some and the first is
    not a Message Type, since no receiver would take that.
    """
    if encap not in ("udp", "ip"):
        raise EncodeError(f"encap {encap!r}: say 'udp' or 'ip'")
    for what, number, bits in (("ccid", message.ccid, 32), ("ns", message.ns, 16), ("nr", message.nr, 16)):
        if not 0 <= number < 1 << bits:
            raise EncodeError(f"{what} {number}: must be 0 to {(1 << bits) - 1}")
    if message.avps and message.avps[0].attribute != Attribute.MESSAGE_TYPE:
        raise EncodeError(f"the first AVP is {message.avps[0].name}: it must be the Message Type")
    body = b"".join(avp.encode() for avp in message.avps)
    length = CONTROL_HEADER.size + len(body)
    if length > 0xFFFF:
        raise EncodeError(f"control message of {length} bytes: the length field ends at 65535")
    header = CONTROL_HEADER.pack(CONTROL_FLAGS | VERSION, length, message.ccid, message.ns, message.nr)
    return (ZERO_SESSION if encap == "ip" else b"") + header + body


def decode(payload: Buffer, encap: str = "udp") -> ControlMessage:
    """Take a received payload apart; what follows the length that the header gives is ignored.

    Raises Truncated, BadVersion, WrongKind (data), BadHeader (L or S clear, or an impossible length) or BadAVP.
    """
    if encap not in ("udp", "ip"):
        raise EncodeError(f"encap {encap!r}: say 'udp' or 'ip'")
    start = 0
    if encap == "ip":
        if len(payload) < 4:
            raise Truncated(f"payload of {len(payload)} bytes ends before the session id")
        if payload[:4] != ZERO_SESSION:
            raise WrongKind("session id is not 0: this is data, not a control message")
        start = 4
    available = len(payload) - start
    if available < CONTROL_HEADER.size:
        raise Truncated(f"{available} bytes are too few for a control message's {CONTROL_HEADER.size}-byte header")
    flags, length, ccid, ns, nr = CONTROL_HEADER.unpack_from(payload, start)
    _check_header(flags, length, available)
    avps = decode_avps(memoryview(payload)[start + CONTROL_HEADER.size : start + length])
    if avps and (avps[0].attribute != Attribute.MESSAGE_TYPE or avps[0].hidden or len(avps[0].value) != 2):
        raise BadAVP(f"the first AVP is {avps[0]!r}: it must be a Message Type of 2 bytes, not hidden")
    return ControlMessage(ccid, ns, nr, tuple(avps))


def _check_header(flags: int, length: int, available: int) -> None:
    if flags & VERSION_MASK != VERSION:  # first: the other bits mean something else in L2TPv2 (RFC 3931 s. 4.1.2.1)
        raise BadVersion(f"version {flags & VERSION_MASK}, not 3")
    if not flags & T_BIT:
        raise WrongKind("the T bit is clear: this is data, not a control message")
    if flags & CONTROL_FLAGS != CONTROL_FLAGS:
        raise BadHeader(f"flags {flags:#06x}: L and S must be set in a control message")
    if length < CONTROL_HEADER.size:
        raise BadHeader(f"length {length} is less than the header's own {CONTROL_HEADER.size} bytes")
    if length > available:
        raise Truncated(f"length {length}, but only {available} bytes arrived")
