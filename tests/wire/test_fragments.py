"""Frames in parts: how they are cut, and put together whatever the network does to the packets. No sleeping."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.wire.data import B_BIT, E_BIT, FIRST, INTERMEDIATE, LAST, S_BIT, SEQUENCE_MASK, WHOLE
from l2tpv3.wire.fragments import TIMEOUT_S, Reassembler, part_bits, part_length
from l2tpv3.wire.sequence import ReceiveSequence
from tests.properties import MANY

Packet = tuple[int, bytes]
"""The sublayer and what follows."""

LONGEST = 9018


def cut(frame: bytes, room: int, ns: int) -> list[Packet]:
    size = part_length(len(frame), room)
    return [
        (
            S_BIT | part_bits(at, min(at + size, len(frame)), len(frame)) | (ns + number & SEQUENCE_MASK),
            frame[at : at + size],
        )
        for number, at in enumerate(range(0, len(frame), size))
    ]


def numbered_frame(number: int, length: int) -> bytes:
    """A frame that no other one's parts can be mistaken for."""
    return (number.to_bytes(4, "big") * (length // 4 + 1))[:length]


def joined(packets: list[Packet], into: Reassembler, now: float = 0.0) -> list[bytes]:
    found = (into.take(word, piece, now) for word, piece in packets)
    return [bytes(frame) for frame in found if frame is not None]


def test_the_bits_are_those_of_the_rfc() -> None:
    """RFC 4623 section 4.1: B and E are 00 for a whole frame, 01 for a first part, 10 for a last one, 11 between."""
    assert [(bits & B_BIT > 0, bits & E_BIT > 0) for bits in (WHOLE, FIRST, LAST, INTERMEDIATE)] == [
        (False, False), (False, True), (True, False), (True, True),
    ]  # fmt: skip
    assert (B_BIT, E_BIT) == (1 << 31 - 2, 1 << 31 - 3)  # bits 2 and 3: IANA, Default L2-Specific Sublayer bits


@pytest.mark.parametrize(
    ("length", "room", "lengths"),
    [(1514, 1452, [757, 757]), (1513, 1452, [757, 756]), (1452, 1452, [1452]), (1453, 1452, [727, 726]),
     (9014, 1452, [1288] * 6 + [1286]), (3, 1, [1, 1, 1])],
)  # fmt: skip
def test_parts_are_few_and_of_one_length(length: int, room: int, lengths: list[int]) -> None:
    assert [len(piece) for _, piece in cut(bytes(length), room, 0)] == lengths


@MANY
@given(st.integers(1, 65553), st.integers(1, 65553))
def test_parts_fit_and_all_but_the_last_are_alike(length: int, room: int) -> None:
    size = part_length(length, room)
    count = -(-length // size)
    assert size <= room
    assert count <= -(-length // room)
    assert 0 < length - (count - 1) * size <= size


def test_parts_make_the_frame_again() -> None:
    into = Reassembler(LONGEST)
    frames = [bytes(60), b"a" * 1514, b"b" * 9018, b"c" * 100]
    packets = [packet for number, frame in enumerate(frames) for packet in cut(frame, 1452, 100 * number)]
    assert joined(packets, into) == frames
    assert (into.fragments, into.reassembled, into.incomplete, into.dropped) == (9, 2, 0, 0)


def test_numbers_wrap_within_a_frame() -> None:
    frame = bytes(range(200)) * 10
    assert joined(cut(frame, 500, SEQUENCE_MASK), Reassembler(LONGEST)) == [frame]


@pytest.mark.parametrize("lost", range(4))
def test_a_lost_part_loses_its_frame_and_nothing_else(lost: int) -> None:
    into = Reassembler(LONGEST)
    frames = [b"a" * 1000, b"b" * 4000, b"c" * 2000, b"d" * 50]
    ns, packets = 0, []
    for frame in frames:
        packets += cut(frame, 1000, ns)
        ns = len(packets)
    del packets[1 + lost]  # of the second frame, which has four
    assert joined(packets, into) == [frames[0], frames[2], frames[3]]
    assert (into.incomplete, into.dropped, into.reassembled) == (1, 3, 1)


def test_the_last_part_of_one_frame_and_the_first_of_the_next_lost_join_nothing() -> None:
    into = Reassembler(LONGEST)
    one, two = cut(b"a" * 1514, 1452, 0), cut(b"b" * 1514, 1452, 2)
    assert joined([one[0], two[1]], into) == []
    assert into.dropped == 2
    assert into.incomplete >= 1


def test_a_frame_that_becomes_too_long_is_dropped() -> None:
    into = Reassembler(1518)
    assert joined([*cut(bytes(3000), 800, 0), (S_BIT | 4, b"next")], into) == [b"next"]
    assert (into.too_long, into.incomplete, into.dropped, into.reassembled) == (1, 0, 4, 0)


def test_parts_are_waited_for_a_while() -> None:
    into = Reassembler(LONGEST)
    first, last = cut(bytes(1514), 1452, 7)
    assert into.take(*first, 10.0) is None
    assert into.deadline() == 10.0 + TIMEOUT_S
    into.expire(10.0 + TIMEOUT_S / 2)
    assert into.deadline() is not None
    into.expire(10.0 + TIMEOUT_S)
    assert (into.deadline(), into.incomplete, into.dropped) == (None, 1, 1)
    assert into.take(*last, 10.0 + TIMEOUT_S) is None
    assert (into.incomplete, into.dropped) == (1, 2)


def test_what_comes_much_later_is_not_joined_even_where_nobody_looked_at_the_time() -> None:
    into = Reassembler(LONGEST)
    first, last = cut(bytes(1514), 1452, 7)
    assert into.take(*first, 0.0) is None
    assert into.take(*last, TIMEOUT_S + 0.1) is None
    assert into.reassembled == 0


@MANY
@given(
    lengths=st.lists(st.integers(14, 5000), min_size=1, max_size=40),
    room=st.integers(128, 1500),
    start=st.integers(0, SEQUENCE_MASK),
    seed=st.randoms(use_true_random=False),
    loss=st.sampled_from((0.0, 0.02, 0.2, 0.6)),
    reorder_s=st.sampled_from((0.0, 0.5)),
)
def test_no_network_makes_a_frame_of_parts_of_two(
    lengths: list[int], room: int, start: int, seed: random.Random, loss: float, reorder_s: float
) -> None:
    """Packets are lost, come twice and out of order: each frame that comes out was sent, and none comes out twice."""
    frames = [numbered_frame(number, length) for number, length in enumerate(lengths)]
    packets: list[Packet] = []
    for frame in frames:
        packets += cut(frame, room, start + len(packets) & SEQUENCE_MASK)
    arriving = [packet for packet in packets for _ in range(seed.choice((1, 1, 1, 2))) if seed.random() >= loss]
    for place in range(len(arriving) - 1):
        if seed.random() < 0.1:
            arriving[place], arriving[place + 1] = arriving[place + 1], arriving[place]
    into, sequence = Reassembler(5018), ReceiveSequence(reorder_s, expected=start, accept_gaps=True)
    out: list[bytes] = []
    for now, (word, piece) in enumerate(arriving):
        numbered = word.to_bytes(4, "big") + piece
        for released in sequence.accept(word & SEQUENCE_MASK, numbered, now * 0.001):
            out += joined([(int.from_bytes(released[:4], "big"), bytes(released[4:]))], into, now * 0.001)
    for released in sequence.flush(1e9):
        out += joined([(int.from_bytes(released[:4], "big"), bytes(released[4:]))], into, len(arriving) * 0.001)
    assert set(out) <= set(frames)
    assert len(out) == len(set(out))
    if not loss and (reorder_s or arriving == packets):
        assert out == frames


@MANY
@given(
    st.lists(
        st.tuples(st.sampled_from((WHOLE, FIRST, LAST, INTERMEDIATE)), st.integers(0, 40), st.integers(0, 4000),
                  st.floats(0, 3)),
        max_size=200,
    )
)  # fmt: skip
def test_whatever_a_peer_sends_takes_no_more_than_one_frame(packets: list[tuple[int, int, int, float]]) -> None:
    into = Reassembler(5000)
    taken = given_back = 0
    now = 0.0
    for bits, ns, length, later in packets:
        now += later
        frame = into.take(S_BIT | bits | ns, bytes(length), now)
        taken += bits != WHOLE
        assert frame is None or bits == WHOLE or len(frame) <= 5000
        given_back += 0 if frame is None or bits == WHOLE else into.parts
        assert len(into._frame or b"") <= 5000
        into.expire(now)
    into.expire(now + TIMEOUT_S)
    assert into.fragments == taken == given_back + into.dropped
