"""What the clamping program makes of frames, as the kernel runs it on them, beside a model of it."""

from __future__ import annotations

import ctypes
import os
import platform
import random
import struct
from collections.abc import Iterator

import pytest

from l2tpv3.linux.bpf import syscall
from l2tpv3.linux.libc import checked, libc
from l2tpv3.netdev.clamp_program import clamp

pytestmark = pytest.mark.root

MTU = 1400
MACS = bytes.fromhex("020000000002020000000001")
TAGS = [b"", bytes.fromhex("8100000a"), bytes.fromhex("88a8000a81000014"), bytes.fromhex("8100000a") * 3]
_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_TEST_RUN = 10


@pytest.fixture(scope="module")
def program() -> Iterator[int]:
    fd = syscall.load("l2tpv3", clamp(MTU))
    yield fd
    os.close(fd)


def run(program: int, frame: bytes) -> tuple[int, bytes]:
    """The verdict, and what has become of the frame."""
    given, got = ctypes.create_string_buffer(frame, len(frame)), ctypes.create_string_buffer(4096)
    attributes = struct.pack(
        "=IIIIQQIIIIQQ", program, 0, len(frame), len(got), ctypes.addressof(given), ctypes.addressof(got), 1, 0, 0, 0,
        0, 0,
    )  # fmt: skip
    buffer = ctypes.create_string_buffer(attributes, 128)
    checked(libc.syscall(*map(ctypes.c_long, (_NUMBERS[platform.machine()], _TEST_RUN)), buffer, ctypes.c_long(128)))
    verdict, size = struct.unpack_from("=iI", buffer, 4)[0], struct.unpack_from("=I", buffer, 12)[0]
    return verdict, got.raw[:size]


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def segment(version: int, options: bytes, *, flags: int = 0x02, payload: bytes = b"", data_offset: int = 0) -> bytes:
    """An IP packet with a TCP segment, its checksum right."""
    doff = data_offset or 5 + len(options) // 4
    tcp = struct.pack("!HHIIBBHHH", 40000, 80, 7, 0, doff << 4, flags, 65535, 0, 0) + options + payload
    size = 4 if version == 4 else 16
    ends = bytes(range(1, size + 1)) + bytes(range(101, 101 + size))
    pseudo = ends + struct.pack("!IHH", len(tcp), 0, 6)
    whole = pseudo + tcp
    number = checksum(whole + bytes(len(whole) % 2))
    tcp = tcp[:16] + struct.pack("!H", number) + tcp[18:]
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + ends + tcp
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + ends + tcp


def frame(version: int, packet: bytes, tags: bytes = b"") -> bytes:
    return MACS + tags + (b"\x08\x00" if version == 4 else b"\x86\xdd") + packet


def mss(value: int) -> bytes:
    return struct.pack("!BBH", 2, 4, value)


def expected(options: bytes, most: int) -> bytes:
    """The options as they should be: the first MSS is `most` at the most, where what is before it is well-formed."""
    at = 0
    while at <= len(options) - 4 and options[at]:
        if options[at] == 1:
            at += 1
            continue
        length = options[at + 1]
        if length < 2 or (options[at] == 2 and length != 4):
            break
        if options[at] == 2:
            now = int.from_bytes(options[at + 2 : at + 4], "big")
            return options[: at + 2] + min(now, most).to_bytes(2, "big") + options[at + 4 :]
        at += length
    return options


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("tags", TAGS[:3])
@pytest.mark.parametrize("flags", [0x02, 0x12, 0xC2])
def test_it_lowers_what_syn_packets_announce(program: int, version: int, tags: bytes, flags: int) -> None:
    most = MTU - (40 if version == 4 else 60) - len(tags)
    for before in (b"", b"\x01", b"\x01\x01", b"\x01\x01\x01", b"\x03\x03\x07", bytes([8, 10, *range(8)])):
        for value in (1460, 9000, most, most - 1, 88):
            options = before + mss(value)
            options += bytes(-len(options) % 4)
            lowered = before + mss(min(value, most)) + options[len(before) + 4 :]
            given = frame(version, segment(version, options, flags=flags, payload=b"data"), tags)
            wanted = frame(version, segment(version, lowered, flags=flags, payload=b"data"), tags)
            assert run(program, given) == (-1, wanted)


@pytest.mark.parametrize("version", [4, 6])
def test_all_else_passes_as_it_is(program: int, version: int) -> None:
    plain = segment(version, mss(1460))
    later_fragment = plain[:6] + b"\x00\x10" + plain[8:]
    others = [
        frame(version, segment(version, mss(1460), flags=0x10)),  # no SYN
        frame(version, segment(version, b"", payload=mss(1460))),  # data, no option
        frame(version, segment(version, b"\x01" * 4 + b"\x00" * 4, payload=mss(1460))),
        frame(version, segment(version, b"\x01\x01\x01\x02", payload=b"\x04\x05\xb4")),  # an MSS that is half data
        frame(version, segment(version, mss(1460), data_offset=4)),
        frame(version, plain, TAGS[3]),  # more tags than are looked through
        frame(version, plain[: 9 if version == 4 else 6] + b"\x11" + plain[10 if version == 4 else 7 :]),  # UDP
        MACS + b"\x88\xb5" + plain,
        MACS + b"\x08\x06\x00",
        *([frame(4, later_fragment)] if version == 4 else []),
    ]
    for number, other in enumerate(others):
        assert run(program, other) == (-1, other), number


def test_no_list_of_options_confuses_it(program: int) -> None:
    """Checksums stay right, nothing but the first MSS changes, whatever is in the list and behind it."""
    dice = random.Random(20261130)
    kinds = [b"\x01", b"\x01\x01", mss(1460), mss(9000), mss(500), b"\x03\x03\x07", b"\x04\x02"]
    kinds += [bytes([8, 10, *range(8)]), b"\x00", b"\x02\x02", b"\x02\x05\x05\xb4\x00", b"\xfd\x00", b"\xfd\x01"]
    kinds += [b"\xfd\xff", b"\x02", b"\xfe\x28"]
    for _ in range(1500):
        version = dice.choice((4, 6))
        options = b"".join(dice.choices(kinds, k=dice.randrange(12)))[:40]
        options += dice.randbytes(-len(options) % 4)
        if dice.random() < 0.2:
            options = (b"\x01" * dice.choice((33, 34, 35, 36)) + options)[:36].ljust(36, b"\x01") + mss(1460)
        payload, tags = dice.randbytes(dice.randrange(20)), dice.choice(TAGS[:3])
        most = MTU - (40 if version == 4 else 60) - len(tags)
        given = frame(version, segment(version, options, payload=payload), tags)
        wanted = frame(version, segment(version, expected(options, most), payload=payload), tags)
        assert run(program, given) == (-1, wanted), options.hex(" ")
    for _ in range(1500):
        noise = bytearray(frame(4, segment(4, mss(1460) + b"\x01" * 36), dice.choice(TAGS)))
        for _ in range(dice.randrange(1, 8)):
            noise[dice.randrange(12, len(noise))] = dice.randrange(256)
        verdict, made = run(program, bytes(noise[: dice.randrange(60, len(noise) + 1)]))
        assert verdict == -1 and len(made) >= 60
