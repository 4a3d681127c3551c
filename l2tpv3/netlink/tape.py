"""What dumps told of the kernel, kept to see later whether they still tell the same: comparing bytes takes no parsing.

A tape holds the dumps of one look in their order, each with all that makes it: asked again in the same way they give
the same bytes as long as nothing has changed. Sequence numbers and the socket's port are in these bytes: a tape's
sockets count from 1 and share one port id. What a look learns in any other way is not on the tape, so it spoils it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

PORT = 0x4C32_5450
"""The netlink port id of sockets that are taped: one that the kernel does not hand out (netlink_autobind())."""


class Take(NamedTuple):
    """One dump. protocol, netns, opening: of its socket. kind, body: of the request. datagrams: the whole answer.

    opening: a number for each socket, as its first dump may be cut into other datagrams than a later one.
    """

    protocol: int
    netns: str | None
    opening: int
    kind: int
    body: bytes
    datagrams: list[bytes]


class Tape:
    """The dumps of a look. spoiled: something else was learned too, or the bytes won't come again."""

    def __init__(self) -> None:
        self.takes: list[Take] = []
        self.spoiled = False
        self.openings = 0


class _Running(threading.local):
    tape: Tape | None = None


_running = _Running()


@contextlib.contextmanager
def taping() -> Iterator[Tape]:
    """What this thread dumps in the block is put on the tape."""
    outer, _running.tape = _running.tape, Tape()
    try:
        yield _running.tape
    finally:
        _running.tape = outer


def running() -> Tape | None:
    """This thread's tape."""
    return _running.tape


def spoil() -> None:
    """Something was learned otherwise than by a dump."""
    if _running.tape is not None:
        _running.tape.spoiled = True
