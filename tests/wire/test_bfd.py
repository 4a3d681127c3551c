"""BFD's control packets: bytes that bfdd of FRR 8.4 sent, and bytes that have to be discarded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.wire.bfd import BfdPacket, BfdState, read_bfd
from tests.properties import SOME

PACKETS = st.builds(
    BfdPacket,
    state=st.just(BfdState.UP),
    diagnostic=st.integers(0, 31),
    poll=st.booleans(),
    final=st.booleans(),
    demand=st.booleans(),
    multiplier=st.integers(1, 255),
    mine=st.integers(1, 2**32 - 1),
    yours=st.integers(1, 2**32 - 1),
    desired_min_tx_us=st.integers(0, 2**32 - 1),
    required_min_rx_us=st.integers(0, 2**32 - 1),
)
GOOD = BfdPacket(
    state=BfdState.DOWN, multiplier=3, mine=7, yours=0, desired_min_tx_us=1_000_000, required_min_rx_us=100_000
).encode()


def test_what_bfdd_sent() -> None:
    sent = bytes.fromhex("20400318 9ae042b5 00000000 000f4240 000f4240 0000c350")
    packet = BfdPacket(
        state=BfdState.DOWN, multiplier=3, mine=0x9AE042B5, yours=0,
        desired_min_tx_us=1_000_000, required_min_rx_us=1_000_000,
    )  # fmt: skip
    assert read_bfd(sent) == packet
    assert packet.encode()[:20] == sent[:20], "but for the last field: it takes echo packets, which we never send"


@SOME
@given(PACKETS, st.binary(max_size=4))
def test_what_is_encoded_is_read_again(packet: BfdPacket, behind: bytes) -> None:
    assert read_bfd(packet.encode() + behind) == packet


@SOME
@given(st.binary(max_size=64))
def test_no_bytes_raise(payload: bytes) -> None:
    read_bfd(payload)


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        (0, 0x40, "version 2"),
        (1, 0x44, "authentication"),
        (1, 0x41, "multipoint"),
        (1, 0xC0, "up, and does not know who we are"),
        (1, 0x80, "init, and does not know who we are"),
        (2, 0, "no multiplier"),
        (3, 23, "too short"),
        (3, 25, "longer than the packet"),
        (7, 0, "no discriminator"),
    ],
)
def test_what_is_to_be_discarded_is(at: int, value: int, why: str) -> None:
    assert read_bfd(GOOD) is not None
    assert read_bfd(GOOD[:at] + bytes([value]) + GOOD[at + 1 :]) is None, why
    assert read_bfd(GOOD[:-1]) is None
