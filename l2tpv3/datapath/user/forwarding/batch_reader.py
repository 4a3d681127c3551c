"""Takes what waits at a file, a frame or packet to a slot: with one call for all by io_uring, or with one for each."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from typing import Final

from l2tpv3.linux.io_uring import Ring, are_refused, files
from l2tpv3.linux.slots import Slots

_FILLED: Final = 0.75
"""How full a batch has to be for the next one to be asked for by io_uring: to ask in vain takes a third of the time of
a frame, and each call as much as several frames."""

Taken = tuple[list[int], int]
"""The lengths of what is in the first slots now, and the errno that there was no more because of; 0: perhaps is."""


def read_each(read: Callable[[list[memoryview]], int], slots: Slots, most: int) -> Taken:
    """Reads frames with one call for each. read: see port.Port.read."""
    lengths: list[int] = []
    try:
        for length in map(read, slots.slots[:most]):
            lengths.append(length)  # those before an error count
    except BlockingIOError:
        return lengths, errno.EAGAIN
    except OSError as error:
        return lengths, error.errno or errno.EIO
    return lengths, 0


class BatchReader:
    """Reads frames from one non-blocking file."""

    def __init__(self, fd: int, ring: Ring | None) -> None:
        self._read = partial(os.readv, fd)
        self._ring = ring
        self._files = files(fd) if ring is not None else None
        self._filled = False

    @property
    def batched(self) -> bool:
        """Whether one call takes many."""
        return self._ring is not None

    def read(self, slots: Slots, most: int) -> Taken:
        """Take `most` at most, in order."""
        ring, files = self._ring, self._files
        if self._filled and ring is not None and files is not None:
            taken = ring.perform(slots.reads, files, most), 0
            if len(taken[0]) < most or min(taken[0]) < 0:
                taken = self._sort_out(slots, taken[0], most)
        else:
            taken = read_each(self._read, slots, most)
        self._filled = len(taken[0]) >= most * _FILLED
        return taken

    def _sort_out(self, slots: Slots, results: list[int], asked: int) -> Taken:
        """Some were not read."""
        if are_refused(results):
            self._ring = None
        if not results or self._ring is None:
            return read_each(self._read, slots, asked)
        lengths: list[int] = []
        for place, result in enumerate(results):
            if result >= 0:
                if place > len(lengths):  # it came just after the one before was asked for
                    slots.move(place, len(lengths), result)
                lengths.append(result)
        return lengths, next((-result for result in reversed(results) if result < 0), 0)
