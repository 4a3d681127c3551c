"""Whether a session hears its far end. Only packets that came in and passed the cookie check count.

No I/O, and no clock: time is an argument, in seconds of a clock that is never set.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from l2tpv3.model.observed import Counters

UNHEARD_AFTER_S: Final = 30.0
"""How long packets have to be sent without one coming back before a session that was heard counts as unheard."""


class Hearing(StrEnum):
    """HEARD: packets of the far end have come. UNHEARD: packets are sent, and none comes. DEAD: probes say so, and
    nothing has come since.

    The first two tell nothing about a session on which nobody says anything: one that was heard stays so, however long
    ago that was. How long is told beside it.
    """

    HEARD = "heard"
    UNHEARD = "unheard"
    DEAD = "dead"


class Reception(NamedTuple):
    """When a session received something, as far as somebody takes note of it. Times are in seconds.

    ever: whether a good packet has come. last_received_s: how long ago the last one came; None where none has, or only
    before somebody took note. in_vain_s: how much time went by between the first and the last packet that was sent
    since then; None where none was sent.
    """

    ever: bool = False
    last_received_s: float | None = None
    in_vain_s: float | None = None


@dataclass(slots=True)
class ReceptionTracker:
    """Notes when a session's counters of packets grow. Call `look` often: the times are as exact as that is often.

    rx_packets, tx_packets: the counters as they are. ever: whether what was counted until then is of this far end.
    """

    rx_packets: int = 0
    tx_packets: int = 0
    ever: bool = False
    _received_at: float | None = None
    _first_sent_at: float | None = None
    _last_sent_at: float = 0.0

    def look(self, rx_packets: int, tx_packets: int, now: float) -> None:
        """Take the counters. Those that have become less are of a session that was made anew, which begins at 0."""
        if rx_packets < self.rx_packets or tx_packets < self.tx_packets:
            self.rx_packets = self.tx_packets = 0
            self.ever = False
            self._received_at = self._first_sent_at = None
        if rx_packets != self.rx_packets:
            self.ever, self._received_at, self._first_sent_at = True, now, None
        elif tx_packets != self.tx_packets:
            self._last_sent_at = now
            if self._first_sent_at is None:
                self._first_sent_at = now
        self.rx_packets, self.tx_packets = rx_packets, tx_packets

    def reception(self, now: float) -> Reception:
        """What was noted."""
        return Reception(
            self.ever,
            None if self._received_at is None else now - self._received_at,
            None if self._first_sent_at is None else self._last_sent_at - self._first_sent_at,
        )

    def to_json(self) -> list[Any]:
        """All of it, for a file."""
        times = self._received_at, self._first_sent_at, self._last_sent_at
        return [self.rx_packets, self.tx_packets, self.ever, *times]

    @classmethod
    def from_json(cls, values: object) -> ReceptionTracker:
        """The inverse of to_json. Raises ValueError where it is none."""
        if not isinstance(values, list) or list(map(type, values[:3])) != [int, int, bool] or len(values) != 6:
            raise ValueError("no tracker")
        if not all(one is None or type(one) is float for one in values[3:]) or values[5] is None:
            raise ValueError("no times")
        return cls(*values)


def hearing_of(counters: Counters, reception: Reception | None, dead_for_s: float | None = None) -> Hearing | None:
    """Judge a session. None: nothing was sent, and nothing has come.

    reception: None where nobody takes note of times. Then the counters alone tell whether anything ever came.
    dead_for_s: for how many seconds what its probes ask has been dead; None where it is not.
    """
    last_received_s = None if reception is None else reception.last_received_s
    if dead_for_s is not None and (last_received_s is None or last_received_s >= dead_for_s):
        return Hearing.DEAD
    if reception is None:
        if counters.rx_packets:
            return Hearing.HEARD
        return Hearing.UNHEARD if counters.tx_packets else None
    in_vain_s = reception.in_vain_s
    if in_vain_s is not None and (not reception.ever or in_vain_s >= UNHEARD_AFTER_S):
        return Hearing.UNHEARD
    return Hearing.HEARD if reception.ever else None


def hearing_of_all(sessions: Iterable[Hearing | None]) -> Hearing | None:
    """Judge a tunnel by its sessions: it is heard when one of them is, else dead when one of them is."""
    found = set(sessions)
    return next((one for one in (Hearing.HEARD, Hearing.DEAD, Hearing.UNHEARD) if one in found), None)
