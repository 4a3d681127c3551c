"""Limits the open connections, in total and for each client."""

from __future__ import annotations

import os
from collections import Counter

from l2tpv3_api.auth.connection import Connection
from l2tpv3_api.limits import Limits

_RESERVE = 32  # for root, when everyone else has taken all there are


class ConnectionLimit:
    """Counts connections from accept(2) to their end, TLS handshakes included."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_key: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """The number of open connections."""
        return self._by_key.total()

    def admit(self, client: Connection) -> str:
        """Count one more connection. Returns the reason when there are too many; "" when it is admitted."""
        privileged = client.peer is not None and client.peer.uid in (0, os.geteuid())
        if self.total >= self._limits.connections + (_RESERVE if privileged else 0):
            return "connections"
        if self._by_key[client.key] >= self._limits.connections_each and not privileged:
            return "connections-each"
        self._by_key[client.key] += 1
        return ""

    def leave(self, client: Connection) -> None:
        """Note that a connection that was admitted has ended."""
        self._by_key[client.key] -= 1
        if not self._by_key[client.key]:
            del self._by_key[client.key]
