"""Sequence numbers between two user datapaths, with a relay in between that loses and reorders what a test says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Sequencing, SessionSpec, TunnelSpec
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.user.ends import End, mirrored, session
from tests.datapath.user.relay import FAR_PORT, NEAR_PORT, Relay
from tests.waiting import eventually

pytestmark = pytest.mark.root

HEADER = 8 + 8 + 4


@dataclass
class Line:
    """Two ends, a session between them, and the relay in the middle."""

    a: End
    b: End
    near: TunnelSpec
    far: TunnelSpec
    one: SessionSpec
    other: SessionSpec
    relay: Relay

    def deliver(self, order: list[int], arrive: list[int]) -> None:
        """Send frames 0 to max(order) at the near end; of their packets pass on those of `order`; expect `arrive`."""
        count = max(order) + 1
        with packet_socket(self.a.place(self.one)) as sender, packet_socket(self.b.place(self.other)) as receiver:
            for number in range(count):
                sender.send(frame(60 + number, number))
            packets = self.relay.from_near(count)
            self.relay.to_far([packets[number] for number in order])
            received = collect(receiver, len(arrive))
        assert [len(got) - 60 for got in received] == arrive
        assert received == [frame(60 + number, number) for number in arrive]

    def numbers(self, packets: list[bytes]) -> list[int]:
        """The sublayers of packets."""
        return [int.from_bytes(packet[16:20], "big") for packet in packets]

    def counters(self) -> Counters:
        """The far end's."""
        return self.b.counters(self.far, self.other)


@pytest.fixture
def relay(ends: tuple[End, End]) -> Iterator[Relay]:
    """Between the two ends."""
    with Relay(*ends) as one:
        yield one


def line(ends: tuple[End, End], relay: Relay, near: Sequencing, far: Sequencing, timeout_ms: int = 0) -> Line:
    """Tunnels through the relay, and a session."""
    a, b = ends
    tunnels = a.tunnel(b.host, remote_port=NEAR_PORT), b.tunnel(b.host, remote_port=FAR_PORT)
    one = session(sequencing=near)
    other = mirrored(one, sequencing=far, reorder_timeout_ms=timeout_ms)
    a.add(tunnels[0], one)
    b.add(tunnels[1], other)
    return Line(a, b, *tunnels, one, other, relay)


def test_numbers_start_at_zero_and_go_up(ends: tuple[End, End], relay: Relay) -> None:
    one = line(ends, relay, Sequencing.SEND, Sequencing.RECV)
    with packet_socket(one.a.place(one.one)) as sender:
        for number in range(3):
            sender.send(frame(60, number))
        assert one.numbers(relay.from_near(3)) == [0x40000000, 0x40000001, 0x40000002]


def test_recv_numbers_what_it_sends_too(ends: tuple[End, End], relay: Relay) -> None:
    """A Linux peer with lns_mode 0 stops numbering when it receives a frame without number."""
    one = line(ends, relay, Sequencing.SEND, Sequencing.RECV)
    with packet_socket(one.b.place(one.other)) as sender:
        sender.send(frame(60, 0))
        assert one.numbers(relay.from_far(1)) == [0x40000000]


def test_none_takes_numbered_frames_as_they_come(ends: tuple[End, End], relay: Relay) -> None:
    one = line(ends, relay, Sequencing.BOTH, Sequencing.NONE)
    one.deliver([2, 0, 0, 1], [2, 0, 0, 1])
    assert one.counters() == Counters(rx_packets=4, rx_bytes=4 * (HEADER + 60) + 3)
    with packet_socket(one.b.place(one.other)) as sender:
        sender.send(frame(60, 0))
        assert one.numbers(relay.from_far(1)) == [0]


def test_without_a_timeout_what_comes_late_or_twice_is_discarded(ends: tuple[End, End], relay: Relay) -> None:
    one = line(ends, relay, Sequencing.BOTH, Sequencing.BOTH)
    one.deliver([0, 2, 1, 1, 0, 2, 3], [0, 2, 3])
    counters = one.counters()
    assert (counters.rx_packets, counters.rx_seq_discards, counters.rx_oos_packets) == (3, 4, 0)


def test_a_lost_packet_costs_no_other(ends: tuple[End, End], relay: Relay) -> None:
    """RFC 3931 appendix C; the kernel would discard five more."""
    one = line(ends, relay, Sequencing.BOTH, Sequencing.BOTH)
    one.deliver([0, 1, 3, 4, 5, 8, 9], [0, 1, 3, 4, 5, 8, 9])
    counters = one.counters()
    assert (counters.rx_packets, counters.rx_seq_discards) == (7, 0)


def test_with_a_timeout_it_is_put_in_order(ends: tuple[End, End], relay: Relay) -> None:
    one = line(ends, relay, Sequencing.BOTH, Sequencing.BOTH, timeout_ms=3000)
    one.deliver([0, 3, 1, 2, 5, 4, 4, 6], [0, 1, 2, 3, 4, 5, 6])
    counters = one.counters()
    assert (counters.rx_packets, counters.rx_seq_discards) == (7, 1)
    assert counters.rx_bytes == 7 * (HEADER + 60) + sum(range(7))
    assert counters.rx_oos_packets > 0


def test_what_waits_for_a_lost_frame_is_given_out_when_the_time_is_over(ends: tuple[End, End], relay: Relay) -> None:
    """By the worker's clock: no other packet has to come."""
    one = line(ends, relay, Sequencing.BOTH, Sequencing.BOTH, timeout_ms=300)
    started = time.monotonic()
    one.deliver([0, 2, 3], [0, 2, 3])
    assert 0.25 < time.monotonic() - started < 2
    counters = one.counters()
    assert (counters.rx_packets, counters.rx_errors, counters.rx_seq_discards) == (3, 0, 0)


def test_a_peer_that_starts_again_is_followed(ends: tuple[End, End], relay: Relay) -> None:
    """Its numbers go back to 0; a handful of frames is lost to that, not 2^23."""
    one = line(ends, relay, Sequencing.BOTH, Sequencing.BOTH, timeout_ms=50)
    one.deliver(list(range(30)), list(range(30)))
    one.a.datapath.del_session(one.near, one.one)
    one.a.datapath.add_session(one.near, one.one)
    one.a.up(one.one)
    one.deliver(list(range(10)), list(range(5, 10)))
    assert one.counters().rx_seq_discards == 5


def test_turning_it_off_gives_out_what_was_held(ends: tuple[End, End], relay: Relay) -> None:
    one = line(ends, relay, Sequencing.BOTH, Sequencing.BOTH, timeout_ms=60_000)
    with packet_socket(one.a.place(one.one)) as sender, packet_socket(one.b.place(one.other)) as receiver:
        for number in range(4):
            sender.send(frame(60, number))
        packets = relay.from_near(4)
        relay.to_far([packets[0], packets[2], packets[3]])
        assert collect(receiver, 1) == [frame(60, 0)]
        off = mirrored(one.one, sequencing=Sequencing.NONE)
        one.b.datapath.set_session(one.far, off)
        assert collect(receiver, 2) == [frame(60, 2), frame(60, 3)]
    eventually(lambda: one.counters().rx_packets == 3, "counted")
