"""The same tunnel and session deleted and made again and again: nothing of the one before is in the way of the next.

L2TPV3_TEST_FULL=1 does it a thousand times.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.here import Here, leftovers
from tests.hosts import Hosts

pytestmark = [pytest.mark.root, pytest.mark.timeout(0 if os.environ.get("L2TPV3_TEST_FULL") else 300)]

TIMES = {"user": 15, "kernel": 8}
FULL_TIMES = 1000


@pytest.mark.parametrize("datapath", ["user", pytest.param("kernel", marks=pytest.mark.kernel_l2tp)])
def test_delete_and_add_again(hosts: Hosts, datapath: str) -> None:
    a, b = hosts.pair()
    here = Here(a)
    times = FULL_TIMES if os.environ.get("L2TPV3_TEST_FULL", "") not in ("", "0") else TIMES[datapath]
    began = time.monotonic()
    for number in range(times):
        here.add_tunnel("siteb", {"remote": b.v4, "id": 7, "datapath": datapath})
        here.add_session("siteb", "lan", {"id": 9, "ifname": "lan0", "address": ["10.9.0.1/24"]})
        if number % 2:
            here.del_session("siteb", "lan")
        here.del_tunnel("siteb")
    print(f"{datapath}: {times} times in {time.monotonic() - began:.0f} s")
    assert leftovers(a) == []
