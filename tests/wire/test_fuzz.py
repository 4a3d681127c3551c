"""Over a million mutated and random packets: nothing raises but DecodeError where it is allowed to, memory stays flat.

Seeded, so that a failure can be had again: the seed and the packet's number are in the assertion. L2TPV3_FUZZ_PACKETS
sets how many packets the receive path gets, for a longer run by hand.
"""

from __future__ import annotations

import gc
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from l2tpv3.wire import avp, control, data
from l2tpv3.wire.data import Framing, ReceiveHeader
from l2tpv3.wire.errors import DecodeError
from l2tpv3.wire.sequence import ReceiveSequence
from tests.wire.control_cases import TABLE
from tests.wire.golden_cases import golden_packets

SEED = 3931
DEMUX_PACKETS = int(os.environ.get("L2TPV3_FUZZ_PACKETS", "1200000"))
CONTROL_PACKETS = 150_000
SLOT = 2048
DATA_CODES = {data.CONTROL, data.SESSION_ZERO, data.SHORT, data.BAD_VERSION}


def resident_bytes() -> int:
    """The memory this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def mutations(generator: random.Random, seeds: list[bytes], count: int) -> Iterator[tuple[bytearray, int]]:
    """Give `count` packets in one reused buffer, each a seed cut, overwritten or stretched, or plain noise."""
    buffer = bytearray(SLOT)
    noise = generator.randbytes(1 << 16)
    choice, below = generator.choice, generator.randrange
    for number in range(count):
        seed = choice(seeds)
        length = len(seed)
        buffer[:length] = seed
        kind = number & 7
        if kind < 4:  # one to four bytes changed, mostly in the header
            for _ in range(kind + 1):
                buffer[below(24 if kind else length)] = below(256)
        elif kind == 4:  # cut anywhere
            length = below(length + 1)
        elif kind == 5:  # noise with a plausible length
            length = below(100)
            at = below(len(noise) - 100)
            buffer[:length] = noise[at : at + length]
        elif kind == 6:  # stretched, and a bit flipped
            length = below(length, SLOT)
            buffer[below(min(length, 64))] ^= 1 << below(8)
        else:  # extreme values in a 16-bit field
            at = below(0, 22, 2)
            buffer[at : at + 2] = choice((b"\0\0", b"\xff\xff", b"\0\5", b"\x7f\xff", b"\x80\0", b"\0\1"))
        yield buffer, length


def test_the_receive_path_never_raises() -> None:
    """Classify, find the session, check the cookie, read and judge the sequence number, as a datapath does."""
    packets = golden_packets()
    seeds = [p.payload for p in packets]
    seeds += [seed[:4] + bytes(4) + seed[8:] for seed in seeds[:20]]  # session id 0
    seeds += [bytes.fromhex(text) for text, _ in TABLE]
    generator = random.Random(SEED)
    sessions = {p.session_id: ReceiveHeader(p.framing, p.cookie) for p in packets}
    sequences = {p.session_id: ReceiveSequence(0.5, max_held=32) for p in packets if p.framing.sublayer == "default"}
    outcomes: Counter[int] = Counter()
    settled = 0
    for number, (buffer, length) in enumerate(mutations(generator, seeds, DEMUX_PACKETS)):
        if number == DEMUX_PACKETS // 10:
            settled = resident_bytes()
        classify = data.classify_udp if number % 3 else data.classify_ip
        code = classify(buffer, length)
        if code <= 0:
            assert code in DATA_CODES, (SEED, number)
            outcomes[code] += 1
            continue
        session = sessions.get(code)
        if session is None:
            continue
        start = session.check(buffer, length)
        if start < 0:
            assert start in (data.SHORT, data.BAD_COOKIE), (SEED, number)
            outcomes[start] += 1
            continue
        assert start + data.MIN_FRAME_BYTES <= length, (SEED, number)
        outcomes[1] += 1
        if session.sublayer_offset >= 0 and (ns := data.read_sequence(buffer, session.sublayer_offset)) >= 0:
            sequence = sequences[code]
            if not sequence.in_order(ns):
                sequence.accept(ns, memoryview(buffer)[start:length], number * 1e-4)
    # Every branch was taken often, or the fuzzing proves little.
    for code in (data.CONTROL, data.SESSION_ZERO, data.SHORT, data.BAD_VERSION, data.BAD_COOKIE, 1):
        assert outcomes[code] > DEMUX_PACKETS // 1000, (code, outcomes)
    assert resident_bytes() - settled < 4 << 20
    assert all(s.held <= 32 for s in sequences.values())


def test_control_messages_only_give_decode_errors() -> None:
    """The decoder of control messages and AVPs, and the readers of typed values."""
    seeds = [bytes.fromhex(text) for text, _ in TABLE]
    seeds += [bytes(4) + seed for seed in seeds]
    generator = random.Random(SEED + 1)
    outcomes: Counter[str] = Counter()
    settled = 0
    for number, (buffer, length) in enumerate(mutations(generator, seeds, CONTROL_PACKETS)):
        if number == CONTROL_PACKETS // 10:
            settled = resident_bytes()
        view = memoryview(buffer)[:length]
        try:
            message = control.decode(view, "ip" if buffer[0] == 0 else "udp")
            outcomes["good"] += 1
        except DecodeError as error:
            outcomes[type(error).__name__] += 1
            continue
        assert sum(6 + len(item.value) for item in message.avps) <= length, (SEED, number)
        for item in message.avps:
            try:
                avp.read(item)
            except DecodeError:
                outcomes["value"] += 1
        view.release()
    for kind in ("good", "value", "BadAVP", "BadHeader", "BadVersion", "Truncated", "WrongKind"):
        assert outcomes[kind] > CONTROL_PACKETS // 2000, outcomes
    gc.collect()
    assert resident_bytes() - settled < 4 << 20


def test_the_friendly_decoder_only_gives_decode_errors() -> None:
    packets = golden_packets()
    generator = random.Random(SEED + 2)
    framings = [Framing(e, c, s) for e in ("udp", "ip") for c in (0, 4, 8) for s in ("default", "none")]
    good = 0
    for number, (buffer, length) in enumerate(mutations(generator, [p.payload for p in packets], 60_000)):
        framing = framings[number % 12]
        try:
            packet = data.decode(framing, memoryview(buffer)[:length])
        except DecodeError:
            continue
        good += 1
        assert framing.header_length + len(packet.frame) == length
    assert good > 10_000
