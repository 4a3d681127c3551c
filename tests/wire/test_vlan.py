"""Tags of VLAN pseudowires: scapy makes the frames, and what the rules are is written out field by field."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

from l2tpv3.wire.vlan import imposed, number_of, removed, rewritten
from tests.properties import MANY

PLAIN = Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01", type=0x88B5) / Raw(b"content " * 8)
"""A frame without a tag."""


def tagged(vlan: int, *, prio: int = 0, dei: int = 0, inside: Packet = PLAIN) -> Packet:
    """`inside` with one more tag."""
    rest = inside.payload.copy()
    return Ether(dst=inside.dst, src=inside.src) / Dot1Q(vlan=vlan, prio=prio, dei=dei, type=inside.type) / rest


DOUBLE = tagged(7, prio=3)
SERVICE = Ether(dst=PLAIN.dst, src=PLAIN.src) / Dot1AD(vlan=9, prio=6, type=0x88B5) / Raw(b"content " * 8)

NUMBERS = st.integers(1, 4094)
FRAMES = st.builds(
    lambda tags, content: b"\2\0\0\0\0\2\2\0\0\0\0\1" + b"".join(tags) + b"\x88\xb5" + content,
    st.lists(st.builds(lambda tci: b"\x81\x00" + tci.to_bytes(2, "big"), st.integers(0, 0xFFFF)), max_size=3),
    st.binary(max_size=60),
)


@pytest.mark.parametrize(
    ("frame", "number"),
    [(PLAIN, -1), (tagged(7), 7), (tagged(0, prio=5), 0), (tagged(4095, prio=7, dei=1), 4095), (SERVICE, -1)],
    ids=["none", "7", "priority", "all ones", "802.1ad"],
)
def test_the_number_of_a_frame(frame: Packet, number: int) -> None:
    assert number_of(bytes(frame)) == number


def test_a_cut_tag_is_none() -> None:
    assert [number_of(bytes(tagged(7))[:length]) for length in (0, 12, 14, 17, 18)] == [-1, -1, -1, -1, 7]


@pytest.mark.parametrize(
    ("frame", "wire"),
    [
        (PLAIN, tagged(100)),
        (tagged(0, prio=5, dei=1), tagged(100, prio=5, dei=1)),
        (DOUBLE, tagged(100, inside=DOUBLE)),
        (SERVICE, tagged(100, inside=SERVICE)),
    ],
    ids=["untagged", "priority", "a tag as content", "802.1ad as content"],
)
def test_what_is_put_on_the_wire(frame: Packet, wire: Packet) -> None:
    assert imposed(bytes(frame), 100) == bytes(wire)


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (tagged(200), PLAIN),
        (tagged(200, prio=5), tagged(0, prio=5)),
        (tagged(200, dei=1), tagged(0, dei=1)),
        (tagged(200, inside=DOUBLE), DOUBLE),
        (tagged(200, prio=2, inside=DOUBLE), tagged(0, prio=2, inside=DOUBLE)),
        (tagged(0), PLAIN),
        (PLAIN, None),
        (SERVICE, None),
    ],
    ids=["plain", "priority", "drop eligible", "double", "double, priority", "number 0", "untagged", "802.1ad"],
)
def test_what_is_left_of_it(wire: Packet, frame: Packet | None) -> None:
    assert removed(bytes(wire)) == (None if frame is None else bytes(frame))


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (tagged(200), tagged(100)),
        (tagged(200, prio=7, dei=1), tagged(100, prio=7, dei=1)),
        (tagged(4094, inside=DOUBLE), tagged(100, inside=DOUBLE)),
        (PLAIN, None),
    ],
    ids=["plain", "priority", "double", "untagged"],
)
def test_what_it_is_rewritten_to(wire: Packet, frame: Packet | None) -> None:
    assert rewritten(bytes(wire), 100) == (None if frame is None else bytes(frame))


@MANY
@given(frame=FRAMES, here=NUMBERS, there=NUMBERS)
def test_there_and_back(frame: bytes, here: int, there: int) -> None:
    wire = imposed(frame, here)
    assert number_of(wire) == here
    if number_of(frame) == 0 and frame[14] & 0xF0 == 0:
        frame = frame[:12] + frame[16:]  # a tag that says nothing
    assert removed(wire) == frame
    changed = rewritten(wire, there)
    assert changed is not None
    assert number_of(changed) == there
    assert rewritten(changed, here) == wire
    assert removed(changed) == removed(wire)
