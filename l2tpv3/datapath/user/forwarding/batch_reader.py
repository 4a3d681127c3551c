"""Takes what waits at a file, a frame or packet to a slot, with one call for each."""

from __future__ import annotations

import errno
from collections.abc import Callable

from l2tpv3.linux.slots import Slots


def read_each(read: Callable[[list[memoryview]], int], slots: Slots, most: int) -> tuple[list[int], int]:
    """Read frames, in order, into the first slots; `most` at most. read: see tap_port.Port.read.

    Gives the length of each frame, and the errno that there was no more because of; 0: perhaps there is more.
    """
    lengths: list[int] = []
    try:
        for length in map(read, slots.slots[:most]):
            lengths.append(length)  # those before an error count
    except BlockingIOError:
        return lengths, errno.EAGAIN
    except OSError as error:
        return lengths, error.errno or errno.EIO
    return lengths, 0
