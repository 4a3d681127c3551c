"""One session that is probed, by ICMP echo requests or by BFD: its rules, and the socket that does what they say."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import time
from typing import Final, Protocol

from l2tpv3.errors import L2tpError
from l2tpv3.linux.bfd_socket import BfdSocket
from l2tpv3.linux.echo import EchoSocket
from l2tpv3.liveness.probe_rules import ProbeRules
from l2tpv3.model.bfd_rules import BfdRules
from l2tpv3.model.probe import ProbeKind, ProbeReport, ProbeState, ProbeTarget
from l2tpv3.wire.bfd import BfdPacket

_LAST_PACKETS: Final = 3
"""How often the other end is told at least that nobody watches here any more: such a packet may be lost, as any other.
"""


class Rules(Protocol):
    """What the two kinds of rules have in common; see ProbeRules."""

    @property
    def state(self) -> ProbeState:
        """What is known."""

    @property
    def next_at(self) -> float:
        """When something is due."""

    def report(self, now: float) -> ProbeReport:
        """What is known, in full."""


class HasFileno(Protocol):
    """A socket."""

    def fileno(self) -> int:
        """Readable when something has come."""


class Probed(Protocol):
    """A session that is probed. A netdev that is not there, or is down, loses what is to be sent."""

    target: ProbeTarget

    @property
    def rules(self) -> Rules:
        """When something is due, and what is known."""

    @property
    def socket(self) -> HasFileno | None:
        """The socket; None while there is none."""

    def receive(self) -> None:
        """Take what has come."""

    def send(self) -> None:
        """Send what is due."""

    def leave(self, now: float) -> float | None:
        """Probe no more: close the socket. Or give when to call this again, while there is something to say."""

    def close(self) -> None:
        """Close the socket at once."""


def probed(target: ProbeTarget, now: float) -> Probed:
    """Begin to probe."""
    return ProbedByBfd(target, now) if target.kind is ProbeKind.BFD else ProbedByEcho(target, now)


class ProbedByEcho:
    """See Probed."""

    def __init__(self, target: ProbeTarget, now: float) -> None:
        assert target.address is not None, "else a worker probes"
        self.target, self._address = target, target.address
        self.rules = ProbeRules(target.interval_s, target.multiplier, now)
        self.socket: EchoSocket | None = None

    def receive(self) -> None:
        """See Probed."""
        if self.socket is not None:
            for number in self.socket.answers():
                self.rules.answered(number, time.monotonic())

    def send(self) -> None:
        """See Probed."""
        number = self.rules.due(time.monotonic())
        if number is None:
            return
        try:
            if self.socket is None:
                self.socket = EchoSocket(self.target.netns, self.target.ifname, self._address)
            self.socket.send(number)
        except (OSError, L2tpError) as error:
            self.rules.failed(_problem(self.target, error))
            self.close()

    def leave(self, now: float) -> float | None:
        """See Probed. There is nothing to say."""
        self.close()
        return None

    def close(self) -> None:
        """See Probed."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class ProbedByBfd:
    """See Probed."""

    def __init__(self, target: ProbeTarget, now: float) -> None:
        assert target.address is not None, "else a worker probes"
        self.target, self._address = target, target.address
        self.rules = BfdRules(
            target.interval_s, target.multiplier, now,
            discriminator=1 + secrets.randbelow(0xFFFF_FFFF), chance=random.random,
        )  # fmt: skip
        self.socket: BfdSocket | None = None
        self._left_at = now
        self._last_packets = 0

    def receive(self) -> None:
        """See Probed."""
        if self.socket is not None:
            for packet in self.socket.packets():
                self.rules.received(packet, time.monotonic())

    def send(self) -> None:
        """See Probed."""
        packet = self.rules.due(time.monotonic())
        if packet is None:
            return
        try:
            self._send(packet)
        except (OSError, L2tpError) as error:
            self.rules.failed(_problem(self.target, error))
            self.close()

    def _send(self, packet: BfdPacket) -> None:
        if self.socket is None:
            self.socket = BfdSocket(self.target.netns, self.target.ifname, self._address)
        self.socket.send(packet)

    def leave(self, now: float) -> float | None:
        """See Probed. The other end is told, lest it take our silence for a failure: for its detection time (RFC 5880
        section 6.8.16), as such a packet may be lost, too."""
        if not self._last_packets:
            self._left_at = now
        self._last_packets += 1
        with contextlib.suppress(OSError, L2tpError):
            self._send(self.rules.last())
        if self._last_packets >= _LAST_PACKETS and now - self._left_at >= self.rules.farewell_s:
            self.close()
            return None
        return now + self.target.interval_s

    def close(self) -> None:
        """See Probed."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def _problem(target: ProbeTarget, error: OSError | L2tpError) -> str:
    return f"{target.ifname}: {os.strerror(error.errno or 0)}" if isinstance(error, OSError) else str(error)
