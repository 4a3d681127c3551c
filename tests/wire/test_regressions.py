"""Bugs that other L2TP implementations had, as far as a codec can have them; each test names where it was seen."""

from __future__ import annotations

import contextlib
import gc
import struct
import time
import tracemalloc

import pytest

from l2tpv3.wire import avp, control, data
from l2tpv3.wire.data import Framing, ReceiveHeader
from l2tpv3.wire.errors import BadAVP, BadHeader, DecodeError, EncodeError, SessionZero, Truncated
from l2tpv3.wire.sequence import ReceiveSequence

MESSAGE_TYPE = bytes.fromhex("8008000000000006")


def message(avps: bytes, length: int | None = None) -> bytes:
    """A control message with any bytes as AVPs, and a length field that need not be true."""
    return struct.pack("!HHIHH", 0xC803, 12 + len(avps) if length is None else length, 1, 0, 0) + avps


@pytest.mark.parametrize("length", range(6))
def test_avp_length_under_six(length: int) -> None:
    """accel-ppp CVE-2020-15173: value length 6 less than the AVP's, as unsigned: a heap overflow."""
    for word in (length, 0x8000 | length, 0xC000 | length, 0xFC00 | length):
        bad = struct.pack("!HHH", word, 0, 7) + b"value"
        for raw in (bad, MESSAGE_TYPE + bad, MESSAGE_TYPE + bad[:6]):
            with pytest.raises(BadAVP):
                avp.decode_avps(raw)
            with pytest.raises(BadAVP):
                control.decode(message(raw))


def test_avp_length_zero_does_not_loop() -> None:
    """xl2tpd, tcpdump, Wireshark: a zero length moved the cursor by nothing, for ever."""
    raw = message(MESSAGE_TYPE + bytes(60_000))
    began = time.perf_counter()
    with pytest.raises(BadAVP):
        control.decode(raw)
    assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize("beyond", [1, 2, 100, 1009])
def test_avp_length_beyond_the_message(beyond: int) -> None:
    """Many: what follows the message in memory was read as the value, or copied over what follows the buffer."""
    inside = struct.pack("!HHH", 0x8000 | 8 + beyond, 0, 7) + b"ab"
    with pytest.raises(BadAVP):
        avp.decode_avps(inside)
    # Also when the bytes are there, but behind the end that the message's length gives.
    with pytest.raises(BadAVP):
        control.decode(message(MESSAGE_TYPE + inside + bytes(beyond), 12 + 8 + 8))


@pytest.mark.parametrize("left", range(1, 6))
def test_a_few_bytes_after_the_last_avp(left: int) -> None:
    """Reading a 6-byte header from 1 to 5 bytes: an overread in l2tp parsers of tcpdump (CVE-2017-13006 and others)."""
    with pytest.raises(BadAVP):
        avp.decode_avps(MESSAGE_TYPE + b"\x80" * left)


@pytest.mark.parametrize("length", [0, 1, 11])
def test_control_length_under_its_header(length: int) -> None:
    """Length less than the header, as unsigned: the body is then nearly 2^16 or 2^32 bytes long."""
    with pytest.raises(BadHeader):
        control.decode(message(MESSAGE_TYPE, length))


def test_control_length_beyond_the_datagram() -> None:
    """The length field was believed, not the number of bytes received."""
    with pytest.raises(Truncated):
        control.decode(message(MESSAGE_TYPE, 0xFFFF))


@pytest.mark.parametrize("encap", ["udp", "ip"])
def test_udp_length_over_65535_is_refused_not_truncated(encap: str) -> None:
    """Linux: a frame whose UDP length did not fit in 16 bits went out with the length cut."""
    framing = Framing(encap, 8, "default")
    with pytest.raises(EncodeError, match="65526 bytes: at most"):
        data.encode(framing, 1, bytes(65526), bytes(8))


def test_avp_length_over_ten_bits_is_refused_not_truncated() -> None:
    """The AVP's length has 10 bits: longer values spilled into the M and H bits."""
    assert len(avp.AVP(7, bytes(1017)).encode()) == 1023
    with pytest.raises(EncodeError, match="at most 1017"):
        avp.AVP(7, bytes(1018)).encode()


def test_session_zero_is_never_a_session() -> None:
    """The kernel accepts session id 0 in configuration; on the wire it is reserved (UDP) or means control (IP)."""
    payload = bytes.fromhex("0003000000000000") + bytes(60)
    assert data.classify_udp(payload, len(payload)) == data.SESSION_ZERO
    assert data.classify_ip(bytes(64), 64) == data.CONTROL
    with pytest.raises(SessionZero):
        data.decode(Framing("udp", 0, "none"), payload)
    with pytest.raises(EncodeError, match="session id 0"):
        data.encode_header(Framing(), 0)


def test_a_cut_cookie_is_not_compared_with_what_follows_in_the_buffer() -> None:
    """An old packet's bytes in a reused buffer must not complete a short one."""
    framing = Framing("udp", 8, "default")
    cookie = bytes(range(8))
    buffer = bytearray(data.encode(framing, 5, bytes(60), cookie))
    header = ReceiveHeader(framing, cookie)
    assert header.check(buffer, len(buffer)) == 20
    for length in range(8, 34):
        assert data.classify_udp(buffer, length) == 5
        assert header.check(buffer, length) == data.SHORT


def memory_growth(rounds: int, junk: list[bytes]) -> int:
    """Bytes that stay allocated after feeding `junk` to everything that parses, `rounds` times."""

    def feed() -> None:
        for raw in junk:
            data.classify_udp(raw, len(raw))
            data.classify_ip(raw, len(raw))
            header.check(raw, len(raw))
            for encap in ("udp", "ip"):
                with contextlib.suppress(DecodeError):
                    control.decode(raw, encap)

    header = ReceiveHeader(Framing("udp", 8, "default"), bytes(8))
    feed()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(rounds):
        feed()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


def test_no_state_before_validation() -> None:
    """xl2tpd: a structure was allocated for each junk packet before it was looked at: 800 MB in two days."""
    sccrq = message(bytes.fromhex("8008000000000001"))
    junk = [b"", b"\xc8", sccrq[:12], sccrq, sccrq + b"x", message(bytes.fromhex("8008000000000001 8005")), bytes(40)]
    assert memory_growth(500, junk) < 2000


def test_no_leak_on_a_bad_version() -> None:
    """Linux CVE-2026-23072: the version was checked after the session was looked up, and the reference not dropped."""
    junk = [struct.pack("!HHI", 0x0000 | version, 0, 5) + bytes(60) for version in range(16) if version != 3]
    assert [data.classify_udp(raw, len(raw)) for raw in junk] == [data.BAD_VERSION] * 15
    assert memory_growth(500, junk) < 2000


def test_a_reorder_queue_does_not_grow_with_what_a_peer_sends() -> None:
    """The kernel's reorder queue has no limit but time."""
    seq = ReceiveSequence(3600.0, expected=0, max_held=16)
    for ns in range(2, 100_000, 2):
        seq.accept(ns, b"frame", 0.0)
        assert seq.held <= 16


@pytest.mark.parametrize("version", [version for version in range(16) if version != 3])
@pytest.mark.parametrize("bits", [0x0000, 0x8000, 0xC800, 0xFFF0, 0x7FF0])
def test_the_version_is_looked_at_before_the_other_bits(version: int, bits: int) -> None:
    """RFC 3931 s. 4.1.2.1: bits 1, 4, 6 and 7 mean something else in L2TPv2 on the same port."""
    for length in (2, 7, 8, 60):
        raw = struct.pack("!HHI", bits | version, 20, 7) + bytes(52)
        assert data.classify_udp(raw, length) == data.BAD_VERSION
