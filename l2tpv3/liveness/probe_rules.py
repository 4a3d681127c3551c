"""Rules for the probes of one session, without I/O: when to send the next, and when what is probed counts as dead.

A probe is lost once an interval has gone by after it and none of the probes in flight was answered. So many lost ones
in a row as `multiplier` says, and it is dead; one answer, and it is alive. Probes are counted, and not the time: who
was suspended, or came late on a busy machine, has sent none meanwhile, and so has lost none. Take the answers that have
come before asking whether one is due.
"""

from __future__ import annotations

from l2tpv3.model.probe import ProbeReport, ProbeState

_NUMBERS = 1 << 16
"""Sequence numbers of ICMP echo requests have 16 bits."""


class ProbeRules:
    """now: the time of a clock that nobody sets, in seconds, as in all methods. Probes are due from then on.

    state: since `since`. next_at: when the next probe is due.
    """

    def __init__(self, interval_s: float, multiplier: int, now: float) -> None:
        self.state = ProbeState.STARTING
        self.since = self.next_at = now
        self._interval_s, self._multiplier = interval_s, multiplier
        self._round_trip_s: float | None = None
        self._reason = self._failure = ""
        self._answered_once = False
        self._number = self._unanswered = 0
        self._sent: dict[int, float] = {}

    def due(self, now: float) -> int | None:
        """The sequence number of a probe to send now; None while none is due."""
        if now < self.next_at:
            return None
        if self._unanswered >= self._multiplier and self.state is not ProbeState.DEAD:
            self._become(ProbeState.DEAD, now)
            self._reason = self._why()
        self.next_at = now + self._interval_s
        self._unanswered += 1
        self._number = (self._number + 1) % _NUMBERS
        self._sent[self._number] = now
        if len(self._sent) > self._multiplier:
            del self._sent[next(iter(self._sent))]
        return self._number

    def failed(self, problem: str) -> None:
        """The probe that was due could not be sent. problem: why."""
        self._failure = problem

    def answered(self, number: int, now: float) -> None:
        """An answer came. One that was answered before, or was never sent, changes nothing."""
        sent = self._sent.pop(number, None)
        if sent is None:
            return
        self._round_trip_s = now - sent
        self._unanswered, self._failure, self._reason = 0, "", ""
        self._answered_once = True
        if self.state is not ProbeState.ALIVE:
            self._become(ProbeState.ALIVE, now)

    def report(self, now: float) -> ProbeReport:
        """What is known."""
        return ProbeReport(
            state=self.state, since_s=now - self.since, reason=self._reason, round_trip_s=self._round_trip_s
        )

    def _become(self, state: ProbeState, now: float) -> None:
        self.state, self.since = state, now

    def _why(self) -> str:
        if self._failure:
            return f"probes can't be sent: {self._failure}"
        if not self._answered_once:
            return f"no probe was ever answered, {self._unanswered} by now"
        return f"{self._unanswered} probes in a row were not answered"
