"""The offloads by which the kernel handles many frames at once. A worker does without those that are missing.

Each is probed where it is used. The environment variable L2TPV3_WITHOUT, of the command that makes a tunnel or session,
has it done without (words from WORDS, separated by commas): to find out which of them is to blame, and for tests.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

VARIABLE: Final = "L2TPV3_WITHOUT"
WORDS: Final = ("gso", "gro", "napi", "mmsg")

MISSING: Final = {
    "gso": "slower: packets are sent one by one (UDP_SEGMENT takes Linux 4.18, and checksums)",
    "gro": "slower: packets are received one by one (UDP_GRO takes Linux 5.0)",
    "napi": "slower: frames go to the netdev unmerged (threaded NAPI takes Linux 5.12 and a writable /sys)",
    "mmsg": "slower: what is not merged moves one by one (sendmmsg and recvmmsg take a 64-bit machine)",
}
"""What the user is told where one of WORDS is missing."""


class Offloads(NamedTuple):
    """gso: one call sends many packets (UDP_SEGMENT). gro: one call receives many (UDP_GRO). napi: the netdev merges
    what is written to it, in a kernel thread (IFF_NAPI, threaded NAPI). mmsg: one call moves many of what the kernel
    neither cuts nor merges (sendmmsg, recvmmsg)."""

    gso: bool = True
    gro: bool = True
    napi: bool = True
    mmsg: bool = True

    @classmethod
    def wanted(cls, forgone: frozenset[str] = frozenset()) -> Offloads:
        """All, but for what the environment forbids, and `forgone`: words from WORDS."""
        without = {*os.environ.get(VARIABLE, "").split(","), *forgone}
        return cls(*(word not in without for word in WORDS))

    def to_json(self) -> list[bool]:
        """Give the offloads as a message to a worker has them."""
        return list(self)
