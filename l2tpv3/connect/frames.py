"""Tests a pseudowire by frames of its own: one end asks, the other answers with frames of the same length.

The frames have the ethertype for experiments (IEEE 802, 0x88B5) and a group address that no bridge passes on (802.1Q,
table 8-1), so that they never leave the two netdevs.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from l2tpv3.errors import from_errno
from l2tpv3.linux.readable import wait_readable
from l2tpv3.value_class import value_class

HEADER: Final = 14
SMALL: Final = 60
"""Bytes of the shortest ethernet frame, its check sequence left out."""
NONCE: Final = 16

_NUMBER: Final = 4
"""Bytes of a frame's number."""
_GROUP: Final = bytes.fromhex("0180c200000e")
_TYPE: Final = bytes.fromhex("88b5")
_MAGIC: Final = b"l2tpv3 wire"
_ASKS, _ANSWERS = b"?", b"!"
_ALL: Final = 0x0003  # ETH_P_ALL: a bridge takes frames of its ports before sockets of one ethertype get them
_OUTGOING: Final = 4  # PACKET_OUTGOING (linux/if_packet.h)
AGAIN_S: Final = 0.2
"""After so many seconds a frame that nobody answered is sent again."""


@value_class(frozen=True, slots=True, kw_only=True)
class TestFrame:
    """asks: an answer of the same length and number is wanted. length: of the whole frame, in bytes."""

    __test__ = False  # for pytest it has the name of a test

    asks: bool
    length: int
    number: int = 0

    def encode(self, nonce: bytes, source: bytes) -> bytes:
        """The frame, for the netdev that has the address `source`."""
        head = _GROUP + source + _TYPE + _MAGIC + nonce + (_ASKS if self.asks else _ANSWERS)
        head += self.number.to_bytes(_NUMBER, "big")
        return head.ljust(self.length, b"\0")

    @classmethod
    def decode(cls, frame: bytes, nonce: bytes) -> TestFrame | None:
        """The test frame that it is; None for any other, and for those of another test."""
        mark = _TYPE + _MAGIC + nonce
        kind = frame[12 + len(mark) : 13 + len(mark)]
        if frame[12 : 12 + len(mark)] != mark or kind not in (_ASKS, _ANSWERS):
            return None
        number = int.from_bytes(frame[13 + len(mark) :][:_NUMBER], "big")
        return cls(asks=kind == _ASKS, length=len(frame), number=number)


def ask(ifname: str, nonce: bytes, lengths: Collection[int], seconds: float) -> set[int]:
    """Send frames of these lengths until each is answered, or the time is over. Gives the lengths of the answers.

    Raises L2tpError where no packet socket can be opened on that netdev.
    """
    answered: set[int] = set()
    give_up = time.monotonic() + seconds
    with opened(ifname) as packets:
        while (missing := set(lengths) - answered) and time.monotonic() < give_up:
            for length in sorted(missing):
                _send(packets, TestFrame(asks=True, length=length), nonce)
            for frame in _heard(packets, nonce, time.monotonic() + AGAIN_S):
                if not frame.asks:
                    answered.add(frame.length)
                if answered >= set(lengths):
                    break
    return answered & set(lengths)


def answer(ifname: str, nonce: bytes, seconds: float) -> Iterator[int]:
    """Answer frames until the time is over. Gives the length of each that asked; first 0: from then on it listens.

    Raises what `ask` does.
    """
    give_up = time.monotonic() + seconds
    with opened(ifname) as packets:
        yield 0
        for frame in _heard(packets, nonce, give_up):
            if frame.asks:
                _send(packets, TestFrame(asks=False, length=frame.length, number=frame.number), nonce)
                yield frame.length


class Echo(NamedTuple):
    """took_s: how long an answer to a frame took; None where none came."""

    number: int
    length: int
    took_s: float | None


def measure(
    ifname: str, nonce: bytes, lengths: Collection[int], count: int, interval_s: float, wait_s: float
) -> Iterator[Echo]:
    """Send a frame of each length `count` times, and give each answer as it comes, then what was not answered.

    interval_s: between two frames of a length. wait_s: how long to wait for the last answers.
    """
    waiting: dict[tuple[int, int], float] = {}
    with opened(ifname) as packets:
        for number in range(1, count + 1):
            for length in lengths:
                waiting[number, length] = time.monotonic()
                _send(packets, TestFrame(asks=True, length=length, number=number), nonce)
            until_s = time.monotonic() + (interval_s if number < count else wait_s)
            for frame in _heard(packets, nonce, until_s):
                sent = None if frame.asks else waiting.pop((frame.number, frame.length), None)
                if sent is not None:
                    yield Echo(frame.number, frame.length, time.monotonic() - sent)
                if number == count and not waiting:
                    break
    yield from (Echo(number, length, None) for number, length in waiting)


@contextlib.contextmanager
def opened(ifname: str) -> Iterator[socket.socket]:
    """A packet socket of a netdev, for the length of the block. Raises NotFoundError, NotPermittedError ..."""
    try:
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    except OSError as error:
        raise from_errno(f"netdev {ifname}", "open a packet socket", error.errno or 0) from error
    with packets:
        try:
            packets.bind((ifname, _ALL))
        except OSError as error:
            raise from_errno(f"netdev {ifname}", "bind a packet socket to it", error.errno or 0) from error
        packets.settimeout(0)
        yield packets


def _send(packets: socket.socket, frame: TestFrame, nonce: bytes) -> None:
    send(packets, frame.encode(nonce, packets.getsockname()[4]))


def send(packets: socket.socket, frame: bytes) -> None:
    """Send a frame. A netdev that is down or has a full queue loses it, as a wire does: it is to be sent again."""
    with contextlib.suppress(OSError):
        packets.send(frame)


def _heard(packets: socket.socket, nonce: bytes, until_s: float) -> Iterator[TestFrame]:
    for data in received(packets, until_s):
        if (frame := TestFrame.decode(data, nonce)) is not None:
            yield frame


def received(packets: socket.socket, until_s: float) -> Iterator[bytes]:
    """The frames that come in until that time of the monotonic clock."""
    while (left_s := until_s - time.monotonic()) > 0:
        if not wait_readable([packets.fileno()], left_s):
            return
        try:
            data, address = packets.recvfrom(1 << 16)
        except OSError:  # the netdev went down
            continue
        if address[2] != _OUTGOING:
            yield data
