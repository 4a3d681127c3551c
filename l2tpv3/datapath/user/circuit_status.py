"""A worker's part in telling the far end whether the circuit behind a session works, and in hearing it.

Only of sessions for which it is asked to (a port that follows its far end). What the far end tells shows as the carrier
of the session's netdev. There is nothing that would say that a message was lost, so each is said again every second;
and a far end that was heard once and is silent for long counts as one whose circuit is down.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from l2tpv3.datapath.user.forwarding.receiver import TunnelReceiver
from l2tpv3.datapath.user.forwarding.session import WorkerSession
from l2tpv3.wire.circuit_status import CircuitStatus, read_circuit_status
from l2tpv3.worker.loop import Loop

EVERY_S: Final = 1.0
SILENT_S: Final = 5.5
"""After so long a silence the far end counts as down: five messages in a row were lost, or it is not there."""


class CircuitConfig(NamedTuple):
    """How a session's circuit is to be told. ccid: the far end's tunnel id. up: what it is told.

    heard: what an earlier worker heard of it last.
    """

    carrier: TunnelReceiver
    encap: str
    ccid: int
    up: bool
    heard: bool | None


class CircuitStatusSender:
    """The circuit status of one session. heard: what the far end told; None while it never did."""

    def __init__(self, session: WorkerSession, wanted: CircuitConfig) -> None:
        self.wanted = wanted
        self.heard: bool | None = None
        self._session = session
        self._ns = 0
        self._when = 0.0
        if wanted.heard is not None:
            self.hear(up=wanted.heard, now=time.monotonic())

    def tell(self) -> None:
        """Send what it is told."""
        settings = self._session.settings
        carrier, encap, ccid, up, _ = self.wanted
        status = CircuitStatus(settings.peer_session_id, settings.session_id, up, settings.tx_cookie)
        carrier.send_control(status.encode(encap, ccid, self._ns))
        self._ns = self._ns + 1 & 0xFFFF

    def hear(self, *, up: bool, now: float) -> None:
        """Take what it tells."""
        self._when = now
        if up is not self.heard:
            self.heard = up
            self._session.set_carrier("circuit", up=up)

    def age(self, now: float) -> None:
        """Notice that it says nothing any more."""
        if self.heard and now - self._when > SILENT_S:
            self.hear(up=False, now=now)

    def fits(self, status: CircuitStatus) -> bool:
        """Whether a message is of this session's far end."""
        settings = self._session.settings
        same = (status.session_id, status.peer_session_id) == (settings.session_id, settings.peer_session_id)
        return same and hmac.compare_digest(status.cookie, settings.rx_cookie)

    def end(self) -> None:
        """Tell and hear nothing any more."""
        if self.heard is False and not self._session.gone:
            self._session.set_carrier("circuit", up=True)


class CircuitStatusSenders:
    """The circuit status of all sessions of a worker."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._all: dict[WorkerSession, CircuitStatusSender] = {}
        self._ticking = False

    def keep(self, wanted: Mapping[WorkerSession, CircuitConfig]) -> None:
        """Have these and no others; tell at once what is new."""
        for session in self._all.keys() - wanted.keys():
            self.forget(session)
        for session, one in wanted.items():
            circuit = self._all.get(session)
            news = circuit is None or circuit.wanted.up is not one.up
            if circuit is None:
                circuit = self._all[session] = CircuitStatusSender(session, one)
                one.carrier.on_control = partial(self._hear, one.carrier, one.encap)
            circuit.wanted = one
            if news:
                circuit.tell()
        if self._all and not self._ticking:
            self._ticking = True
            self._loop.at(time.monotonic() + EVERY_S, self._tick)

    def heard(self, session: WorkerSession) -> bool | None:
        """See Circuit.heard."""
        circuit = self._all.get(session)
        return circuit.heard if circuit is not None else None

    def forget(self, session: WorkerSession) -> None:
        """Have none for that session."""
        if (circuit := self._all.pop(session, None)) is not None:
            circuit.end()

    def move(self, session: WorkerSession, carrier: TunnelReceiver, encap: str, ccid: int) -> None:
        """The session has another socket, or the far end another id; what was heard of its circuit still holds."""
        if (circuit := self._all.get(session)) is not None:
            circuit.wanted = circuit.wanted._replace(carrier=carrier, encap=encap, ccid=ccid)
            carrier.on_control = partial(self._hear, carrier, encap)

    def _tick(self, now: float) -> None:
        for circuit in self._all.values():
            circuit.tell()
            circuit.age(now)
        self._ticking = bool(self._all)
        if self._ticking:
            self._loop.at(now + EVERY_S, self._tick)

    def _hear(self, carrier: TunnelReceiver, encap: str, payload: memoryview) -> None:
        status = read_circuit_status(payload, encap)
        session = carrier.sessions.get(status.session_id) if status is not None else None
        circuit = self._all.get(session) if session is not None else None
        if status is not None and circuit is not None and circuit.fits(status):
            circuit.hear(up=status.active, now=time.monotonic())
