"""Loads on two hosts that are joined: TCP streams, frames at a given rate, pings."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import random
import re
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from l2tpv3.linux.netns import inside
from pace.field import INNER
from pace.sides import Joined

_CHUNK = 256 * 1024
_PATIENCE_S = 8.0
_ETHERTYPE = 0x88B5  # for local experiments: nobody takes such frames, and nobody else sends them


class Moved(NamedTuple):
    """What was carried: bits or frames a second, and the machine's CPU seconds meanwhile, for that amount."""

    rate: float
    cpu_s: float
    seconds: float


def cpu_seconds() -> float:
    """The machine's busy time since boot: user, nice, system, irq, softirq."""
    ticks = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split(maxsplit=8)[1:8]]
    return (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def process(host: str, work: Callable[[], None]) -> Iterator[int]:
    """A process in a host that does `work`, and is ended with the block."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException), inside(host):
            work()
        os._exit(0)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


def tcp(joined: Joined, *, streams: int = 1, reverse: int = 0, seconds: float) -> Moved:
    """The bits a second of TCP streams, after a second of running up; reverse: as many the other way at once."""
    directions = [0] * streams + [1] * reverse
    with contextlib.ExitStack() as stack:
        counters = [_start_stream(joined, source, stack) for source in directions]
        time.sleep(1.0)
        begun, before, cpu = time.monotonic(), sum(map(_read, counters)), cpu_seconds()
        time.sleep(seconds)
        took, after, used = time.monotonic() - begun, sum(map(_read, counters)), cpu_seconds() - cpu
    return Moved((after - before) * 8 / took, used, took)


@contextlib.contextmanager
def stream(joined: Joined) -> Iterator[None]:
    """A TCP stream that goes on for the length of a block, at full rate from its beginning on."""
    with contextlib.ExitStack() as stack:
        _start_stream(joined, 0, stack)
        time.sleep(1.0)
        yield


def _start_stream(joined: Joined, source: int, stack: contextlib.ExitStack) -> memoryview:
    """From host `source` to the other; gives the counter of bytes that arrived."""
    address = INNER[1 - source]
    with inside(joined.hosts[1 - source]):
        listener = stack.enter_context(socket.create_server((address, 0)))
    listener.settimeout(_PATIENCE_S)
    port = listener.getsockname()[1]
    stack.enter_context(process(joined.hosts[source], lambda: _send(address, port)))
    counter = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")
    connection = stack.enter_context(listener.accept()[0])
    stack.enter_context(process(joined.hosts[1 - source], lambda: _receive(connection, counter)))
    return counter


def _read(counter: memoryview) -> int:
    return int(counter[0])


def _send(address: str, port: int) -> None:
    with socket.create_connection((address, port), timeout=_PATIENCE_S) as connection:
        connection.settimeout(None)
        chunk = bytes(_CHUNK)
        while True:
            connection.send(chunk)


def _receive(connection: socket.socket, counter: memoryview) -> None:
    connection.settimeout(None)
    buffer = bytearray(4 * _CHUNK)
    while got := connection.recv_into(buffer):
        counter[0] += got


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _MsgHdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.POINTER(_IoVec)),
        ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_size_t), ("sent", ctypes.c_size_t),  # each with the gap behind it
    )  # fmt: skip


_BURST = 32


def frames(joined: Joined, sizes: Sequence[int], *, rate: float, seconds: float) -> tuple[float, Moved]:
    """Offer frames of these sizes, in turn, at a rate; gives the share that was lost, and what arrived a second."""
    before, cpu = _arrived(joined), cpu_seconds()
    begun = time.monotonic()
    sent = _offer(joined, sizes, rate, seconds)
    took = time.monotonic() - begun
    time.sleep(0.1)
    got = _arrived(joined) - before
    return 1 - got / sent, Moved(got / took, cpu_seconds() - cpu, took)


def _offer(joined: Joined, sizes: Sequence[int], rate: float, seconds: float) -> int:
    """Send from this thread, in bursts; gives how many. What the netdev refuses counts as sent: it is lost."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffers = [
        ctypes.create_string_buffer(bytes.fromhex("02000000000202000000000188b5") + bytes(size - 14), size)
        for size in sizes
    ]
    vectors = (_IoVec * len(sizes))(*(_IoVec(ctypes.addressof(buffer), len(buffer)) for buffer in buffers))
    messages = (_MsgHdr * len(sizes))()
    for message, vector in zip(messages, vectors, strict=True):
        message.iov, message.iovlen = ctypes.pointer(vector), 1
    with inside(joined.hosts[0]):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with sender:
        sender.bind((joined.ifnames[0], _ETHERTYPE))
        sender.setsockopt(263, 20, 1)  # SOL_PACKET, PACKET_QDISC_BYPASS
        begun, sent, position, size = time.monotonic(), 0, 0, ctypes.sizeof(_MsgHdr)
        while (now := time.monotonic() - begun) < seconds:
            due = int(now * rate) - sent
            if due < _BURST:
                time.sleep(0.0002)
                continue
            if due > rate * 0.02:  # it was not let run for long: no one makes up for that with a burst
                sent_late = due - int(rate * 0.02)
                begun += sent_late / rate
                due -= sent_late
            count = min(_BURST, len(sizes) - position)
            libc.sendmmsg(sender.fileno(), ctypes.byref(messages, position * size), count, 0x40)
            sent += count
            position = (position + count) % len(sizes)
    return sent


def _arrived(joined: Joined) -> int:
    command = ["ip", "-n", joined.hosts[1], "-s", "link", "show", joined.ifnames[1]]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    row = next(number for number, line in enumerate(lines) if "RX:" in line)
    return int(lines[row + 1].split()[1])


def frames_without_loss(joined: Joined, sizes: Sequence[int], *, seconds: float, loss: float = 0.01) -> Moved:
    """The highest rate at which less than that share is lost: doubled from below, then halved in between."""
    low, high, best = 20_000.0, 0.0, Moved(0, 0, 1)
    for _ in range(9):
        rate = (low + high) / 2 if high else low * 1.6
        lost, moved = frames(joined, sizes, rate=rate, seconds=seconds / 4)
        if lost < loss and moved.rate > rate * 0.9:
            low, best = rate, max(best, moved)
        else:
            high = rate
    return best


def imix(count: int = 1152) -> list[int]:
    """Sizes of frames in the proportions 7:4:1 that are called IMIX, shuffled once."""
    sizes = ([64] * 7 + [594] * 4 + [1446] * 1) * (count // 12)
    random.Random(1).shuffle(sizes)
    return sizes


def round_trip_us(joined: Joined, *, count: int = 300) -> float:
    """The median round trip of pings, in microseconds."""
    command = ["ip", "netns", "exec", joined.hosts[0], "ping", "-n", "-i", "0.003", "-c", str(count), INNER[1]]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60).stdout
    times = [float(value) * 1000 for value in re.findall(r"time=([\d.]+) ms", said)]
    return statistics.median(times) if times else float("inf")
