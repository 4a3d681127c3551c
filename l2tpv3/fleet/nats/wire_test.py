"""Tests the pseudowires of a host while its change waits for the decision. Both ends do the same: they ask and answer.

Each frame says which MTU its sender's netdev has, so each end knows the full size that both can carry. An end answers
until the change is decided, as the other end may begin later, or begin again.
"""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from l2tpv3.connect.frames import AGAIN_S, HEADER, NONCE, SMALL, TestFrame, opened, send
from l2tpv3.fleet.wire_frames import received
from l2tpv3.fleet.wires import what_is_missing

_TURN_S: Final = 0.5
"""How soon it notices that it is to stop."""

NO_NETDEV: Final = "has no netdev here"


def nonce_of(change: str) -> bytes:
    """What the test frames of a change have in common, and those of no other change have."""
    return hashlib.sha256(b"l2tpv3 fleet wire test\0" + change.encode()).digest()[:NONCE]


class WireTest(Protocol):
    """A test that goes on until it is closed."""

    def wrong(self) -> dict[str, str]:
        """What is wrong with pseudowires that do not pass all frames yet, by their names; empty once all do."""

    def close(self) -> None:
        """End it."""


@dataclass(slots=True)
class _Wire:
    """One end. peer_mtu: as the other end says; None until it was heard. answered: lengths of frames."""

    packets: socket.socket
    mtu: int
    peer_mtu: int | None = None
    answered: set[int] = field(default_factory=set)

    def lengths(self) -> list[int]:
        """The frames that have to be answered: of the full size only once it is known."""
        return [SMALL] if self.peer_mtu is None else [SMALL, max(SMALL, min(self.mtu, self.peer_mtu) + HEADER)]

    def missing(self) -> list[int]:
        """Those that are not answered yet."""
        return [length for length in self.lengths() if length not in self.answered]

    @property
    def passes(self) -> bool:
        """Whether all frames pass."""
        return self.peer_mtu is not None and not self.missing()


class FrameTest:
    """The WireTest of real netdevs, in a thread of its own.

    netdevs: the name and the MTU of each pseudowire's netdev; None where it has none. news: called, in that thread,
    when a pseudowire is found to pass. Raises L2tpError where a netdev can't be listened on.
    """

    def __init__(
        self, netdevs: Mapping[str, tuple[str, int] | None], nonce: bytes, news: Callable[[], None]
    ) -> None:  # fmt: skip
        self._nonce, self._news, self._over = nonce, news, threading.Event()
        self._without = {name: NO_NETDEV for name, netdev in netdevs.items() if netdev is None}
        self._opened = contextlib.ExitStack()
        try:
            self._wires = {
                name: _Wire(self._opened.enter_context(opened(netdev[0])), netdev[1])
                for name, netdev in netdevs.items()
                if netdev is not None
            }
        except BaseException:
            self._opened.close()
            raise
        self._thread = threading.Thread(target=self._run, name="wire test", daemon=True)
        self._thread.start()

    def wrong(self) -> dict[str, str]:
        """See WireTest."""
        failing = {name: what_is_missing(one.lengths(), one.answered) for name, one in self._wires.items()
                   if not one.passes}  # fmt: skip
        return self._without | failing

    def close(self) -> None:
        """See WireTest."""
        self._over.set()
        self._thread.join()
        self._opened.close()

    def _run(self) -> None:
        poll = select.poll()
        by_file = {one.packets.fileno(): one for one in self._wires.values()}
        for file in by_file:
            poll.register(file, select.POLLIN)
        again_at = 0.0
        while not self._over.is_set():
            now = time.monotonic()
            if now >= again_at:
                asked = self._ask()
                again_at = now + (AGAIN_S if asked else _TURN_S)
            for file, _ in poll.poll(1000 * max(0.0, again_at - now) + 1):
                self._hear(by_file[file])

    def _ask(self) -> bool:
        """Send what is not answered yet. Gives whether there was any."""
        failing = [one for one in self._wires.values() if not one.passes]
        for one in failing:
            for length in one.missing():
                self._send(one, length, asks=True)
        return bool(failing)

    def _hear(self, wire: _Wire) -> None:
        frame = received(wire.packets, self._nonce)
        if frame is None:
            return
        passed = wire.passes
        if wire.peer_mtu != frame.number:
            wire.peer_mtu = frame.number
            for length in wire.missing():
                self._send(wire, length, asks=True)
        if frame.asks:
            self._send(wire, frame.length, asks=False)
        else:
            wire.answered.add(frame.length)
        if wire.passes and not passed:
            self._news()

    def _send(self, wire: _Wire, length: int, *, asks: bool) -> None:
        frame = TestFrame(asks=asks, length=length, number=wire.mtu)
        send(wire.packets, frame.encode(self._nonce, wire.packets.getsockname()[4]))
