"""The lab's small programs: what pings tell of an interruption, which frames a capture has."""

from __future__ import annotations

import struct

import pytest
from labrunner import frames, send_frames
from labrunner.errors import LabError
from labrunner.outage import Silence, silence

_TOTALS = "\n--- 10.77.0.2 ping statistics ---\n{sent} packets transmitted, {received} received, 0% packet loss"


def _printed(answers: list[tuple[float, int]], sent: int) -> str:
    lines = [f"[{when:.6f}] 64 bytes from 10.77.0.2: icmp_seq={number} ttl=64 time=0.1 ms" for when, number in answers]
    return "\n".join(lines) + _TOTALS.format(sent=sent, received=len(answers))


@pytest.mark.parametrize(
    ("answers", "sent", "expected"),
    [
        ([(100.0, 1), (100.1, 2), (100.2, 3)], 3, Silence(3, 0, 0.0)),
        ([(100.0, 1), (100.1, 2), (100.9, 7), (101.0, 8)], 8, Silence(8, 4, 0.8)),
        ([(100.0, 1), (103.0, 2), (103.1, 3)], 3, Silence(3, 0, 0.0)),  # late, none lost
        ([(100.0, 1), (100.1, 2)], 40, Silence(40, 38, 1.9)),  # to the end
        ([(100.0, 1), (101.9, 2)], 4, Silence(4, 2, 0.0)),  # under way when it ended
    ],
)
def test_the_longest_silence(answers: list[tuple[float, int]], sent: int, expected: Silence) -> None:
    found = silence(_printed(answers, sent), ended=102.0)
    assert (found.sent, found.lost) == (expected.sent, expected.lost)
    assert found.longest_s == pytest.approx(expected.longest_s)


def test_no_answer_at_all_is_said() -> None:
    with pytest.raises(LabError, match="no answer to any ping"):
        silence(_printed([], 5), ended=102.0)


def _pcap(*captured: bytes) -> bytes:
    return bytes(24) + b"".join(struct.pack("<IIII", 0, 0, len(one), len(one)) + one for one in captured)


def test_frames_are_told() -> None:
    source = bytes.fromhex("020000000001")
    plain, tagged = send_frames.frame(source, "voice", None), send_frames.frame(source, "voice", (100, 5))
    found = [frames.told(one) for one in frames.read(_pcap(plain, tagged) + b"cut off")]
    assert found == [
        ("TEST", "02:00:00:00:00:01 → broadcast  TEST voice"),
        ("TEST", "02:00:00:00:00:01 → broadcast  VLAN 100 priority 5  TEST voice"),
    ]
    arp = bytes.fromhex("ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a4d0001 000000000000 0a4d0002")
    assert frames.told(arp) == ("ARP", "02:00:00:00:00:01 → broadcast  ARP who has 10.77.0.2? tell 10.77.0.1")
