"""The wire library's errors: whose fault is it?

    WireError                     anything below
    ├── EncodeError               ours: the caller asked for something that cannot be put on the wire
    └── DecodeError               the peer's: bytes that are not what they should be
        ├── Truncated             fewer bytes than the header, the length field or the AVP says
        ├── BadVersion            the version nibble is not 3 (RFC 3931 s. 3.2.1, 4.1.2.1)
        ├── WrongKind             a control message where data was expected, or the reverse
        ├── SessionZero           a data packet for the reserved session id 0 over UDP
        ├── BadHeader             a control header without L or S, or with a length under its own
        └── BadAVP                an AVP whose length field or place is impossible

Both halves are ValueErrors too. The datapath's hot path raises none of these: see l2tpv3.wire.data.classify_udp.
"""

from __future__ import annotations


class WireError(Exception):
    """Base of every error that l2tpv3.wire raises."""


class EncodeError(WireError, ValueError):
    """The caller's values do not fit the wire format; the message names the value and its range."""


class DecodeError(WireError, ValueError):
    """The bytes received are not well-formed; the peer's fault, to be counted and dropped."""


class Truncated(DecodeError):
    """There are fewer bytes than the header or a length field promises."""


class BadVersion(DecodeError):
    """The version nibble is not 3."""


class WrongKind(DecodeError):
    """A control message where data was expected, or data where a control message was expected."""


class SessionZero(DecodeError):
    """A data packet over UDP carries session id 0, which RFC 3931 s. 4.1 reserves."""


class BadHeader(DecodeError):
    """A control message's header lacks the L or S bit, or its length is under 12 (RFC 3931 s. 3.2.1)."""


class BadAVP(DecodeError):
    """An AVP's length is under its 6-byte header or beyond the message, or a value has the wrong size."""
