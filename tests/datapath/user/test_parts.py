"""The quick ways of sending and receiving parts of frames do what the slow ones do, whatever the packets are."""

from __future__ import annotations

import random
import socket

import pytest

from l2tpv3.datapath.user.forwarding.buffers import ReceiveLayout
from l2tpv3.datapath.user.forwarding.parts import Parts
from l2tpv3.datapath.user.forwarding.sender import TunnelSender
from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.datapath.user.heard import Heard
from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.wire.data import S_BIT, SEQUENCE_MASK, Buffer, Framing, encode_header, read_sequence
from l2tpv3.wire.fragments import part_bits, part_length
from tests.datapath.user.test_fuzz import Sink

COOKIE = b"\xa1\xa2\xa3\xa4"
PREFIX = encode_header(Framing("udp", 4, "default"), 7, COOKIE)
HEADER = len(PREFIX)


class Recorder(Sink):
    """A Port that keeps its frames."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[bytes] = []

    def write(self, frame: Buffer) -> int:
        """Take a frame; it has errors now and then."""
        length = super().write(frame)
        self.frames.append(bytes(frame))
        return length


def packets_of(frame: bytes, ns: int, size: int) -> list[bytes]:
    """What is to be sent of a frame, made without haste."""
    made = []
    for number, offset in enumerate(range(0, len(frame), size)):
        word = S_BIT | part_bits(offset, min(offset + size, len(frame)), len(frame)) | (ns + number & SEQUENCE_MASK)
        made.append(PREFIX[:-4] + word.to_bytes(4, "big") + frame[offset : offset + size])
    return made


@pytest.mark.parametrize("ns", [0, 200, 0xFFFF_F0, SEQUENCE_MASK])
@pytest.mark.parametrize(("length", "room", "count"), [(1514, 1452, 32), (1516, 800, 9), (9016, 1452, 5)])
def test_alike_and_one_by_one_make_the_same_packets(length: int, room: int, count: int, ns: int) -> None:
    parts, size = Parts(), part_length(length, room)
    assert parts.takes_alike(length, HEADER, size) == (length % size == 0)
    generator = random.Random(length)
    frames = [generator.randbytes(length) for _ in range(count)]
    views = [memoryview(frame) for frame in frames]
    expected: list[bytes] = []
    number = ns
    for frame in frames:
        expected += packets_of(frame, number, size)
        number = ns + len(expected) & SEQUENCE_MASK
    number = ns
    for view in views:
        number = number + parts.put(view, PREFIX, number, room) & SEQUENCE_MASK
    assert list(map(bytes, parts.packets)) == expected
    parts.clear()
    for _ in range(2):  # the second time the headers are there
        if length % size == 0:
            assert bytes(parts.put_alike(views, PREFIX, ns, size)) == b"".join(expected)


def test_more_parts_than_one_call_takes_are_not_alike() -> None:
    assert not Parts().takes_alike(128 * 65, HEADER, 128)
    assert not Parts().takes_alike(2 * 32_000, HEADER, 32_000)


def receiving() -> tuple[WorkerSession, Recorder]:
    """A session with fragments, whose next number is known after one frame."""
    sink = Recorder()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        outlet = TunnelSender(sock, Heard(lambda: 0), segment=False, batched=False)
    settings = SessionSettings("s", 7, 7, "sink", COOKIE, COOKIE, "default", *(True, True), 0, 1500, fragment=True)
    return WorkerSession(settings, "udp", sink, outlet, lambda when, what: None), sink


def counters(session: WorkerSession) -> tuple[int, ...]:
    joined = session.reassembler
    return (
        session.rx_packets, session.rx_bytes, session.rx_errors + joined.dropped, session.rx_seq_discards,
        joined.fragments, joined.reassembled, joined.incomplete,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_runs_and_single_packets_come_to_the_same(seed: int) -> None:
    generator = random.Random(seed)
    half = generator.choice((7, 40, 757))
    ns = generator.choice((0, 100, 250, SEQUENCE_MASK - 9))
    runs: list[list[bytes]] = []
    for _ in range(12):
        run: list[bytes] = []
        for _ in range(generator.randrange(1, 20)):
            run += packets_of(generator.randbytes(2 * half), ns, half)
            ns = ns + 2 & SEQUENCE_MASK
        if generator.random() < 0.4:
            del run[generator.randrange(len(run))]
        if generator.random() < 0.2 and len(run) > 1:
            run[0], run[1] = run[1], run[0]
        runs.append(run)
    if generator.random() < 0.5:  # a frame's parts in two runs
        runs[1].insert(0, runs[0].pop()) if runs[0][1:] else None
    (quick, quick_sink), (slow, slow_sink) = receiving(), receiving()
    for run in runs:
        view = memoryview(bytearray(b"".join(run) + bytes(HEADER + half)))
        stride = HEADER + half
        layout = ReceiveLayout(view, stride, 0, HEADER - 4, slice(HEADER, stride))
        taken = quick.deliver_parts(layout, len(run))
        for packet in run[taken:]:
            quick.receive(packet, memoryview(packet), len(packet))
        for packet in run:
            slow.receive(packet, memoryview(packet), len(packet))
        assert read_sequence(run[0], HEADER - 4) >= 0
    assert quick_sink.frames == slow_sink.frames
    assert counters(quick) == counters(slow)
    assert quick.reassembler.reassembled > 0
