"""Attribute-value pairs of control messages (RFC 3931 s. 5.1): bytes to AVP objects and back, and their typed values.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    |M|H| rsvd  |      length       |           vendor id           |
    |        attribute type         |        value (length - 6) ...

The length counts the 6-byte header: under 6, or more than what is left, is a BadAVP and ends the parse. (Taken at face
value, such lengths gave other implementations endless loops and heap overflows: CVE-2020-15173.) Hidden values (H,
s. 5.3) are carried as opaque bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, TypeAlias

from l2tpv3.value_class import value_class
from l2tpv3.wire.data import Buffer
from l2tpv3.wire.errors import BadAVP, EncodeError
from l2tpv3.wire.registry import ATTRIBUTE_NAMES, Attribute

M_BIT: Final = 0x8000
H_BIT: Final = 0x4000
LENGTH_MASK: Final = 0x03FF
AVP_HEADER: Final = Struct("!HHH")
MAX_VALUE_BYTES: Final = LENGTH_MASK - AVP_HEADER.size
"""The length field has 10 bits and counts the header: 1017 bytes of value."""

Value: TypeAlias = int | str | bytes | tuple[int, ...]


@value_class(frozen=True, slots=True)
class AVP:
    """One AVP. `attribute` is the attribute type under `vendor_id` (0: IETF); `value` the bytes as they are sent."""

    attribute: int
    value: bytes = b""
    vendor_id: int = 0
    mandatory: bool = True
    hidden: bool = False

    @property
    def name(self) -> str:
        """The IANA name, or numbers where there is none."""
        if self.vendor_id == 0 and self.attribute in ATTRIBUTE_NAMES:
            return ATTRIBUTE_NAMES[self.attribute]
        return f"vendor {self.vendor_id} attribute {self.attribute}"

    def encode(self) -> bytes:
        """Give the AVP's bytes. Raises EncodeError when a number does not fit its field or the value is too long."""
        if not 0 <= self.attribute <= 0xFFFF or not 0 <= self.vendor_id <= 0xFFFF:
            raise EncodeError(f"{self.name}: vendor id and attribute type must be 0 to 65535")
        if len(self.value) > MAX_VALUE_BYTES:
            raise EncodeError(f"{self.name}: value of {len(self.value)} bytes, at most {MAX_VALUE_BYTES} fit")
        flags = M_BIT * self.mandatory | H_BIT * self.hidden
        length = AVP_HEADER.size + len(self.value)
        return AVP_HEADER.pack(flags | length, self.vendor_id, self.attribute) + self.value


def decode_avps(buffer: Buffer) -> list[AVP]:
    """Take apart the AVPs that fill `buffer` exactly. Reserved bits are ignored (RFC 3931 s. 5.1).

    Each round goes forward by at least 6 bytes. Raises BadAVP on the first length that cannot be right.
    """
    avps = []
    offset, end = 0, len(buffer)
    while offset < end:
        if end - offset < AVP_HEADER.size:
            raise BadAVP(f"{end - offset} bytes left at offset {offset}: too few for an AVP's header")
        word, vendor_id, attribute = AVP_HEADER.unpack_from(buffer, offset)
        length = word & LENGTH_MASK
        if not AVP_HEADER.size <= length <= end - offset:
            raise BadAVP(f"AVP at offset {offset} says it has {length} bytes; {end - offset} are left, 6 is the least")
        value = bytes(buffer[offset + AVP_HEADER.size : offset + length])
        avps.append(AVP(attribute, value, vendor_id, bool(word & M_BIT), bool(word & H_BIT)))
        offset += length
    return avps


# How the value of each attribute is laid out: a size in bytes for an unsigned integer, or one of the words below.
_TEXT, _U16_LIST = "text", "u16 list"
_LAYOUTS: Final[dict[int, int | str]] = {
    Attribute.MESSAGE_TYPE: 2,
    Attribute.TIE_BREAKER: 8,
    Attribute.HOST_NAME: _TEXT,
    Attribute.VENDOR_NAME: _TEXT,
    Attribute.RECEIVE_WINDOW_SIZE: 2,
    Attribute.SERIAL_NUMBER: 4,
    Attribute.PHYSICAL_CHANNEL_ID: 4,
    Attribute.ROUTER_ID: 4,
    Attribute.ASSIGNED_CONTROL_CONNECTION_ID: 4,
    Attribute.PSEUDOWIRE_CAPABILITIES: _U16_LIST,
    Attribute.LOCAL_SESSION_ID: 4,
    Attribute.REMOTE_SESSION_ID: 4,
    Attribute.APPLICATION_CODE: 2,
    Attribute.PSEUDOWIRE_TYPE: 2,
    Attribute.L2_SPECIFIC_SUBLAYER: 2,
    Attribute.DATA_SEQUENCING: 2,
    Attribute.CIRCUIT_STATUS: 2,
    Attribute.PREFERRED_LANGUAGE: _TEXT,
    Attribute.TX_CONNECT_SPEED: 8,
    Attribute.RX_CONNECT_SPEED: 8,
}


def make(attribute: Attribute, value: Value, *, mandatory: bool = True) -> AVP:
    """Make an IETF AVP from an int, text, list of 16-bit ints or bytes, whichever the attribute holds.

    Raises EncodeError when the value is of another kind or does not fit.
    """
    layout = _LAYOUTS.get(attribute)
    if layout is None and isinstance(value, bytes):
        raw = value
    elif layout == _TEXT and isinstance(value, str):
        raw = value.encode()
    elif layout == _U16_LIST and isinstance(value, tuple) and all(0 <= item <= 0xFFFF for item in value):
        raw = b"".join(item.to_bytes(2, "big") for item in value)
    elif isinstance(layout, int) and isinstance(value, int) and 0 <= value < 1 << 8 * layout:
        raw = value.to_bytes(layout, "big")
    else:
        wanted = f"an integer of {layout} bytes" if isinstance(layout, int) else layout or "bytes"
        raise EncodeError(f"{ATTRIBUTE_NAMES[attribute]}: {value!r} is not {wanted}")
    return AVP(attribute, raw, mandatory=mandatory)


def read(avp: AVP) -> Value:
    """Give an AVP's value as int, text, tuple of ints or bytes: the opposite of `make`.

    Unknown, vendor-specific and hidden AVPs give their bytes; text that is not UTF-8 comes with replacement characters.
    Raises BadAVP when the value's size is wrong for the attribute: whether that matters is the caller's to decide, from
    the M bit (RFC 3931 s. 7.1).
    """
    layout = None if avp.vendor_id or avp.hidden else _LAYOUTS.get(avp.attribute)
    if layout is None:
        return avp.value
    if layout == _TEXT:
        return avp.value.decode(errors="replace")
    if layout == _U16_LIST:
        if len(avp.value) % 2:
            raise BadAVP(f"{avp.name}: {len(avp.value)} bytes is no list of 16-bit values")
        return tuple(int.from_bytes(avp.value[at : at + 2], "big") for at in range(0, len(avp.value), 2))
    if len(avp.value) != layout:
        raise BadAVP(f"{avp.name}: {len(avp.value)} bytes where {layout} belong")
    return int.from_bytes(avp.value, "big")
