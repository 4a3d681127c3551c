"""Many reads and writes with one call: the same bytes in the same order, whatever the ring does."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle, islice

import pytest

from l2tpv3.datapath.user.forwarding.batch_reader import BatchReader
from l2tpv3.datapath.user.forwarding.buffers import ReceiveLayout
from l2tpv3.linux.io_uring import Ring, files, open_ring, requests
from l2tpv3.linux.libc import libc
from l2tpv3.linux.slots import BATCH, HEADROOM, Slots, address_of


@pytest.fixture
def ring() -> Iterator[Ring]:
    """A ring."""
    made = open_ring()
    if made is None:
        pytest.skip("this kernel has no io_uring, or does not let us")
    yield made
    made.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets that keep what is sent apart."""
    with ExitStack() as stack:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (one, other):
            stack.enter_context(each).settimeout(0)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        yield one, other


def taken(slots: Slots, lengths: list[int]) -> list[bytes]:
    """What lies in the first slots."""
    return [bytes(slots.view[start : start + length]) for start, length in zip(slots.starts, lengths, strict=False)]


def test_it_reads_what_waits_in_order_as_often_as_is_asked(
    ring: Ring, ends: tuple[socket.socket, socket.socket]
) -> None:
    """Counts that do not divide the ring's size: it goes on where it was, over its end."""
    near, far = ends
    slots, those = Slots(), files(far.fileno())
    for turn, count in enumerate(islice(cycle([1, 37, 64, 5, 63]), 60)):
        sent = [os.urandom(1 + (turn * 7 + number) % 1500) for number in range(count)]
        for each in sent:
            near.send(each)
        lengths = ring.perform(slots.reads, those, count)
        assert taken(slots, lengths) == sent
    assert ring.perform(slots.reads, those, 3) == [-errno.EAGAIN] * 3


def test_it_writes_a_layout(ring: Ring, ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    memory = memoryview(bytearray(os.urandom(100 * 64)))
    layout = ReceiveLayout(memory, 100, 4, 8, slice(12, 100))
    for count in (64, 1, 33, 64, 50, 64):
        assert ring.perform(layout.writes, files(near.fileno()), count) == [88] * count
        assert [far.recv(200) for _ in range(count)] == [bytes(frame) for frame in layout.frames[:count]]


def test_it_can_do_nothing_else(ring: Ring) -> None:
    """Nobody who gets hold of the worker opens or connects anything by it."""
    name = b"/etc/hostname\0"
    memory = bytearray(name)
    open_at = 18  # IORING_OP_OPENAT
    (result,) = ring.perform(requests(open_at, [address_of(memory)], [0]), files(-100), 1)
    assert result == -errno.EACCES
    register_files = 2
    assert libc.syscall(427, ring.fd, register_files, None, 0) < 0


def test_errors_are_results(ring: Ring) -> None:
    slots = Slots()
    assert ring.perform(slots.reads, files(-1), 1) == [-errno.EBADF]


def test_a_reader_takes_by_one_call_once_much_came(ring: Ring, ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    reader, slots = BatchReader(far.fileno(), ring), Slots()
    sent = [os.urandom(100 + number % 3) for number in range(200)]
    found: list[bytes] = []
    for each in sent:
        near.send(each)
    ended_by = 0
    while not ended_by:
        lengths, ended_by = reader.read(slots, BATCH)
        found += taken(slots, lengths)
    assert (found, ended_by) == (sent, errno.EAGAIN)
    assert reader.batched


class Told:
    """Stands in for a ring where what is wanted is an answer that a kernel gives rarely, or an older one always."""

    def __init__(self, *answers: list[int]) -> None:
        self.answers = list(answers)

    def perform(self, _requests: bytes, _files: object, _count: int) -> list[int]:
        """Ring.perform."""
        return self.answers.pop(0)


def filled(ends: tuple[socket.socket, socket.socket], *answers: list[int]) -> tuple[BatchReader, Slots]:
    """A reader that asks its ring next, which gives these answers."""
    near, far = ends
    reader, slots = BatchReader(far.fileno(), Told(*answers)), Slots()  # type: ignore[arg-type]
    for _ in range(8):
        near.send(b"before")
    assert len(reader.read(slots, 8)[0]) == 8
    return reader, slots


def test_what_comes_between_two_reads_moves_up(ends: tuple[socket.socket, socket.socket]) -> None:
    again = -errno.EAGAIN
    reader, slots = filled(ends, [3, again, 4, again, again, 5, again])
    for place, content in ((0, b"one"), (2, b"four"), (5, b"fives")):
        start = slots.starts[place]
        slots.buffer[start : start + len(content)] = content
    lengths, ended_by = reader.read(slots, 7)
    assert taken(slots, lengths) == [b"one", b"four", b"fives"]
    assert ended_by == errno.EAGAIN


@pytest.mark.parametrize("answer", [[], [-errno.EOPNOTSUPP] * 8, [-errno.EINVAL] * 8])
def test_what_a_ring_does_not_do_is_read_one_by_one(
    ends: tuple[socket.socket, socket.socket], answer: list[int]
) -> None:
    reader, slots = filled(ends, answer)
    ends[0].send(b"after")
    assert reader.read(slots, 8) == ([5], errno.EAGAIN)
    assert reader.batched is not bool(answer)
    assert bytes(slots.view[HEADROOM : HEADROOM + 5]) == b"after"


def test_what_icmp_told_of_a_socket_is_no_refusal(ends: tuple[socket.socket, socket.socket]) -> None:
    """It fails one read, by an errno that an old kernel gives for each."""
    reader, slots = filled(ends, [-errno.EOPNOTSUPP, 5, -errno.EAGAIN])
    start = slots.starts[1]
    slots.buffer[start : start + 5] = b"after"
    assert reader.read(slots, 3) == ([5], errno.EAGAIN)
    assert bytes(slots.view[HEADROOM : HEADROOM + 5]) == b"after"
    assert reader.batched


def test_a_netdev_that_is_gone_is_told(ends: tuple[socket.socket, socket.socket]) -> None:
    reader, slots = filled(ends, [2, -errno.EBADFD, -errno.EBADFD])
    assert reader.read(slots, 3) == ([2], errno.EBADFD)
