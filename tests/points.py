"""Chooses what one run of the tests tries, where all would take too long: a sample, which each run takes elsewhere.

$L2TPV3_TEST_FULL: `1` tries all. `K/N` tries each N-th point from the K-th on, so that three runs with 1/3, 2/3 and 3/3
try all. $L2TPV3_TEST_ROTATION: without these, the number of the sample; runs with one number after another try all.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TypeVar

_One = TypeVar("_One")

IN_THE_GUEST_OF = {
    "tests/contract/test_promises.py": 3,
    "tests/contract/test_reality.py": 3,
    "tests/datapath/ebpf/test_kernel_peer.py": 2,
    "tests/datapath/kernel/test_interop.py": 4,
    "tests/datapath/kernel/test_modules.py": 2,
    "tests/datapath/kernel/test_sequencing.py": 3,
    "tests/datapath/test_vlan.py": 2,
    "tests/datapath/user/test_kernel_peer.py": 3,
    "tests/encryption/test_ipsec.py": 2,
    "tests/encryption/test_peer.py": 2,
    "tests/encryption/test_wireguard.py": 2,
    "tests/formats/test_peer.py": 3,
    "tests/host/test_host.py": 3,
    "tests/lab/test_scenarios.py": 3,
    "tests/links/test_netdev.py": 3,
}
"""Files of which a run in the guest, where everything is slow, tries one test of so many; the next run tries others."""


def is_full() -> bool:
    """Whether the environment asks for more than a sample."""
    return os.environ.get("L2TPV3_TEST_FULL", "") not in ("", "0")


def rotation() -> int:
    """The number that says what is tried in this run."""
    return int(os.environ.get("L2TPV3_TEST_ROTATION") or 0)


def sample(number: int, size: int) -> range:
    """Of the points 1 to `number`: about `size` of them, other ones for each rotation."""
    choice = os.environ.get("L2TPV3_TEST_FULL", "")
    if "/" in choice:
        first, every = map(int, choice.split("/"))
        return range(first, number + 1, every)
    if is_full():
        return range(1, number + 1)
    step = max(1, number // size)
    return range(1 + (step // 2 + rotation() * _stride(step)) % step, number + 1, step)


def _stride(step: int) -> int:
    """How far the first point moves from one run to the next: about 0.618 of a step, so that few runs spread well."""
    return next((one for one in range(max(1, step * 618 // 1000), step) if math.gcd(one, step) == 1), 1)


def in_turn(items: Sequence[_One], *, of: int) -> list[_One]:
    """One in `of` of these tests, others in each rotation; all of them in a full run."""
    return list(items) if is_full() else [one for place, one in enumerate(items) if (place + rotation()) % of == 0]
