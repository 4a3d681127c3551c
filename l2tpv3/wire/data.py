"""L2TPv3 data packets: header, cookie, default sublayer, ethernet inside (RFC 3931 s. 4.1.1.1, 4.1.2.1, 4.6; RFC 4719).

    over UDP:   T=0, version 3 (2) | reserved (2) | session id (4) | cookie (0, 4, 8) | [sublayer (4)] | ethernet frame
    over IP:                                        session id (4) | cookie (0, 4, 8) | [sublayer (4)] | ethernet frame

Everything is big-endian. "Payload" below is what follows the UDP or IP header. The session id is the receiver's.

Tools and tests call `encode` and `decode`, which check everything and raise `EncodeError` (the caller's fault) or
`DecodeError` (the peer's).

A datapath's receive path uses these, which neither raise nor build anything but ints:

    code = classify_udp(buffer, length)             # or classify_ip; once per packet
    if code <= 0: counters[code] += 1; drop         # CONTROL, SESSION_ZERO, SHORT, BAD_VERSION
    session = sessions.get(code)                    # code is the session id
    start = session.receive_header.check(buffer, length)
    if start < 0: counters[start] += 1; drop        # BAD_COOKIE, SHORT
    frame = view[start:length]
    ns = read_sequence(buffer, start - 4)           # only with a sublayer; -1: unsequenced

and its send path writes `SendHeader.prefix` (constant per session) in front of the frame, or once into each slot of a
ring. With sequencing the last 4 bytes of the prefix are `SUBLAYER.pack(S_BIT | ns)` instead; `SendHeader.sequenced(ns)`
gives the whole header, and `SUBLAYER.pack_into(slot, framing.sublayer_offset, S_BIT | ns)` rewrites it in place.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, TypeAlias

from l2tpv3.value_class import value_class
from l2tpv3.wire.errors import BadVersion, EncodeError, SessionZero, Truncated, WrongKind

Buffer: TypeAlias = bytes | bytearray | memoryview

L2TP_PORT: Final = 1701
L2TP_IP_PROTOCOL: Final = 115
VERSION: Final = 3

T_BIT: Final = 0x8000
"""The bit of a control message, in the first 16 bits over UDP (T; RFC 3931 section 4.1.2.1)."""
VERSION_MASK: Final = 0x000F
V_BIT: Final = 0x80000000
"""The bit in the default sublayer of a packet of the session's control channel (V; RFC 5085 section 6); see vccv.py."""
S_BIT: Final = 0x40000000
"""The bit in the default sublayer that says that the sequence number is valid (S; RFC 3931 section 4.6)."""
B_BIT: Final = 0x20000000
E_BIT: Final = 0x10000000
"""In the default sublayer: whether the packet has a whole frame, or which part of one (RFC 4623 s. 4.1 and 5.5)."""
WHOLE: Final = 0
FIRST: Final = E_BIT
LAST: Final = B_BIT
INTERMEDIATE: Final = B_BIT | E_BIT
"""The values of these two bits. The RFC has each bit the other way round than its name: B is 0 where a frame begins,
E where it ends, so that a packet of a sender that knows neither has a whole frame."""
SEQUENCE_MASK: Final = 0x00FFFFFF
SEQUENCE_SPACE: Final = 1 << 24
MAX_SESSION_ID: Final = 0xFFFFFFFF
COOKIE_LENGTHS: Final = (0, 4, 8)
MIN_FRAME_BYTES: Final = 14
"""An ethernet header: the shortest thing that is worth handing to a netdev (net/l2tp/l2tp_eth.c drops less too)."""

# What classify_* and ReceiveHeader.check say instead of raising. All are <= 0, so that `code > 0` is "a session id".
SESSION_ZERO: Final = 0
CONTROL: Final = -1
SHORT: Final = -2
BAD_VERSION: Final = -3
BAD_COOKIE: Final = -4
CHANNEL: Final = -5

UDP_PREFIX: Final = Struct("!HHI")
"""Flags and version, reserved, session id: the first 8 bytes over UDP."""
IP_PREFIX: Final = Struct("!I")
"""Session id: the first 4 bytes over IP."""
SUBLAYER: Final = Struct("!I")
"""The default L2-specific sublayer: S_BIT and the sequence number, or zero."""

_MASK = T_BIT | VERSION_MASK
_V_BYTE: Final = V_BIT >> 24
_unpack_udp = Struct("!H2xI").unpack_from
_unpack_u32 = Struct("!I").unpack_from


@value_class(frozen=True, slots=True)
class Framing:
    """How one direction of a session is laid out on the wire: encapsulation, cookie length in bytes, sublayer.

    encap: "udp" or "ip". cookie_length: 0, 4 or 8 bytes. sublayer: "default" or "none". (The StrEnums of model.spec
    are such strings.) Anything else raises EncodeError. Inert and hashable. A session's two directions differ when
    their cookies have different lengths.
    """

    encap: str = "udp"
    cookie_length: int = 0
    sublayer: str = "default"

    def __post_init__(self) -> None:
        if self.encap not in ("udp", "ip"):
            raise EncodeError(f"encap {self.encap!r}: say 'udp' or 'ip'")
        if self.cookie_length not in COOKIE_LENGTHS:
            raise EncodeError(f"cookie length {self.cookie_length!r}: a cookie has 0, 4 or 8 bytes")
        if self.sublayer not in ("default", "none"):
            raise EncodeError(f"sublayer {self.sublayer!r}: say 'default' or 'none'")

    @property
    def cookie_offset(self) -> int:
        """The offset of the cookie, in bytes from the start of the payload: it follows the session id."""
        return UDP_PREFIX.size if self.encap == "udp" else IP_PREFIX.size

    @property
    def sublayer_offset(self) -> int:
        """The offset of the sublayer, in bytes from the start of the payload, whether there is a sublayer or not."""
        return self.cookie_offset + self.cookie_length

    @property
    def header_length(self) -> int:
        """Bytes in front of the ethernet frame, without IP and UDP headers: 4 to 20."""
        return self.sublayer_offset + (SUBLAYER.size if self.sublayer == "default" else 0)


@value_class(frozen=True, slots=True)
class DataPacket:
    """A decoded data packet. `sequence` is None when unsequenced; `frame` is a view into the payload, not a copy."""

    session_id: int
    cookie: bytes
    sequence: int | None
    frame: memoryview


def encode_header(framing: Framing, session_id: int, cookie: bytes = b"", sequence: int | None = None) -> bytes:
    """Give the bytes in front of the ethernet frame.

    `session_id` is the receiver's (1 to 2^32 - 1), `cookie` what that receiver expects, of the framing's length.
    `sequence` (0 to 2^24 - 1) sets the S bit and needs the default sublayer. Raises EncodeError.
    """
    if not 1 <= session_id <= MAX_SESSION_ID:
        raise EncodeError(f"session id {session_id}: must be 1 to {MAX_SESSION_ID}")
    if len(cookie) != framing.cookie_length:
        raise EncodeError(f"cookie of {len(cookie)} bytes where the framing has {framing.cookie_length}")
    header = IP_PREFIX.pack(session_id) if framing.encap == "ip" else UDP_PREFIX.pack(VERSION, 0, session_id)
    if sequence is not None and framing.sublayer == "none":
        raise EncodeError("a sequence number needs the default sublayer; this framing has none")
    if framing.sublayer == "none":
        return header + cookie
    if sequence is None:
        return header + cookie + bytes(SUBLAYER.size)
    if not 0 <= sequence < SEQUENCE_SPACE:
        raise EncodeError(f"sequence number {sequence}: must be 0 to {SEQUENCE_SPACE - 1}")
    return header + cookie + SUBLAYER.pack(S_BIT | sequence)


def encode(framing: Framing, session_id: int, frame: Buffer, cookie: bytes = b"", sequence: int | None = None) -> bytes:
    """Give a whole payload: `encode_header` and the ethernet frame (no FCS) after it. Raises EncodeError.

    A UDP datagram or IPv4 packet cannot hold more than 65535 bytes with its own headers; that the sum fits is checked
    here for the smaller of the two families' limits, so that no length field is ever truncated.
    """
    header = encode_header(framing, session_id, cookie, sequence)
    limit = max_frame_bytes(framing)
    if len(frame) > limit:
        raise EncodeError(f"frame of {len(frame)} bytes: at most {limit} fit in one packet with this framing")
    return header + frame


def max_frame_bytes(framing: Framing) -> int:
    """Give the longest ethernet frame that fits in one IPv4 packet of 65535 bytes (20-byte header, UDP's 8 with it)."""
    return 65535 - 20 - (8 if framing.encap == "udp" else 0) - framing.header_length


def decode(framing: Framing, payload: Buffer) -> DataPacket:
    """Take a received payload apart.

    Raises Truncated (shorter than the header), BadVersion, WrongKind (a control message) or SessionZero. Reserved bits
    are ignored, as RFC 3931 s. 4.1.2.1 says. The cookie is given, not judged; an empty frame is not an error here.
    """
    length = len(payload)
    code = classify_udp(payload, length) if framing.encap == "udp" else classify_ip(payload, length)
    if code <= 0:
        raise _error(code, length)
    if length < framing.header_length:
        raise Truncated(f"payload of {length} bytes is shorter than its {framing.header_length}-byte header")
    view = memoryview(payload)
    cookie = bytes(view[framing.cookie_offset : framing.sublayer_offset])
    sequence = read_sequence(view, framing.sublayer_offset) if framing.sublayer == "default" else -1
    return DataPacket(code, cookie, None if sequence < 0 else sequence, view[framing.header_length :])


def _error(code: int, length: int) -> Truncated | BadVersion | WrongKind | SessionZero:
    if code == SHORT:
        return Truncated(f"payload of {length} bytes ends before the session id")
    if code == BAD_VERSION:
        return BadVersion("the version nibble is not 3")
    if code == CONTROL:
        return WrongKind("this is a control message, not data")
    return SessionZero("session id 0 is reserved")


def classify_udp(buffer: Buffer, length: int) -> int:
    """Say what a UDP payload is: a session id (> 0), or CONTROL, SESSION_ZERO, SHORT or BAD_VERSION (<= 0).

    `buffer` may be longer than the packet; `length` is the packet's, and never more than the buffer's. Never raises.
    Reserved bits are ignored. A control message needs only its first 2 bytes to be recognised here.
    """
    if length < 8:
        return _classify_short_udp(buffer, length)
    flags, session_id = _unpack_udp(buffer)
    kind = flags & _MASK
    if kind == VERSION:
        return session_id  # type: ignore[no-any-return]  # struct is untyped; 0 is SESSION_ZERO
    return CONTROL if kind == T_BIT | VERSION else BAD_VERSION


def _classify_short_udp(buffer: Buffer, length: int) -> int:
    if length < 2:
        return SHORT
    kind = (buffer[0] << 8 | buffer[1]) & _MASK
    if kind & VERSION_MASK != VERSION:
        return BAD_VERSION
    return CONTROL if kind & T_BIT else SHORT


def classify_ip(buffer: Buffer, length: int) -> int:
    """Say what an IP payload (protocol 115) is: a session id (> 0), or CONTROL (session id 0), or SHORT.

    Same contract as classify_udp. There is no version and no SESSION_ZERO over IP (RFC 3931 s. 4.1.1.2).
    """
    if length < 4:
        return SHORT
    return _unpack_u32(buffer)[0] or CONTROL


def read_sequence(buffer: Buffer, offset: int) -> int:
    """Give the sequence number in the default sublayer at `offset`, or -1 when its S bit is clear.

    The caller has checked that 4 bytes are there (`ReceiveHeader.check` has). The other bits are reserved: ignored.
    """
    word: int = _unpack_u32(buffer, offset)[0]
    return word & SEQUENCE_MASK if word & S_BIT else -1


class SendHeader:
    """The header that is put in front of each frame of one session, computed once from checked values.

    `prefix` is the whole unsequenced header. Raises EncodeError from the constructor, as `encode_header` does.
    """

    __slots__ = ("_constant", "framing", "prefix")

    def __init__(self, framing: Framing, session_id: int, tx_cookie: bytes = b"") -> None:
        self.framing = framing
        self.prefix = encode_header(framing, session_id, tx_cookie)
        self._constant = self.prefix[: framing.sublayer_offset]

    def sequenced(self, ns: int) -> bytes:
        """Give the header with sequence number `ns` (the caller wraps it: `ns = ns + 1 & SEQUENCE_MASK`)."""
        return self._constant + SUBLAYER.pack(S_BIT | ns)


class ReceiveHeader:
    """The header that one session expects in front of a frame, computed once. `check` is for the receive path.

    `header_length`, `sublayer_offset` (-1 without a sublayer), `minimum` (the shortest payload taken) are plain ints.
    shortest: bytes behind the header that are worth taking; of a part of a frame, one is. Raises EncodeError from the
    constructor when the cookie's length is not the framing's.
    """

    __slots__ = ("_cookie", "_cookie_slice", "framing", "header_length", "minimum", "sublayer_offset")

    def __init__(self, framing: Framing, rx_cookie: bytes = b"", *, shortest: int = MIN_FRAME_BYTES) -> None:
        if len(rx_cookie) != framing.cookie_length:
            raise EncodeError(f"cookie of {len(rx_cookie)} bytes where the framing has {framing.cookie_length}")
        self.framing = framing
        self.header_length = framing.header_length
        self.minimum = framing.header_length + shortest
        self.sublayer_offset = framing.sublayer_offset if framing.sublayer == "default" else -1
        self._cookie = rx_cookie
        self._cookie_slice = slice(framing.cookie_offset, framing.sublayer_offset)

    def differs_in_cookie(self, other: ReceiveHeader) -> bool:
        """Whether another header is the same but for the cookie, where both have one."""
        return self.framing == other.framing and bool(self._cookie) and self._cookie != other._cookie

    def check(self, buffer: Buffer, length: int) -> int:
        """Give the offset of the ethernet frame, or SHORT or BAD_COOKIE (< 0). Never raises; see classify_udp.

        SHORT covers a frame without a whole ethernet header. Length goes first: a cut cookie is no wrong cookie.
        """
        if length < self.minimum:
            return SHORT
        if self._cookie and buffer[self._cookie_slice] != self._cookie:
            return BAD_COOKIE
        return self.header_length


class ChannelHeader(ReceiveHeader):
    """The header that a session with a control channel expects. It has the default sublayer."""

    __slots__ = ()

    def check(self, buffer: Buffer, length: int) -> int:
        """See ReceiveHeader.check. CHANNEL: it is a packet of the control channel."""
        start = super().check(buffer, length)
        return CHANNEL if start > 0 and buffer[start - SUBLAYER.size] & _V_BYTE else start
