"""A million packets through the worker's real receive path, all framings, sequencing and reordering on.

Nothing raises, memory stays flat, and each packet is counted exactly once. Seeded; L2TPV3_FUZZ_PACKETS sets how many.
"""

from __future__ import annotations

import gc
import itertools
import os
import random
import socket
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import pytest

from l2tpv3.datapath.user.forwarding.receiver import TunnelReceiver
from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.datapath.user.forwarding.vlan_session import VlanSession
from l2tpv3.datapath.user.offloads import Offloads
from l2tpv3.datapath.user.settings import SessionSettings
from l2tpv3.wire.data import Buffer, Framing, encode

SEED = 20061
PACKETS = int(os.environ.get("L2TPV3_FUZZ_PACKETS", "1100000"))
SLOT = 2048
MTU = 300
COOKIES = {0: b"", 4: b"\xa1\xa2\xa3\xa4", 8: bytes(range(0xB0, 0xB8))}


class Sink:
    """A Port into which frames vanish; it has errors now and then, as a netdev that is down has."""

    def __init__(self) -> None:
        self.fd = -1
        self.merges = False
        self.taken = self.refused = 0
        self.shortest, self.longest = SLOT, 0

    def read(self, into: list[memoryview]) -> int:
        """Nothing is sent in this test."""
        raise BlockingIOError

    def write(self, frame: Buffer) -> int:
        """Take a frame."""
        if (self.taken + self.refused) % 1000 == 999:
            self.refused += 1
            raise OSError(5, "netdev is down")
        self.taken += 1
        size = len(frame)
        if not self.shortest <= size <= self.longest:
            self.shortest, self.longest = min(self.shortest, size), max(self.longest, size)
        return size

    def gather(self, parts: Sequence[Buffer]) -> int:
        """Take a frame."""
        return self.write(b"".join(parts))

    def ifname(self) -> str | None:
        """Port."""
        return "sink"

    def persist(self) -> None:
        """Port."""

    def forget(self) -> None:
        """Port."""

    def set_carrier(self, *, up: bool) -> None:
        """Port."""

    def close(self) -> None:
        """Port."""


class Bench:
    """A carrier of one encapsulation with a session for each framing and kind of sequencing, and valid packets."""

    def __init__(self, encap: str) -> None:
        self.carrier = TunnelReceiver(encap, socket.socket(type=socket.SOCK_DGRAM).detach(), Offloads(), ipv4=False)
        self.timers: list[tuple[float, object]] = []
        self.sinks: list[Sink] = []
        self.tagged_sinks: list[Sink] = []
        self.sessions: list[WorkerSession] = []
        self.seeds: list[bytes] = []
        self.numbered: list[tuple[bytes, int]] = []
        shapes = itertools.product(COOKIES, ("default", "none"), (False, True), (0, 50))
        for number, (cookie, sublayer, recv_seq, timeout_ms) in enumerate(shapes, start=1):
            if sublayer == "default" or not (recv_seq or timeout_ms):
                self._add(encap, number, COOKIES[cookie], sublayer, recv_seq=recv_seq, timeout_ms=timeout_ms)
        self._add_vlans(encap)

    def _add(self, encap: str, number: int, cookie: bytes, sublayer: str, *, recv_seq: bool, timeout_ms: int) -> None:
        settings = SessionSettings(
            f"s{number}", number, number, "sink", cookie, cookie, sublayer, recv_seq, recv_seq, timeout_ms, MTU
        )
        sink = Sink()
        session = WorkerSession(settings, encap, sink, self.carrier.outlet, self._schedule)
        self.carrier.sessions[number] = session
        self.sinks.append(sink)
        self.sessions.append(session)
        framing = Framing(encap, len(cookie), sublayer)
        for size in (14, 60, MTU + 14, MTU + 18, MTU + 19):
            self.seeds.append(encode(framing, number, bytes(size), cookie))
        if recv_seq:
            valid = encode(framing, number, bytes(60), cookie, sequence=0)
            self.seeds.append(valid)
            self.numbered.append((valid, framing.sublayer_offset))

    def _add_vlans(self, encap: str) -> None:
        """VLAN pseudowires, of both kinds, with numbers and without."""
        for rewrite, numbered in itertools.product((False, True), repeat=2):
            number = 1000 + len(self.sessions)
            self._add(encap, number, b"", "default", recv_seq=numbered, timeout_ms=0)
            sink = self.sinks.pop()
            settings = self.sessions.pop().settings._replace(vlan=5, rewrite=rewrite)
            session = VlanSession(settings, encap, sink, self.carrier.outlet, self._schedule)
            self.tagged_sinks.append(sink)
            self.carrier.sessions[number] = session
            self.sessions.append(session)
            for tci in (0, 5, 0xA005, 0xFFFF):
                frame = bytes(12) + b"\x81\x00" + tci.to_bytes(2, "big") + bytes(60)
                self.seeds.append(encode(Framing(encap, 0, "default"), number, frame))

    def _schedule(self, when: float, call: object) -> None:
        self.timers.append((when, call))

    def counted(self) -> int:
        """What became of all packets. What is held in reorder queues is in no counter yet."""
        carrier = self.carrier
        total = carrier.rx_unknown_session + carrier.rx_control + carrier.rx_invalid
        for one in self.sessions:
            total += one.rx_packets + one.rx_errors + one.rx_seq_discards + one.rx_cookie_discards + one.rx_invalid
        return total

    def run_timers(self) -> None:
        """As the loop would, once all are due."""
        while self.timers:
            when, call = self.timers.pop()
            call(when)  # type: ignore[operator]


def pelt(bench: Bench, generator: random.Random, count: int) -> None:
    """Send `count` packets: valid ones, numbered ones in and out of order, mutations, noise, each in one buffer."""
    buffer = bytearray(SLOT)
    view = memoryview(buffer)
    noise = generator.randbytes(1 << 16)
    below, choice, receive = generator.randrange, generator.choice, bench.carrier.receive
    next_number = dict.fromkeys(range(len(bench.numbered)), 0)
    for packet in range(count):
        kind = packet % 10
        if kind < 4:
            which = below(len(bench.numbered))
            seed, offset = bench.numbered[which]
            ns = next_number[which] + (0, 0, 0, below(-3, 20))[kind] & 0xFFFFFF
            next_number[which] = ns + 1 if packet % 9973 else below(1 << 24)
            length = len(seed)
            buffer[:length] = seed
            buffer[offset : offset + 4] = (0x40000000 | ns & 0xFFFFFF).to_bytes(4, "big")
        else:
            seed = choice(bench.seeds)
            length = len(seed)
            buffer[:length] = seed
            if kind == 5:
                length = below(length + 1)
            elif kind == 6:
                length = below(100)
                at = below(len(noise) - 100)
                buffer[:length] = noise[at : at + length]
            elif kind == 7:
                length = below(length, SLOT)
            elif kind > 7:
                for _ in range(kind - 6):
                    buffer[below(24)] = below(256)
        receive(buffer, view, length)
        if packet % 50_000 == 0:
            bench.run_timers()


def resident_bytes() -> int:
    """The memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("encap", ["udp", "ip"])
@pytest.mark.timeout(120)
def test_nothing_raises_memory_stays_flat_and_every_packet_is_counted_once(encap: str) -> None:
    generator = random.Random(SEED)
    bench = Bench(encap)
    warm, rest = 50_000, PACKETS // 2
    pelt(bench, generator, warm)
    bench.run_timers()
    gc.collect()
    before = resident_bytes()
    pelt(bench, generator, rest)
    for one in bench.sessions:
        one.configure(one.settings._replace(recv_seq=False))  # gives out what reorder queues hold
    assert bench.counted() == warm + rest
    gc.collect()
    assert resident_bytes() - before < 4 << 20
    assert sum(sink.taken for sink in (*bench.sinks, *bench.tagged_sinks)) == sum(
        one.rx_packets for one in bench.sessions
    )
    assert min(sink.shortest for sink in bench.sinks) == 14
    assert max(sink.longest for sink in bench.sinks) == MTU + 18
    for counter in ("rx_packets", "rx_errors", "rx_seq_discards", "rx_oos_packets", "rx_cookie_discards", "rx_invalid"):
        assert sum(getattr(one, counter) for one in bench.sessions), counter


def test_a_dropped_packet_allocates_nothing_that_stays() -> None:
    """Others' bug: state was allocated before the packet was validated."""
    bench = Bench("udp")
    bad = bytearray(encode(Framing("udp", 8, "default"), 0x7777, bytes(60), bytes(8)))
    wrong = bytearray(bench.seeds[-1])
    wrong[8] ^= 0xFF
    for packet in (bad, wrong):
        view = memoryview(packet)
        bench.carrier.receive(packet, view, len(packet))
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(20_000):
                bench.carrier.receive(packet, view, len(packet))
            assert tracemalloc.get_traced_memory()[0] - before < 4096
        finally:
            tracemalloc.stop()


def test_an_endless_gap_holds_a_bounded_number_of_frames() -> None:
    """A peer that leaves a number out and goes on for ever: frames are given out, not piled up."""
    bench = Bench("udp")
    (held,) = [one for one in bench.sessions if one.settings.recv_seq and one.settings.reorder_timeout_ms][:1]
    framing = Framing("udp", len(held.settings.rx_cookie), "default")
    for ns in (0, *range(2, 5_000)):
        packet = bytearray(encode(framing, held.settings.session_id, bytes(60), held.settings.rx_cookie, sequence=ns))
        bench.carrier.receive(packet, memoryview(packet), len(packet))
    assert held.rx_packets > 3_900
    assert len(bench.timers) <= 1
