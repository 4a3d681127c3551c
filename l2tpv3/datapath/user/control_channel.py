"""A worker's part in probing the other ends of sessions, by BFD in their control channels (l2tpv3.wire.vccv).

It goes past the session's netdev, so it works while that is down, has no carrier or no address, or is a bridge's port.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.model.bfd_rules import BfdRules
from l2tpv3.model.probe import ProbeReport, ProbeState
from l2tpv3.wire.vccv import encode_channel, read_channel
from l2tpv3.worker.loop import Loop

_LATE_S: Final = 0.05
"""A timer that is later than this, and than an interval, tells that this process was suspended, or had no CPU."""
_LAST_PACKETS: Final = 3
"""How often the other end is told at least that it is probed no more: such a packet may be lost, as any other."""

Changed = Callable[[WorkerSession, ProbeState], None]
"""Called with a session and what its probes say now."""


class ControlChannel:
    """BFD with the other end of one session."""

    def __init__(self, session: WorkerSession, loop: Loop, changed: Changed) -> None:
        self.timing = _timing(session)
        self._session, self._loop, self._changed = session, loop, changed
        now = time.monotonic()
        interval_ms, multiplier = self.timing
        self._interval_s = interval_ms / 1000
        self.rules = BfdRules(self._interval_s, multiplier, now, discriminator=_discriminator(), chance=_chance)
        self._due_at = now
        self._left_at: float | None = None
        self._last_packets = 0
        session.on_channel = self._receive
        self._wake(now)

    def _receive(self, payload: memoryview) -> None:
        packet = read_channel(payload)
        if packet is None or self._left_at is not None:
            return
        before = self.rules.state
        self.rules.received(packet, time.monotonic())
        if self.rules.state is not ProbeState.DEAD:
            self._session.rx_channel += 1
        self._note(before)
        if self.rules.next_at < self._due_at:
            self._wake(self.rules.next_at)

    def _note(self, before: ProbeState) -> None:
        if self.rules.state is not before:
            self._changed(self._session, self.rules.state)

    def _wake(self, when: float) -> None:
        """Have `_tick` called then, and not when it was to be called before."""
        self._due_at = when
        self._loop.at(when, lambda now: self._tick(now) if self._due_at == when else None)

    def _tick(self, now: float) -> None:
        if self._left_at is not None:
            self._say_last(now)
            return
        if now - self._due_at > max(_LATE_S, self._interval_s):
            self.rules.was_away(now)
        before = self.rules.state
        packet = self.rules.due(now)
        if packet is not None:
            self._session.send_channel(encode_channel(packet))
        self._note(before)
        self._wake(self.rules.next_at)

    def leave(self, *, at_once: bool) -> None:
        """Probe no more, and tell the other end so, for its detection time (RFC 5880 section 6.8.16).

        at_once: there will be no session any more, so it is told at once, several times.
        """
        self._left_at = time.monotonic()
        if at_once:
            for _ in range(_LAST_PACKETS):
                self._session.send_channel(encode_channel(self.rules.last()))
            self.end()
        else:
            self._say_last(self._left_at)

    def end(self) -> None:
        """Say nothing any more."""
        self._due_at = -1.0  # what is to be called yet is called in vain

    def _say_last(self, now: float) -> None:
        if self._session.gone or self._left_at is None:
            return
        self._session.send_channel(encode_channel(self.rules.last()))
        self._last_packets += 1
        if self._last_packets < _LAST_PACKETS or now - self._left_at < self.rules.farewell_s:
            self._wake(now + self._interval_s)


class ControlChannels:
    """The control channels of all sessions of a worker."""

    def __init__(self, loop: Loop, changed: Changed) -> None:
        self._loop, self._changed = loop, changed
        self._all: dict[WorkerSession, ControlChannel] = {}
        self._left: dict[WorkerSession, ControlChannel] = {}

    def keep(self, session: WorkerSession) -> None:
        """Have, or have not, what the session's settings say. Goes on where they are what they were."""
        channel = self._all.get(session)
        if channel is not None and channel.timing != _timing(session):
            del self._all[session]
            begins_anew = bool(session.settings.probe_interval_ms)
            channel.leave(at_once=begins_anew)
            if not begins_anew:
                self._left[session] = channel
                self._changed(session, ProbeState.STARTING)
        if session.settings.probe_interval_ms and session not in self._all:
            if (left := self._left.pop(session, None)) is not None:
                left.end()
            self._all[session] = ControlChannel(session, self._loop, self._changed)

    def begin_anew(self, session: WorkerSession) -> None:
        """The session has another far end now."""
        if self._all.pop(session, None) is not None:
            self._changed(session, ProbeState.STARTING)
            self.keep(session)

    def forget(self, session: WorkerSession) -> None:
        """The session is about to go."""
        self._left.pop(session, None)
        channel = self._all.pop(session, None)
        if channel is not None:
            channel.leave(at_once=True)

    def close(self) -> None:
        """All of them are about to go, with this process."""
        for session in list(self._all):
            self.forget(session)

    def report(self, session: WorkerSession) -> ProbeReport | None:
        """What is known of a session's other end; None where it is not probed."""
        channel = self._all.get(session)
        return None if channel is None else channel.rules.report(time.monotonic())


def _timing(session: WorkerSession) -> tuple[int, int]:
    return session.settings.probe_interval_ms, session.settings.probe_multiplier


def _discriminator() -> int:
    return int.from_bytes(os.urandom(4), "big") or 1


def _chance() -> float:
    return os.urandom(1)[0] / 255
