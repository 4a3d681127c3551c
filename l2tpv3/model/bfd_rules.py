"""One BFD session in asynchronous mode, without I/O (RFC 5880 section 6.8): when to send what, and whether it is up.

It may be with an address on a session's link, or with the other end in the session's control channel.

Times are in seconds of a clock that nobody sets, and are arguments. Take the packets that have come before asking what
is due: who was suspended, or came late on a busy machine, must not take that for a silence of the other end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from l2tpv3.model.probe import ProbeReport, ProbeState
from l2tpv3.wire.bfd import BfdPacket, BfdState, Diagnostic

SLOW_S: Final = 1.0
"""The shortest interval at which a session that is not up may send (section 6.8.3)."""
_US: Final = 1_000_000


class BfdRules:
    """now: as in all methods. Call `due` from then on, and at `next_at`.

    discriminator: which session of this host it is; not 0. chance: gives a number from 0 to 1, drawn at random, by
    which packets are sent somewhat earlier than is due, so that not all sessions of the world send at once.
    """

    def __init__(
        self, interval_s: float, multiplier: int, now: float, *, discriminator: int, chance: Callable[[], float]
    ) -> None:
        self.state = ProbeState.STARTING
        self.bfd_state = BfdState.DOWN
        self.since = now
        self._interval_s, self._multiplier = interval_s, multiplier
        self._discriminator, self._chance = discriminator, chance
        self._diagnostic = Diagnostic.NONE
        self._reason = self._failure = ""
        self._polling = self._final = False
        self._init_at = now  # when it came to wait for the other end to say that it hears this one
        self._far: BfdPacket | None = None
        self._heard_at = now
        self._send_at: float = now

    # -- time ------------------------------------------------------------------------------------------------------

    @property
    def next_at(self) -> float:
        """When to call `due` again, at the latest."""
        if self._final:
            return self._heard_at
        return min(self._send_at, self._silent_at)

    @property
    def _silent_at(self) -> float:
        """When the other end has been silent for too long (section 6.8.4)."""
        return self._heard_at + self._detection_s

    @property
    def _detection_s(self) -> float:
        if self._far is None:
            return self._multiplier * max(self._interval_s, SLOW_S)
        return self._far.multiplier * max(self._interval_s, self._far.desired_min_tx_us / _US)

    @property
    def _own_interval_s(self) -> float:
        """How often this end would like to send."""
        return self._interval_s if self.bfd_state is BfdState.UP else max(self._interval_s, SLOW_S)

    def _put_off(self, now: float) -> None:
        """Choose when to send the next packet (section 6.8.7)."""
        if self._far is not None and self._is_quiet(self._far):
            self._send_at = now + SLOW_S  # to look again
            return
        wanted_s = 0.0 if self._far is None else self._far.required_min_rx_us / _US
        most = 0.9 if self._multiplier == 1 else 1.0
        self._send_at = now + max(self._own_interval_s, wanted_s) * (most - (most - 0.75) * self._chance())

    def _is_quiet(self, far: BfdPacket) -> bool:
        """Whether the other end wants no packets of itself: it takes none, or asks for them when it needs them."""
        both_up = self.bfd_state is BfdState.UP and far.state is BfdState.UP
        return not far.required_min_rx_us or (far.demand and both_up and not self._polling)

    # -- packets ---------------------------------------------------------------------------------------------------

    def due(self, now: float) -> BfdPacket | None:
        """The packet to send now; None while none is due. Notices that the other end is silent, too."""
        if now >= self._silent_at:
            self._silence(now)
        if self.bfd_state is BfdState.INIT and now >= self._init_at + self._detection_s:
            self._become(ProbeState.DEAD, now, "the other end does not say that it hears this one")
        if self._final:
            self._final = False
            return self._packet(final=True)
        if now < self._send_at:
            return None
        quiet = self._far is not None and self._is_quiet(self._far)
        self._put_off(now)
        return None if quiet else self._packet(poll=self._polling)

    def was_away(self, now: float) -> None:
        """Whoever runs this was suspended, or too busy, for a while: what came meanwhile may be lost, or may come yet.

        So the silence until now counts for nothing.
        """
        self._heard_at = self._init_at = now

    def failed(self, problem: str) -> None:
        """The packet that was due could not be sent. problem: why."""
        self._failure = problem

    def last(self) -> BfdPacket:
        """What to send at the end: that this end watches no more, which is no failure of the link (section 6.8.16)."""
        self.bfd_state, self._diagnostic = BfdState.ADMIN_DOWN, Diagnostic.ADMIN_DOWN
        return self._packet()

    @property
    def farewell_s(self) -> float:
        """How long `last` is to be sent again and again, once an interval: the other end's detection time, by which it
        has either heard of it or finds out by itself (section 6.8.16)."""
        wanted_s = 0.0 if self._far is None else self._far.required_min_rx_us / _US
        return self._multiplier * max(self._interval_s, wanted_s)

    def _packet(self, *, poll: bool = False, final: bool = False) -> BfdPacket:
        return BfdPacket(
            state=self.bfd_state, diagnostic=self._diagnostic, poll=poll, final=final, multiplier=self._multiplier,
            mine=self._discriminator, yours=0 if self._far is None else self._far.mine,
            desired_min_tx_us=round(self._own_interval_s * _US), required_min_rx_us=round(self._interval_s * _US),
        )  # fmt: skip

    def received(self, packet: BfdPacket, now: float) -> None:
        """Take a packet of the other end (section 6.8.6). One that is for another session changes nothing."""
        if packet.yours not in (0, self._discriminator):
            return
        self._far, self._heard_at, self._failure = packet, now, ""
        if packet.final:
            self._polling = False
        self._final = self._final or packet.poll
        before = self.bfd_state
        self._follow(packet, now)
        if self.bfd_state is not before:
            self._init_at = now
            self._polling = self.bfd_state is BfdState.UP  # this end's interval has changed with it
            self._send_at = now

    def _follow(self, packet: BfdPacket, now: float) -> None:
        """The state machine (section 6.2)."""
        far, own = packet.state, self.bfd_state
        if far is BfdState.ADMIN_DOWN:
            if own is not BfdState.DOWN:
                self._down(Diagnostic.NEIGHBOR_DOWN)
            self._become(ProbeState.STARTING, now)  # nobody watches there, which says nothing of the link (RFC 5882)
        elif own is BfdState.DOWN and far is BfdState.DOWN:
            self.bfd_state = BfdState.INIT
        elif own is BfdState.UP and far is BfdState.DOWN:
            self._down(Diagnostic.NEIGHBOR_DOWN)
            if packet.diagnostic == Diagnostic.NONE:  # it begins, or began anew, which says nothing of the link
                self._become(ProbeState.STARTING, now)
            else:
                self._become(ProbeState.DEAD, now, _why_far_is_down(packet))
        elif (own, far) in _TO_UP:
            self.bfd_state, self._diagnostic = BfdState.UP, Diagnostic.NONE
            self._become(ProbeState.ALIVE, now)

    def _silence(self, now: float) -> None:
        """No packet has come for the detection time."""
        silent_s = self._detection_s
        if self.bfd_state in (BfdState.INIT, BfdState.UP):
            self._down(Diagnostic.TIME_EXPIRED)
            self._send_at = now
        told = self._far is not None and self._far.state is BfdState.ADMIN_DOWN
        if not told and self.state is not ProbeState.DEAD:
            ever = self.state is ProbeState.ALIVE
            why = f"no BFD packet came for {silent_s:g} s" if ever else "BFD has not come up: no packet came"
            self._become(ProbeState.DEAD, now, f"BFD packets can't be sent: {self._failure}" if self._failure else why)
        if not told:
            self._far = None  # it may have begun anew, with another discriminator (section 6.8.1)
        self._heard_at = now

    def _down(self, diagnostic: Diagnostic) -> None:
        self.bfd_state, self._diagnostic, self._polling = BfdState.DOWN, diagnostic, False

    def _become(self, state: ProbeState, now: float, reason: str = "") -> None:
        if state is not self.state:
            self.state, self.since, self._reason = state, now, reason

    def report(self, now: float) -> ProbeReport:
        """What is known."""
        return ProbeReport(state=self.state, since_s=now - self.since, reason=self._reason)


_TO_UP: Final = {
    (BfdState.DOWN, BfdState.INIT), (BfdState.INIT, BfdState.INIT), (BfdState.INIT, BfdState.UP),
}  # fmt: skip
"""What this end is, and what the other end says that it is, when this end comes up."""


def _why_far_is_down(packet: BfdPacket) -> str:
    if packet.diagnostic == Diagnostic.TIME_EXPIRED:
        return "the other end says that it hears nothing of this one"
    return "the other end says that BFD is down"
