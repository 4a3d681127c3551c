"""A UDP relay between two tunnels that loses and reorders exactly what a test says."""

from __future__ import annotations

import socket

from l2tpv3.linux.netns import inside
from tests.datapath.user.ends import End
from tests.waiting import PATIENCE_S

NEAR_PORT, FAR_PORT = 7001, 7002
"""The relay's two ports, on the far host: the near tunnel's remote, and the far tunnel's."""


class Relay:
    """Takes packets from the near tunnel, to be passed on in any order; `from_far` the other way round."""

    def __init__(self, near: End, far: End) -> None:
        self._near_peer = (near.host.v4, 1701)
        self._far_peer = (far.host.v4, 1701)
        with inside(far.host.netns):
            self._near_side = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._far_side = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for one, port in ((self._near_side, NEAR_PORT), (self._far_side, FAR_PORT)):
            one.bind((far.host.v4, port))
            one.settimeout(PATIENCE_S)

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *exc: object) -> None:
        self._near_side.close()
        self._far_side.close()

    def from_near(self, count: int) -> list[bytes]:
        """The next `count` packets that the near tunnel sent."""
        return [self._near_side.recv(65535) for _ in range(count)]

    def from_far(self, count: int) -> list[bytes]:
        """The next `count` packets that the far tunnel sent."""
        return [self._far_side.recv(65535) for _ in range(count)]

    def to_far(self, packets: list[bytes]) -> None:
        """Pass packets on to the far tunnel."""
        for packet in packets:
            self._far_side.sendto(packet, self._far_peer)

    def to_near(self, packets: list[bytes]) -> None:
        """Pass packets on to the near tunnel."""
        for packet in packets:
            self._near_side.sendto(packet, self._near_peer)
