"""Packets of a session's control channel: their bytes, what tshark reads in them, and that nothing else is taken."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.wire.bfd import BfdPacket, BfdState
from l2tpv3.wire.data import CHANNEL, SHORT, ChannelHeader, Framing, encode_header
from l2tpv3.wire.vccv import PACKET_BYTES, SUBLAYER_OF_CHANNEL, encode_channel, read_channel
from tests.properties import MANY

ONE = BfdPacket(
    state=BfdState.UP, multiplier=3, mine=0x01020304, yours=0x05060708, desired_min_tx_us=100_000,
    required_min_rx_us=50_000,
)  # fmt: skip
BYTES = bytes.fromhex("10000007 20c00318 01020304 05060708 000186a0 0000c350 00000000")
"""Typed from RFC 5085, RFC 5885 and RFC 5880."""


def test_it_is_as_the_rfcs_have_it() -> None:
    assert encode_channel(ONE) == BYTES
    assert len(BYTES) == PACKET_BYTES
    assert read_channel(BYTES) == ONE


def test_tshark_reads_the_channel_and_bfd_in_it(tmp_path: Path) -> None:
    """Behind an MPLS label, where it knows VCCV: of L2TPv3 it takes whatever is behind the sublayer for a frame."""
    frame = bytes(12) + bytes.fromhex("8847 00010140") + BYTES
    pcap = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1) + struct.pack("=4I", 0, 0, *2 * [len(frame)])
    (tmp_path / "it.pcap").write_bytes(pcap + frame)
    fields = [
        "pwach.channel_type",
        "bfd.sta",
        "bfd.my_discriminator",
        "bfd.your_discriminator",
        "bfd.detect_time_multiplier",
    ]
    command = ["tshark", "-n", "-r", str(tmp_path / "it.pcap"), "-T", "fields", "-E", "separator=|"]
    command += [word for field in fields for word in ("-e", field)]
    row = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split("|")
    assert [int(value, 0) for value in row] == [7, 3, 0x01020304, 0x05060708, 3]


@pytest.mark.parametrize("cookie", [b"", bytes(4), bytes(range(8))])
def test_the_bit_is_what_tells_it_from_a_frame(cookie: bytes) -> None:
    framing = Framing("udp", len(cookie), "default")
    header = ChannelHeader(framing, cookie)
    start = encode_header(Framing("udp", len(cookie), "none"), 7, cookie)
    packet = start + SUBLAYER_OF_CHANNEL + BYTES
    assert header.check(packet, len(packet)) == CHANNEL
    frame = start + bytes(4) + BYTES
    assert header.check(frame, len(frame)) == len(start) + 4
    numbered = encode_header(framing, 7, cookie, 9) + BYTES
    assert header.check(numbered, len(numbered)) == len(start) + 4
    assert header.check(packet, len(start) + 3) == SHORT


@MANY
@given(st.binary(max_size=64) | st.builds(lambda at, bit: _flipped(at, bit), st.integers(0, 27), st.integers(0, 7)))
def test_whatever_comes_is_read_as_it_is_or_not_at_all(payload: bytes) -> None:
    found = read_channel(payload)
    if found is not None:
        assert replace(found, diagnostic=found.diagnostic).encode()[2:4] == payload[6:8]
        assert payload[:4] == BYTES[:4] and len(payload) == PACKET_BYTES


def _flipped(at: int, bit: int) -> bytes:
    changed = bytearray(BYTES)
    changed[at] ^= 1 << bit
    return bytes(changed)
