"""Test frames through many sessions at once: one end of each asks, the other one answers."""

from __future__ import annotations

import contextlib
import math
import select
import socket
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from l2tpv3.connect.frames import AGAIN_S, TestFrame, opened, send

_TURN_S: Final = 0.5
"""How soon whoever answers notices that it is to stop."""
_AGAIN_MOST_S: Final = 3.2
"""A frame that nobody answers is sent again later each time, and after so long at most.

Where a thousand pseudowires are tested at once, frames that wait for their turn are not to be joined by more and more.
"""


class Answering:
    """Answers the frames of one test on these netdevs, in a thread of its own, until it is closed.

    Raises L2tpError where a netdev can't be listened on.
    """

    def __init__(self, ifnames: Collection[str], nonce: bytes) -> None:
        self._nonce, self._over = nonce, threading.Event()
        self._opened = contextlib.ExitStack()
        try:
            self._sockets = [self._opened.enter_context(opened(ifname)) for ifname in ifnames]
        except BaseException:
            self._opened.close()
            raise
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        poll = select.poll()
        by_file = {one.fileno(): one for one in self._sockets}
        for file in by_file:
            poll.register(file, select.POLLIN)
        while not self._over.is_set():
            for file, _ in poll.poll(_TURN_S * 1000):
                one = by_file[file]
                frame = received(one, self._nonce)
                if frame is not None and frame.asks:
                    answer = TestFrame(asks=False, length=frame.length, number=frame.number)
                    send(one, answer.encode(self._nonce, one.getsockname()[4]))

    def close(self) -> None:
        """Answer no more."""
        self._over.set()
        self._thread.join()
        self._opened.close()


def ask_all(wanted: Mapping[str, Sequence[int]], nonce: bytes, seconds: float) -> dict[str, set[int]]:
    """Send frames until all are answered, or the time is over. Gives the lengths that were answered, by netdev.

    wanted: the lengths of the frames for each netdev, in bytes. Raises L2tpError where a netdev can't be used.
    """
    answered: dict[str, set[int]] = {ifname: set() for ifname in wanted}
    give_up = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        sockets = {ifname: stack.enter_context(opened(ifname)) for ifname in wanted}
        by_file = {one.fileno(): ifname for ifname, one in sockets.items()}
        poll = select.poll()
        for file in by_file:
            poll.register(file, select.POLLIN)
        again_s = AGAIN_S
        while time.monotonic() < give_up and (missing := _send_missing(sockets, wanted, answered, nonce)):
            until = min(time.monotonic() + again_s, give_up)
            again_s = min(2 * again_s, _AGAIN_MOST_S)
            while missing and (left := until - time.monotonic()) > 0:
                for file, _ in poll.poll(math.ceil(left * 1000)):
                    ifname = by_file[file]
                    frame = received(sockets[ifname], nonce)
                    if frame is not None and not frame.asks and frame.length not in answered[ifname]:
                        answered[ifname].add(frame.length)
                        missing -= frame.length in wanted[ifname]
    return {ifname: answered[ifname] & {*lengths} for ifname, lengths in wanted.items()}


def _send_missing(
    sockets: Mapping[str, socket.socket],
    wanted: Mapping[str, Sequence[int]],
    answered: Mapping[str, set[int]],
    nonce: bytes,
) -> int:
    """Send the frames that are not answered yet. Gives how many they are."""
    missing = 0
    for ifname, lengths in wanted.items():
        packets = sockets[ifname]
        for length in lengths:
            if length not in answered[ifname]:
                missing += 1
                send(packets, TestFrame(asks=True, length=length).encode(nonce, packets.getsockname()[4]))
    return missing


def received(packets: socket.socket, nonce: bytes) -> TestFrame | None:
    """A test frame that came in; None for anything else."""
    try:
        data, address = packets.recvfrom(1 << 16)
    except OSError:  # the netdev went down
        return None
    return None if address[2] == socket.PACKET_OUTGOING else TestFrame.decode(data, nonce)
