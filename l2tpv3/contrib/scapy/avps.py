# scapy.contrib.description = L2TPv3 attribute-value pairs
# scapy.contrib.status = library
# SPDX-License-Identifier: MIT

"""L2TPv3 AVPs (RFC 3931 s. 5) as scapy packets: a general one, and typed ones for the attributes that are met.

Every AVP begins with the same six fields:

    =========  ====  ===========================================================
    field      bits  meaning
    =========  ====  ===========================================================
    M          1     a receiver that does not know it must give up
    H          1     the value is hidden (s. 5.3): dissected as L2TPv3AVP
    reserved   4     0, ignored on receipt
    length     10    of the whole AVP, 6 or more; computed when None
    vendor_id  16    0: IETF
    attribute  16    attribute type
    =========  ====  ===========================================================

Dissecting goes by vendor 0 and the attribute type; an AVP whose value has not the size that its type demands, or that
is hidden or unknown, stays an L2TPv3AVP with a `value` of bytes. After a length under 6 the message's rest is Raw.
"""

from __future__ import annotations

from typing import Any, ClassVar

from scapy.config import conf
from scapy.fields import (
    BitField,
    ByteEnumField,
    Field,
    FieldListField,
    IntField,
    IPField,
    LongField,
    ShortEnumField,
    ShortField,
    StrLenField,
)
from scapy.packet import Packet

from l2tpv3.wire.registry import ATTRIBUTE_NAMES, MESSAGE_NAMES, PSEUDOWIRE_NAMES

HEADER_BYTES = 6
SUBLAYER_NAMES = {0: "none", 1: "default", 2: "ATM"}
SEQUENCING_NAMES = {0: "none", 1: "non-IP", 2: "all"}


def _header(attribute: int) -> list[Field]:
    return [
        BitField("M", 1, 1),
        BitField("H", 0, 1),
        BitField("reserved", 0, 4),
        BitField("length", None, 10),
        ShortField("vendor_id", 0),
        ShortEnumField("attribute", attribute, ATTRIBUTE_NAMES),
    ]


def _rest(name: str, before: int = 0) -> StrLenField:
    """A field that takes what the AVP's length leaves after the header and `before` bytes."""
    return StrLenField(name, b"", length_from=lambda avp: max(avp.length - HEADER_BYTES - before, 0))


class _AVPBase(Packet):  # type: ignore[misc]
    """What all AVPs share: the length is computed, and nothing follows inside."""

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        if self.length is None:
            word = int.from_bytes(pkt[:2], "big") & 0xFC00 | len(pkt) & 0x03FF
            pkt = word.to_bytes(2, "big") + pkt[2:]
        return pkt + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return b"", s


class L2TPv3AVP(_AVPBase):
    """An AVP of any type (RFC 3931 section 5.1): the six fields of its header, and its value as bytes."""

    name = "L2TPv3 AVP"
    fields_desc = [*_header(0), _rest("value")]  # noqa: RUF012

    typed: ClassVar[dict[int, type[_TypedAVP]]] = {}

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *args: Any, **kargs: Any) -> type[Packet]:
        """Give the typed class for these bytes, if they fit it; Raw when no AVP can be here and none can follow."""
        if _pkt is None:
            return cls
        word, vendor = int.from_bytes(_pkt[:2], "big"), int.from_bytes(_pkt[2:4], "big")
        if len(_pkt) < HEADER_BYTES or word & 0x03FF < HEADER_BYTES:
            return conf.raw_layer  # type: ignore[no-any-return]
        typed = cls.typed.get(int.from_bytes(_pkt[4:6], "big"))
        size = min(word & 0x03FF, len(_pkt)) - HEADER_BYTES
        if typed is None or vendor or word & 0x4000 or word & 0x03FF > len(_pkt) or not typed.fits(size):
            return cls
        return typed


class _TypedAVP(_AVPBase):
    """A typed AVP: `attribute_type` and its value's fields; registers itself for dissection.

    `sizes`: the lengths of value that are right, in bytes; empty when any is.
    """

    attribute_type: ClassVar[int] = -1
    sizes: ClassVar[tuple[int, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        L2TPv3AVP.typed[cls.attribute_type] = cls

    @classmethod
    def fits(cls, size: int) -> bool:
        """Say whether a value of `size` bytes can be dissected as this type."""
        return size >= 0 and (not cls.sizes or size in cls.sizes)


class AVPMessageType(_TypedAVP):
    """Message Type: `message_type` (16 bits). First in every message."""

    name = "AVP Message Type"
    attribute_type, sizes = 0, (2,)
    fields_desc = [*_header(0), ShortEnumField("message_type", 6, MESSAGE_NAMES)]  # noqa: RUF012


class AVPResultCode(_TypedAVP):
    """Result Code: `result` (16 bits), then `error` (2 bytes of error code and text, or nothing)."""

    name = "AVP Result Code"
    attribute_type = 1
    fields_desc = [*_header(1), ShortField("result", 1), _rest("error", 2)]  # noqa: RUF012

    @classmethod
    def fits(cls, size: int) -> bool:
        return size == 2 or size >= 4


class AVPTieBreaker(_TypedAVP):
    """Tie Breaker, of a control connection or a session: `value` (64 bits)."""

    name = "AVP Tie Breaker"
    attribute_type, sizes = 5, (8,)
    fields_desc = [*_header(5), LongField("value", 0)]  # noqa: RUF012


class AVPHostName(_TypedAVP):
    """Host Name: `host_name`, text."""

    name = "AVP Host Name"
    attribute_type = 7
    fields_desc = [*_header(7), _rest("host_name")]  # noqa: RUF012


class AVPVendorName(_TypedAVP):
    """Vendor Name: `vendor_name`, text."""

    name = "AVP Vendor Name"
    attribute_type = 8
    fields_desc = [*_header(8), _rest("vendor_name")]  # noqa: RUF012


class AVPReceiveWindowSize(_TypedAVP):
    """Receive Window Size: `window` (16 bits), in control messages."""

    name = "AVP Receive Window Size"
    attribute_type, sizes = 10, (2,)
    fields_desc = [*_header(10), ShortField("window", 4)]  # noqa: RUF012


class AVPSerialNumber(_TypedAVP):
    """Serial Number of a session's request: `serial` (32 bits)."""

    name = "AVP Serial Number"
    attribute_type, sizes = 15, (4,)
    fields_desc = [*_header(15), IntField("serial", 0)]  # noqa: RUF012


class AVPRandomVector(_TypedAVP):
    """Random Vector for hidden AVPs: `vector`, bytes."""

    name = "AVP Random Vector"
    attribute_type = 36
    fields_desc = [*_header(36), _rest("vector")]  # noqa: RUF012


class AVPMessageDigest(_TypedAVP):
    """Message Digest: `digest_type` (8 bits), `digest` (16 or 20 bytes)."""

    name = "AVP Message Digest"
    attribute_type, sizes = 59, (17, 21)
    fields_desc = [  # noqa: RUF012
        *_header(59),
        ByteEnumField("digest_type", 0, {0: "HMAC-MD5", 1: "HMAC-SHA-1"}),
        _rest("digest", 1),
    ]


class AVPRouterID(_TypedAVP):
    """Router ID: `router_id` (32 bits), shown as an IPv4 address."""

    name = "AVP Router ID"
    attribute_type, sizes = 60, (4,)
    fields_desc = [*_header(60), IPField("router_id", "0.0.0.0")]  # noqa: RUF012


class AVPAssignedControlConnectionID(_TypedAVP):
    """Assigned Control Connection ID: `ccid` (32 bits), which its receiver is to send to."""

    name = "AVP Assigned Control Connection ID"
    attribute_type, sizes = 61, (4,)
    fields_desc = [*_header(61), IntField("ccid", 1)]  # noqa: RUF012


class AVPPseudowireCapabilities(_TypedAVP):
    """Pseudowire Capabilities List: `types`, 16 bits each."""

    name = "AVP Pseudowire Capabilities List"
    attribute_type = 62
    fields_desc = [  # noqa: RUF012
        *_header(62),
        FieldListField(
            "types",
            [],
            ShortEnumField("", 5, PSEUDOWIRE_NAMES),
            length_from=lambda avp: max(avp.length - HEADER_BYTES, 0),
        ),
    ]

    @classmethod
    def fits(cls, size: int) -> bool:
        return size >= 0 and size % 2 == 0


class AVPLocalSessionID(_TypedAVP):
    """Local Session ID: `session_id` (32 bits), the sender's own."""

    name = "AVP Local Session ID"
    attribute_type, sizes = 63, (4,)
    fields_desc = [*_header(63), IntField("session_id", 1)]  # noqa: RUF012


class AVPRemoteSessionID(_TypedAVP):
    """Remote Session ID: `session_id` (32 bits), the receiver's; 0 when not known yet."""

    name = "AVP Remote Session ID"
    attribute_type, sizes = 64, (4,)
    fields_desc = [*_header(64), IntField("session_id", 0)]  # noqa: RUF012


class AVPAssignedCookie(_TypedAVP):
    """Assigned Cookie: `cookie`, 0, 4 or 8 bytes that its receiver is to send."""

    name = "AVP Assigned Cookie"
    attribute_type, sizes = 65, (0, 4, 8)
    fields_desc = [*_header(65), _rest("cookie")]  # noqa: RUF012


class AVPRemoteEndID(_TypedAVP):
    """Remote End ID: `end_id`, bytes that name the circuit to join."""

    name = "AVP Remote End ID"
    attribute_type = 66
    fields_desc = [*_header(66), _rest("end_id")]  # noqa: RUF012


class AVPPseudowireType(_TypedAVP):
    """Pseudowire Type: `pseudowire` (16 bits); 5 is ethernet."""

    name = "AVP Pseudowire Type"
    attribute_type, sizes = 68, (2,)
    fields_desc = [*_header(68), ShortEnumField("pseudowire", 5, PSEUDOWIRE_NAMES)]  # noqa: RUF012


class AVPSublayer(_TypedAVP):
    """L2-Specific Sublayer: `sublayer` (16 bits) that the sender wants on what it receives."""

    name = "AVP L2-Specific Sublayer"
    attribute_type, sizes = 69, (2,)
    fields_desc = [*_header(69), ShortEnumField("sublayer", 1, SUBLAYER_NAMES)]  # noqa: RUF012


class AVPDataSequencing(_TypedAVP):
    """Data Sequencing: `level` (16 bits) that the sender wants on what it receives."""

    name = "AVP Data Sequencing"
    attribute_type, sizes = 70, (2,)
    fields_desc = [*_header(70), ShortEnumField("level", 0, SEQUENCING_NAMES)]  # noqa: RUF012


class AVPCircuitStatus(_TypedAVP):
    """Circuit Status: `N` (new) and `A` (active); the other bits of RFC 5641 are in `status`."""

    name = "AVP Circuit Status"
    attribute_type, sizes = 71, (2,)
    fields_desc = [  # noqa: RUF012
        *_header(71),
        BitField("status", 0, 14),
        BitField("N", 0, 1),
        BitField("A", 1, 1),
    ]


class AVPNonce(_TypedAVP):
    """Control Message Authentication Nonce: `nonce`, bytes."""

    name = "AVP Nonce"
    attribute_type = 73
    fields_desc = [*_header(73), _rest("nonce")]  # noqa: RUF012


class AVPTxConnectSpeed(_TypedAVP):
    """Tx Connect Speed: `speed_bps` (64 bits)."""

    name = "AVP Tx Connect Speed"
    attribute_type, sizes = 74, (8,)
    fields_desc = [*_header(74), LongField("speed_bps", 0)]  # noqa: RUF012


class AVPRxConnectSpeed(_TypedAVP):
    """Rx Connect Speed: `speed_bps` (64 bits)."""

    name = "AVP Rx Connect Speed"
    attribute_type, sizes = 75, (8,)
    fields_desc = [*_header(75), LongField("speed_bps", 0)]  # noqa: RUF012


class AVPInterfaceMTU(_TypedAVP):
    """Interface Maximum Transmission Unit (RFC 4667): `mtu` (16 bits), in bytes."""

    name = "AVP Interface MTU"
    attribute_type, sizes = 91, (2,)
    fields_desc = [*_header(91), ShortField("mtu", 1500)]  # noqa: RUF012
