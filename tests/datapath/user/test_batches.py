"""Frames in and out of batches, without privilege: the same bytes in the same order, whatever their lengths."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.datapath.user.forwarding.buffers import FrameSlots
from l2tpv3.datapath.user.forwarding.receiver import TunnelReceiver
from l2tpv3.datapath.user.forwarding.session import FRAME_OVERHEAD
from l2tpv3.datapath.user.handlers import kind_of
from l2tpv3.datapath.user.offloads import Offloads
from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.linux.slots import BATCH
from l2tpv3.wire.data import Buffer, Framing, decode, encode
from tests.properties import FEW, MANY, SOME

MTU = 9000
MODES = [Offloads(gso, gro) for gso in (True, False) for gro in (True, False)]
MODES.append(Offloads(gso=False, gro=False, mmsg=False))


class Wire:
    """A Port whose frames a test puts in and takes out."""

    def __init__(self) -> None:
        self.fd = -1
        self.merges = False
        self.waiting: Iterator[bytes] = iter(())
        self.written: list[bytes] = []

    def read(self, into: list[memoryview]) -> int:
        """Port."""
        for frame in self.waiting:
            done = 0
            for view in into:
                part = frame[done : done + len(view)]
                view[: len(part)] = part
                done += len(part)
            return done
        raise BlockingIOError

    def write(self, frame: Buffer) -> int:
        """Port."""
        self.written.append(bytes(frame))
        return len(frame)

    def gather(self, parts: Sequence[Buffer]) -> int:
        """Port."""
        return self.write(b"".join(parts))

    def ifname(self) -> str | None:
        """Port."""
        return "wire"

    def persist(self) -> None:
        """Port."""

    def forget(self) -> None:
        """Port."""

    def set_carrier(self, *, up: bool) -> None:
        """Port."""

    def close(self) -> None:
        """Port."""


def settings_of(
    number: int, *, cookie: bytes = b"12345678", sublayer: str = "default", send_seq: bool = False
) -> SessionSettings:
    """A session with one id and one cookie both ways."""
    return SessionSettings(f"s{number}", number, number, "wire", cookie, cookie, sublayer, send_seq, False, 0, MTU)  # noqa: FBT003


class Pair:
    """Two carriers whose sockets are connected over loopback, with the same sessions."""

    def __init__(self, modes: tuple[Offloads, Offloads], sessions: list[SessionSettings]) -> None:
        one, other = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        one.connect(other.getsockname())
        other.connect(one.getsockname())
        self.near, self.far = (
            TunnelReceiver("udp", each.detach(), mode, ipv4=True)
            for each, mode in zip((one, other), modes, strict=True)
        )
        self.sources: dict[int, Wire] = {}
        self.targets: dict[int, Wire] = {}
        for one_of in sessions:
            for carrier, wires in ((self.near, self.sources), (self.far, self.targets)):
                wires[one_of.session_id] = wire = Wire()
                session = kind_of(one_of)(one_of, "udp", wire, carrier.outlet, lambda when, call: None)
                carrier.sessions[one_of.session_id] = session

    def carry(self, number: int, frames: list[bytes], *, lone: bool = False) -> None:
        """Send frames of a session, and take in what has arrived, batch by batch, so that no queue overflows.

        lone: as is done while there is little to do."""
        wire, session = self.sources[number], self.near.sessions[number]
        send = session.send_frame if lone else session.send_frames
        receive = self.far.receive_packet if lone else self.far.receive_packets
        for start in range(0, len(frames), BATCH):
            wire.waiting = iter(frames[start : start + BATCH])
            for _ in range(BATCH):
                send(0)
            for _ in range(BATCH):
                receive(0)

    def close(self) -> None:
        """Close the sockets."""
        self.near.close()
        self.far.close()


@contextmanager
def pair(modes: tuple[Offloads, Offloads], *sessions: SessionSettings) -> Iterator[Pair]:
    """See Pair."""
    made = Pair(modes, list(sessions))
    try:
        yield made
    finally:
        made.close()


# Few lengths, so that there are runs of them; also a shorter and a longer one behind a run.
LENGTHS = st.lists(
    st.tuples(st.sampled_from([14, 60, 64, 1000, 1446, 1464, MTU + FRAME_OVERHEAD]), st.integers(1, 70)), max_size=8
).map(lambda runs: [length for length, count in runs for _ in range(count)])


@pytest.mark.parametrize("modes", list(itertools.product(MODES, MODES)), ids=str)
@FEW
@given(lengths=LENGTHS, numbered=st.booleans(), cookie=st.sampled_from([b"", b"abcd", b"12345678"]), lone=st.booleans())
def test_frames_come_out_as_they_went_in(
    modes: tuple[Offloads, Offloads],
    lengths: list[int],
    numbered: bool,  # noqa: FBT001
    cookie: bytes,
    lone: bool,  # noqa: FBT001
) -> None:
    frames = [os.urandom(length) for length in lengths]
    one = settings_of(7, cookie=cookie, send_seq=numbered)
    with pair(modes, one) as made:
        made.carry(7, frames, lone=lone)
        assert made.targets[7].written == frames
        near, far = made.near.sessions[7], made.far.sessions[7]
        header = 8 + len(cookie) + 4
        expected = (len(frames), sum(lengths) + header * len(frames))
        assert (near.tx_packets, near.tx_bytes, near.tx_errors) == (*expected, 0)
        assert (far.rx_packets, far.rx_bytes, far.rx_errors) == (*expected, 0)


@pytest.mark.parametrize("lone", [True, False])
@pytest.mark.parametrize("gro", [True, False])
@SOME
@given(
    pieces=st.lists(
        st.tuples(
            st.sampled_from(["one", "two", "cookie", "unknown", "reserved", "short", "long"]),
            st.sampled_from([60, 200]), st.integers(1, 50),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_what_is_not_right_is_sorted_out_of_a_run(pieces: list[tuple[str, int, int]], gro: bool, lone: bool) -> None:  # noqa: FBT001
    """Each packet is judged by itself, even if the kernel hands over many at once."""
    framing = Framing("udp", 8, "default")
    sent, expected = [], {1: list[bytes](), 2: list[bytes]()}
    bad = {"cookie": 0, "unknown": 0, "short": 0, "long": 0}
    for kind, length, count in pieces:
        for _ in range(count):
            frame = os.urandom({"short": 9, "long": MTU + 19}.get(kind, length))
            cookie = b"x2345678" if kind == "cookie" else b"12345678"
            packet = encode(framing, {"unknown": 9, "two": 2}.get(kind, 1), frame, cookie)
            sent.append(b"\x70\x03\xff\xff" + packet[4:] if kind == "reserved" else packet)
            if kind in bad:
                bad[kind] += 1
            else:
                expected[2 if kind == "two" else 1].append(frame)
    with pair((Offloads(), Offloads(gro=gro)), settings_of(1), settings_of(2)) as made:
        for start in range(0, len(sent), BATCH):
            packets = [memoryview(packet) for packet in sent[start : start + BATCH]]
            assert made.near.outlet.send_mixed(packets) == (0, 0)
            for _ in range(BATCH):
                (made.far.receive_packet if lone else made.far.receive_packets)(0)
        one, carrier = made.far.sessions[1], made.far
        assert {number: wire.written for number, wire in made.targets.items()} == expected
        assert carrier.rx_unknown_session == bad["unknown"]
        assert (one.rx_cookie_discards, one.rx_errors) == (bad["cookie"], bad["short"] + bad["long"])
        assert one.rx_packets == len(expected[1])


def test_a_session_that_is_gone_is_not_remembered() -> None:
    """The packet before was its own; the next one is of no session."""
    with pair((Offloads(), Offloads()), settings_of(7)) as made:
        made.carry(7, [bytes(60)] * 3, lone=True)
        made.far.sessions.pop(7).close()
        made.carry(7, [bytes(60)] * 2, lone=True)
        assert len(made.targets[7].written) == 3
        assert made.far.rx_unknown_session == 2


def test_sessions_that_send_alone_and_in_batches_keep_their_headers() -> None:
    one, other = settings_of(7), settings_of(8, cookie=b"other  8")
    frames = [os.urandom(length) for length in (60, 61, 62)]
    with pair((Offloads(), Offloads()), one, other) as made:
        for _ in range(3):
            made.carry(7, frames)
            made.carry(8, frames, lone=True)
        assert made.targets[7].written == made.targets[8].written == frames * 3


def test_sessions_that_take_turns_have_their_own_headers_in_batches_of_any_size() -> None:
    one, other = settings_of(7), settings_of(8, cookie=b"other  8")
    with pair((Offloads(), Offloads()), one, other) as made:
        sent: dict[int, list[bytes]] = {7: [], 8: []}
        for number, count in ((7, 3), (7, 40), (8, 5), (8, 2), (7, 10), (8, 60), (7, 61)):
            frames = [os.urandom(60 + place % 3) for place in range(count)]
            made.carry(number, frames)
            sent[number] += frames
        assert {number: wire.written for number, wire in made.targets.items()} == sent


@MANY
@given(ns=st.integers(0, (1 << 24) - 1), count=st.integers(1, BATCH), frame=st.integers(14, 1500))
def test_numbers_are_those_of_one_packet_after_the_other(ns: int, count: int, frame: int) -> None:
    framing = Framing("udp", 4, "default")
    slots = FrameSlots()
    slots.put_headers(encode(framing, 5, b"", b"abcd"), count, 0, numbered=True)
    slots.number(ns, count, 0)
    packets = [bytes(slots.view[start - 16 : start]) for start in slots.starts[:count]]
    seen = [decode(framing, packet + bytes(frame)).sequence for packet in packets]
    assert seen == [(ns + number) % (1 << 24) for number in range(count)]
    assert all(decode(framing, packet + bytes(frame)).cookie == b"abcd" for packet in packets)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_can_not_be_sent_is_counted_exactly(mode: Offloads) -> None:
    """Longer than any datagram: refused, whatever is around it."""
    with pair((mode, Offloads()), settings_of(7, sublayer="none")) as made:
        frames = [bytes(length) for length in [100] * 20 + [65530] + [100] * 20 + [65531, 65532] + [60]]
        made.carry(7, frames)
        near = made.near.sessions[7]
        assert near.tx_errors == 3
        assert made.targets[7].written == [frame for frame in frames if len(frame) < 65000]
        assert near.tx_bytes == sum(len(frame) + 16 for frame in frames if len(frame) < 65000)


@pytest.mark.parametrize("mode", [one for one in MODES if not one.gso], ids=str)
def test_errors_that_are_told_late_cost_no_packet(mode: Offloads) -> None:
    """Where nobody listens, the kernel tells of it instead of sending the next packet: that is sent again."""
    with pair((mode, Offloads()), settings_of(7)) as made:
        made.far.close()
        near, wire = made.near.sessions[7], made.sources[7]
        for count in (BATCH, 40):  # first it learns that they are of one length
            wire.waiting = iter([bytes(1400)] * count)
            for _ in range(3):
                near.send_frames(0)
        assert (near.tx_packets, near.tx_bytes, near.tx_errors) == (BATCH + 40, (BATCH + 40) * 1420, 0)
