"""Notes what a tunnel's socket receives besides data: ICMP errors, and the control messages of a peer.

The worker's side; l2tpv3/reconcile/notes/heard.py puts it into words. All of it is off the path of packets that belong
here.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from struct import Struct
from typing import Final

from l2tpv3.wire.data import T_BIT, VERSION_MASK, Buffer

LASTING_S: Final = 1.5
"""How long ICMP errors have to come before they count: the two ends are not made at one moment."""
REFUSED_S: Final = 60.0
CONTROL_S: Final = 180.0
"""How long something that was heard counts; a peer says HELLO each minute, as a rule."""

_OF_SEND: Final = frozenset((errno.ECONNREFUSED, errno.ENOPROTOOPT))
_OF_RECEIVE: Final = _OF_SEND | {errno.EHOSTUNREACH}
"""Errnos by which a connected socket tells of an ICMP error, once (icmp_err_convert[] in net/ipv4/icmp.c). When sending
EHOSTUNREACH is of our own routes."""
_header = Struct("!H16xH").unpack_from  # flags and version; the value of the first AVP, the message's type
_HEADER_BYTES: Final = 20


class Heard:
    """refused: the errno of ICMP errors that came again and again; control: version and type of the last message.

    received: gives how many packets the tunnel's sessions have received. While some come, an error tells nothing.
    """

    def __init__(self, received: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._received, self._clock = received, clock
        self._refused, self._first, self._last = 0, 0.0, 0.0
        self._received_before = 0
        self._control, self._control_at = (0, 0), 0.0

    def receive_failed(self, number: int | None) -> None:
        """Receiving failed with that errno."""
        if number in _OF_RECEIVE:
            self._note(number or 0)

    def send_failed(self, number: int | None) -> None:
        """Sending failed with that errno."""
        if number in _OF_SEND:
            self._note(number or 0)

    def _note(self, number: int) -> None:
        now = self._clock()
        if not self._refused or now >= self._last + REFUSED_S:
            self._first, self._received_before = now, self._received()
        self._refused, self._last = number, now

    def message(self, packet: Buffer, length: int) -> None:
        """A packet came over UDP that is no data packet of ours; whether it is a control message is seen here."""
        if length < _HEADER_BYTES:
            return
        flags, kind = _header(packet)
        if flags & T_BIT:
            self._control, self._control_at = (flags & VERSION_MASK, kind), self._clock()

    def report(self) -> dict[str, int]:
        """JSON-ready: what was heard a short while ago; zeros where nothing was."""
        now = self._clock()
        if self._refused and self._received() != self._received_before:
            self._refused = 0
        lasting = self._last >= self._first + LASTING_S and now < self._last + REFUSED_S
        version, kind = self._control if now < self._control_at + CONTROL_S else (0, 0)
        return {"refused": self._refused if lasting else 0, "control_version": version, "control_type": kind}
