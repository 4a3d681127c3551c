"""What an end tells of its circuit, as bytes and as a value; control_cases.py says where the bytes come from."""

from __future__ import annotations

import random

import pytest

from l2tpv3.wire import control
from l2tpv3.wire.circuit_status import LONGEST, CircuitStatus, read_circuit_status
from tests.wire.control_cases import HELLO, ICRQ, SLI, ZLB

BYTES = bytes.fromhex(SLI)
STATUS = CircuitStatus(0x0A0B0C0D, 0x01020304, active=True, cookie=bytes.fromhex("0123456789abcdef"))


@pytest.mark.parametrize("encap", ["udp", "ip"])
def test_both_ways(encap: str) -> None:
    payload = (bytes(4) if encap == "ip" else b"") + BYTES
    assert STATUS.encode(encap, 2, 7) == payload
    assert read_circuit_status(payload, encap) == STATUS
    assert read_circuit_status(memoryview(payload), encap) == STATUS


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("cookie", [b"", bytes(4), bytes(8)])
def test_with_each_cookie_and_status(cookie: bytes, active: bool) -> None:  # noqa: FBT001
    status = CircuitStatus(1, 2, active, cookie)
    payload = status.encode("udp", 3, 0xFFFF)
    assert len(payload) <= LONGEST
    assert read_circuit_status(payload, "udp") == status


def test_other_messages_are_none() -> None:
    for text in (HELLO, ICRQ, ZLB):
        assert read_circuit_status(bytes.fromhex(text), "udp") is None
    parts = control.decode(BYTES).avps
    for left_out in range(1, 4):
        short = control.ControlMessage(2, 7, 0, tuple(one for at, one in enumerate(parts) if at != left_out))
        assert read_circuit_status(control.encode(short), "udp") is None


def test_bytes_that_are_wrong_are_none_or_another_message_but_no_error() -> None:
    rng = random.Random(71)
    for length in range(len(BYTES)):
        assert read_circuit_status(BYTES[:length], "udp") is None
    for _ in range(20_000):
        changed = bytearray(BYTES)
        for _ in range(rng.randrange(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        read_circuit_status(changed, "udp")
    assert read_circuit_status(BYTES + bytes(LONGEST), "udp") is None


def test_a_cookie_is_not_in_its_text() -> None:
    assert "0123" not in repr(STATUS) and "x01#" not in repr(STATUS)
