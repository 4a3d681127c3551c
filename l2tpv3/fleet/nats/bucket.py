"""The bucket of a fleet as its coordinator sees it: keys, and the statuses of hosts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Bucket(Protocol):
    """Every method raises UnreachableError where the server does not answer: then it is not known whether it was done.

    Keys are `desired.HOST` and `decision.SERIAL`.
    """

    async def get(self, key: str) -> bytes | None:
        """The value of a key; None where there is none."""

    async def put(self, key: str, value: bytes) -> None:
        """Set the value of a key, whatever it was."""

    async def create(self, key: str, value: bytes) -> bool:
        """Set the value of a key that has none. False, and nothing is done, where it has one."""

    async def announce(self, serial: int, value: bytes) -> None:
        """Tell hosts that listen the decision about a change, which the bucket has. It is not known who hears it."""

    async def statuses(self, hosts: Collection[str], timeout_s: float) -> dict[str, bytes]:
        """Wait at most so long for statuses of these hosts, and give those that came, the last of each host."""


def desired_key(host: str) -> str:
    """The key of a host's desired state."""
    return f"desired.{host}"


def decision_key(serial: int) -> str:
    """The key of the decision about a change."""
    return f"decision.{serial}"
