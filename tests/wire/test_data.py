"""Data packets against bytes that the kernel and QEMU sent, both ways; then what must be refused, and hypothesis."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.wire import data, errors
from l2tpv3.wire.data import Framing, ReceiveHeader, SendHeader
from l2tpv3.wire.errors import EncodeError
from tests.properties import MANY
from tests.wire.golden_cases import GoldenPacket, golden_packets

PACKETS = golden_packets()
UDP_PLAIN = Framing("udp", 0, "none")


def classify(packet: GoldenPacket) -> int:
    function = data.classify_udp if packet.framing.encap == "udp" else data.classify_ip
    return function(packet.payload, len(packet.payload))


def test_the_golden_files_hold_every_combination() -> None:
    kernel = {(p.framing, p.family, p.sequence is None) for p in PACKETS if p.name.startswith("kernel")}
    qemu = {(p.framing, p.family) for p in PACKETS if p.name.startswith("qemu")}
    assert len(kernel) == 36
    assert len(qemu) == 24


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: p.name)
def test_decode_a_peers_packet(packet: GoldenPacket) -> None:
    decoded = data.decode(packet.framing, packet.payload)
    assert decoded.session_id == packet.session_id
    assert decoded.cookie == packet.cookie
    assert decoded.sequence == packet.sequence
    assert bytes(decoded.frame) == packet.frame


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: p.name)
def test_encode_gives_a_peers_bytes(packet: GoldenPacket) -> None:
    ours = data.encode(packet.framing, packet.session_id, packet.frame, packet.cookie, packet.sequence)
    if packet.name.startswith("qemu") and packet.framing.sublayer == "default":
        # QEMU's counter is meaningless on the wire (S is clear): ours has zero there.
        at = packet.framing.sublayer_offset
        assert packet.payload[at : at + 4] == packet.sublayer_word.to_bytes(4, "big")
        ours = ours[:at] + packet.payload[at : at + 4] + ours[at + 4 :]
    assert ours == packet.payload


@pytest.mark.parametrize("packet", PACKETS, ids=lambda p: p.name)
def test_the_hot_path_reads_a_peers_packet(packet: GoldenPacket) -> None:
    payload, length = packet.payload + b"left over from a longer packet", len(packet.payload)
    function = data.classify_udp if packet.framing.encap == "udp" else data.classify_ip
    assert function(payload, length) == packet.session_id
    header = ReceiveHeader(packet.framing, packet.cookie)
    for buffer in (payload, bytearray(payload), memoryview(payload)):
        start = header.check(buffer, length)
        assert bytes(buffer[start:length]) == packet.frame
        if packet.framing.sublayer == "default":
            expected = -1 if packet.sequence is None else packet.sequence
            assert data.read_sequence(buffer, header.sublayer_offset) == expected
        else:
            assert header.sublayer_offset == -1


@pytest.mark.parametrize("packet", [p for p in PACKETS if p.name.startswith("kernel")], ids=lambda p: p.name)
def test_send_header_is_the_kernels(packet: GoldenPacket) -> None:
    header = SendHeader(packet.framing, packet.session_id, packet.cookie)
    made = header.prefix if packet.sequence is None else header.sequenced(packet.sequence)
    assert made + packet.frame == packet.payload
    if packet.sequence is not None:
        slot = bytearray(header.prefix)
        data.SUBLAYER.pack_into(slot, packet.framing.sublayer_offset, data.S_BIT | packet.sequence)
        assert slot + packet.frame == packet.payload


@pytest.mark.parametrize("packet", [p for p in PACKETS if p.cookie], ids=lambda p: p.name)
def test_every_flipped_cookie_bit_is_noticed(packet: GoldenPacket) -> None:
    header = ReceiveHeader(packet.framing, packet.cookie)
    for bit in range(packet.framing.cookie_length * 8):
        payload = bytearray(packet.payload)
        payload[packet.framing.cookie_offset + bit // 8] ^= 1 << bit % 8
        assert header.check(payload, len(payload)) == data.BAD_COOKIE


@pytest.mark.parametrize("packet", PACKETS[:: len(PACKETS) // 20], ids=lambda p: p.name)
def test_every_truncation_is_short(packet: GoldenPacket) -> None:
    header = ReceiveHeader(packet.framing, packet.cookie)
    prefix = packet.framing.cookie_offset
    for length in range(packet.framing.header_length + data.MIN_FRAME_BYTES):
        assert header.check(packet.payload, length) == data.SHORT
        function = data.classify_udp if packet.framing.encap == "udp" else data.classify_ip
        # With 2 bytes the version over UDP is known and right, so that it is still "short", not "bad version".
        assert function(packet.payload, length) == (packet.session_id if length >= prefix else data.SHORT)
        if length < packet.framing.header_length:
            with pytest.raises(errors.Truncated):
                data.decode(packet.framing, packet.payload[:length])


# (first 16 bits, session id) as a peer could send them, and what they are (RFC 3931 s. 4.1.2.1)
FIRST_WORDS = [
    (0x0003, 7, 7),
    (0x7FF3, 7, 7),  # every reserved bit set: ignored on receipt
    (0x0003, 0xFFFFFFFF, 0xFFFFFFFF),
    (0x0003, 0, data.SESSION_ZERO),
    (0xC803, 7, data.CONTROL),
    (0x8003, 7, data.CONTROL),  # T alone decides; L and S are the control codec's to judge
    (0x0002, 7, data.BAD_VERSION),
    (0xC802, 7, data.BAD_VERSION),  # L2TPv2 control on the same port
    (0x0000, 7, data.BAD_VERSION),
    (0x0007, 7, data.BAD_VERSION),  # the kernel accepts 7 in configuration; nobody sends it
    (0x000B, 7, data.BAD_VERSION),
]


@pytest.mark.parametrize(("first", "session_id", "code"), FIRST_WORDS)
def test_first_word_over_udp(first: int, session_id: int, code: int) -> None:
    payload = struct.pack("!HHI", first, 0xFFFF, session_id) + bytes(60)
    assert data.classify_udp(payload, len(payload)) == code
    kinds = {
        data.SESSION_ZERO: errors.SessionZero,
        data.CONTROL: errors.WrongKind,
        data.BAD_VERSION: errors.BadVersion,
    }
    if code > 0:
        assert data.decode(UDP_PLAIN, payload).session_id == code
    else:
        with pytest.raises(kinds[code]):
            data.decode(UDP_PLAIN, payload)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ("", data.SHORT),
        ("00", data.SHORT),
        ("0003", data.SHORT),
        ("0002", data.BAD_VERSION),
        ("c803", data.CONTROL),
        ("00030000c0de01", data.SHORT),
    ],
)
def test_short_over_udp(payload: str, code: int) -> None:
    raw = bytes.fromhex(payload)
    assert data.classify_udp(raw, len(raw)) == code


def test_session_zero_over_ip_is_control() -> None:
    payload = bytes.fromhex("00000000c8030014")
    assert data.classify_ip(payload, len(payload)) == data.CONTROL
    with pytest.raises(errors.WrongKind):
        data.decode(Framing("ip", 0, "none"), payload)


def test_s_bit_alone_decides_about_the_sequence_number() -> None:
    assert data.read_sequence(bytes.fromhex("bfffffff"), 0) == -1
    assert data.read_sequence(bytes.fromhex("40ffffff"), 0) == 0xFFFFFF
    assert data.read_sequence(bytes.fromhex("ff000000"), 0) == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Framing("gre"), "encap 'gre'"),
        (lambda: Framing("udp", 5), "cookie length 5"),
        (lambda: Framing("udp", 4, "atm"), "sublayer 'atm'"),
        (lambda: data.encode_header(UDP_PLAIN, 0), "session id 0"),
        (lambda: data.encode_header(UDP_PLAIN, 1 << 32), "session id 4294967296"),
        (lambda: data.encode_header(UDP_PLAIN, 1, b"abcd"), "cookie of 4 bytes"),
        (lambda: data.encode_header(UDP_PLAIN, 1, sequence=0), "needs the default sublayer"),
        (lambda: data.encode_header(Framing(), 1, sequence=1 << 24), "sequence number 16777216"),
        (lambda: data.encode_header(Framing(), 1, sequence=-1), "sequence number -1"),
        (lambda: SendHeader(UDP_PLAIN, 0), "session id 0"),
        (lambda: ReceiveHeader(Framing("ip", 8), b"1234"), "cookie of 4 bytes"),
    ],
)
def test_the_callers_fault_raises_encode_error(call: object, said: str) -> None:
    assert callable(call)
    with pytest.raises(EncodeError, match=said):
        call()


def test_udp_length_over_65535_is_refused() -> None:
    """A UDP length field that wraps sent a truncated packet (Linux l2tp_xmit_skb before 2020)."""
    for encap, outer in (("udp", 28), ("ip", 20)):
        framing = Framing(encap, 8, "default")
        limit = data.max_frame_bytes(framing)
        assert outer + len(data.encode(framing, 1, bytes(limit), bytes(8))) == 65535
        with pytest.raises(EncodeError, match="at most"):
            data.encode(framing, 1, bytes(limit + 1), bytes(8))


framings = st.builds(
    Framing, st.sampled_from(["udp", "ip"]), st.sampled_from([0, 4, 8]), st.sampled_from(["default", "none"])
)


@MANY
@given(framing=framings, session_id=st.integers(1, 0xFFFFFFFF), frame=st.binary(max_size=80), draw=st.data())
def test_round_trip(framing: Framing, session_id: int, frame: bytes, draw: st.DataObject) -> None:
    cookie = draw.draw(st.binary(min_size=framing.cookie_length, max_size=framing.cookie_length))
    numbers = st.none() | st.integers(0, 0xFFFFFF) if framing.sublayer == "default" else st.none()
    sequence = draw.draw(numbers)
    payload = data.encode(framing, session_id, frame, cookie, sequence)
    decoded = data.decode(framing, payload)
    assert (decoded.session_id, decoded.cookie, decoded.sequence) == (session_id, cookie, sequence)
    assert decoded.frame == frame
    assert len(payload) == framing.header_length + len(frame)


@MANY
@given(framing=framings, payload=st.binary(max_size=40))
def test_any_bytes_give_a_packet_or_a_decode_error(framing: Framing, payload: bytes) -> None:
    try:
        decoded = data.decode(framing, payload)
    except errors.DecodeError:
        return
    assert framing.header_length + len(decoded.frame) == len(payload)
