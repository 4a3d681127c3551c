"""Control messages and AVPs: a table of (bytes, object) read both ways, what must be refused, hypothesis.

control_cases.py says where the bytes come from.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.wire import avp, control, errors
from l2tpv3.wire.avp import AVP
from l2tpv3.wire.control import ControlMessage
from l2tpv3.wire.registry import ATTRIBUTE_NAMES, MESSAGE_NAMES, Attribute, MessageType
from tests.properties import MANY
from tests.wire.control_cases import HELLO, TABLE


@pytest.mark.parametrize(("text", "message"), TABLE)
@pytest.mark.parametrize("encap", ["udp", "ip"])
def test_both_ways(text: str, message: ControlMessage, encap: str) -> None:
    payload = (bytes(4) if encap == "ip" else b"") + bytes.fromhex(text)
    assert control.decode(payload, encap) == message
    assert control.decode(memoryview(payload), encap) == message
    assert control.encode(message, encap) == payload


def test_hello_is_twenty_bytes_over_udp() -> None:
    assert len(control.encode(control.hello(1, 0, 0))) == 20
    assert control.hello(1, 0, 0).message_type == MessageType.HELLO
    assert ControlMessage(1, 0, 0).message_type is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", errors.Truncated),
        ("c803 0014 01020304 0005", errors.Truncated),  # ends in the header
        ("c802 0014 01020304 0005 ffff 8008 0000 0000 0006", errors.BadVersion),  # L2TPv2
        ("4803 0014 01020304 0005 ffff 8008 0000 0000 0006", errors.WrongKind),  # T clear: data
        ("8803 0014 01020304 0005 ffff 8008 0000 0000 0006", errors.BadHeader),  # L clear
        ("c003 0014 01020304 0005 ffff 8008 0000 0000 0006", errors.BadHeader),  # S clear
        ("c803 000b 01020304 0005 ffff", errors.BadHeader),  # shorter than itself
        ("c803 0000 01020304 0005 ffff", errors.BadHeader),
        ("c803 0015 01020304 0005 ffff 8008 0000 0000 0006", errors.Truncated),  # promises one more byte
        ("c803 0013 01020304 0005 ffff 8008 0000 0000 0006", errors.BadAVP),  # cuts the AVP
        ("c803 0014 01020304 0005 ffff 8008 0000 0007 0006", errors.BadAVP),  # first is no Message Type
        ("c803 0014 01020304 0005 ffff c008 0000 0000 0006", errors.BadAVP),  # a hidden one
        ("c803 0013 01020304 0005 ffff 8007 0000 0000 06", errors.BadAVP),  # of one byte
    ],
)
def test_the_peers_fault(text: str, error: type[errors.DecodeError]) -> None:
    with pytest.raises(error):
        control.decode(bytes.fromhex(text))


def test_data_over_ip_is_not_control() -> None:
    with pytest.raises(errors.WrongKind):
        control.decode(bytes.fromhex("00000001") + bytes.fromhex(HELLO), "ip")
    with pytest.raises(errors.Truncated):
        control.decode(b"\0\0\0", "ip")


def test_reserved_bits_and_what_follows_the_length_are_ignored() -> None:
    payload = bytearray.fromhex(HELLO) + b"trailing"
    payload[0:2] = b"\xff\xf3"
    payload[12] |= 0x3C  # the AVP's reserved bits
    assert control.decode(payload) == control.hello(0x01020304, 5, 0xFFFF)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (ControlMessage(1 << 32, 0, 0), "ccid 4294967296"),
        (ControlMessage(0, -1, 0), "ns -1"),
        (ControlMessage(0, 0, 65536), "nr 65536"),
        (ControlMessage(0, 0, 0, (avp.make(Attribute.HOST_NAME, "x"),)), "must be the Message Type"),
        (ControlMessage(0, 0, 0, (AVP(0, b"\0\6"), *[AVP(7, bytes(1017))] * 65)), "ends at 65535"),
        (ControlMessage(0, 0, 0, (AVP(0, bytes(1018)),)), "at most 1017"),
        (ControlMessage(0, 0, 0, (AVP(0, vendor_id=65536),)), "0 to 65535"),
    ],
)
def test_the_callers_fault(message: ControlMessage, said: str) -> None:
    with pytest.raises(errors.EncodeError, match=said):
        control.encode(message)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8008 0000 0000 0006", 6),
        ("800b 0000 0007 736974652d", "site-"),
        ("8007 0000 0008 ff", "�"),
        ("800a 0000 003e 0004 0005", (4, 5)),
        ("8006 0000 003e", ()),
        ("000e 0000 004a 00000002540be400", 10_000_000_000),
        ("000a 0000 0041 01020304", bytes([1, 2, 3, 4])),
        ("8006 0000 0041", b""),  # a cookie of length 0 is allowed (RFC 3931 s. 5.4.4)
        ("c00a 0000 003f 01020304", bytes([1, 2, 3, 4])),  # hidden: opaque
        ("000a 0009 003f 01020304", bytes([1, 2, 3, 4])),  # a vendor's own
        ("000a 0000 ffff 01020304", bytes([1, 2, 3, 4])),
    ],
)
def test_typed_values(text: str, value: avp.Value) -> None:
    (decoded,) = avp.decode_avps(bytes.fromhex(text))
    assert avp.read(decoded) == value


@pytest.mark.parametrize(
    "text",
    [
        "8009 0000 0000 000006",
        "800a 0000 004a 3b9aca00",  # Rx/Tx Connect Speed of 4 bytes: the example in RFC 3931 s. 7.1
        "8009 0000 003e 000400",
    ],
)
def test_a_value_of_the_wrong_size(text: str) -> None:
    (decoded,) = avp.decode_avps(bytes.fromhex(text))
    with pytest.raises(errors.BadAVP, match=decoded.name):
        avp.read(decoded)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Attribute.MESSAGE_TYPE, 65536),
        (Attribute.MESSAGE_TYPE, -1),
        (Attribute.MESSAGE_TYPE, "HELLO"),
        (Attribute.HOST_NAME, b"bytes"),
        (Attribute.PSEUDOWIRE_CAPABILITIES, (5, 65536)),
        (Attribute.ASSIGNED_COOKIE, 12),
    ],
)
def test_make_refuses_another_kind(attribute: Attribute, value: avp.Value) -> None:
    with pytest.raises(errors.EncodeError, match=ATTRIBUTE_NAMES[attribute]):
        avp.make(attribute, value)


def test_names() -> None:
    assert len(ATTRIBUTE_NAMES) == 103
    assert ATTRIBUTE_NAMES[Attribute.PSEUDOWIRE_CAPABILITIES] == "Pseudowire Capabilities List"
    assert ATTRIBUTE_NAMES[Attribute.RX_CONNECT_SPEED] == "Rx Connect Speed"
    assert ATTRIBUTE_NAMES[102] == "S-BFD Target Discriminator ID"
    assert {m.value for m in MessageType} <= MESSAGE_NAMES.keys()
    assert AVP(7).name == "Host Name"
    assert AVP(7, vendor_id=9).name == "vendor 9 attribute 7"


avps = st.builds(
    AVP,
    attribute=st.integers(0, 65535),
    value=st.binary(max_size=60) | st.binary(min_size=1000, max_size=1017),
    vendor_id=st.integers(0, 65535),
    mandatory=st.booleans(),
    hidden=st.booleans(),
)


@MANY
@given(st.lists(avps, max_size=8))
def test_avps_round_trip(items: list[AVP]) -> None:
    assert avp.decode_avps(b"".join(item.encode() for item in items)) == items


@MANY
@given(
    ccid=st.integers(0, 0xFFFFFFFF),
    ns=st.integers(0, 0xFFFF),
    nr=st.integers(0, 0xFFFF),
    kind=st.binary(min_size=2, max_size=2),
    rest=st.lists(avps, max_size=5),
    encap=st.sampled_from(["udp", "ip"]),
)
def test_messages_round_trip(ccid: int, ns: int, nr: int, kind: bytes, rest: list[AVP], encap: str) -> None:
    message = ControlMessage(ccid, ns, nr, (AVP(0, kind), *rest))
    assert control.decode(control.encode(message, encap), encap) == message


@MANY
@given(st.binary(max_size=80), st.sampled_from(["udp", "ip"]))
def test_any_bytes_give_a_message_or_a_decode_error(payload: bytes, encap: str) -> None:
    try:
        message = control.decode(payload, encap)
    except errors.DecodeError:
        return
    assert control.decode(control.encode(message, encap), encap) == message
