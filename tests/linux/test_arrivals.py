"""Noticing what arrives on a host."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from l2tpv3.linux.arrivals import POLL_S, Arrivals
from l2tpv3.linux.netns import inside
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    "what", ["addr add 192.0.2.1/24 dev lo", "route add 192.0.2.0/24 dev lo", "link add d0 type bridge"]
)
def test_what_arrives_ends_the_wait(netns: Callable[[str], Host], what: str) -> None:
    host = netns("a")
    with Arrivals([host.netns]) as arrivals:
        arrivals.forget()
        timer = threading.Timer(0.1, host.ip, what.split())
        timer.start()
        began = time.monotonic()
        arrivals.wait(PATIENCE_S)
        took = time.monotonic() - began
        timer.join()
    assert 0.05 < took < 0.8 * POLL_S


def test_nothing_that_was_known_before_ends_it(netns: Callable[[str], Host]) -> None:
    host = netns("a")
    with Arrivals([host.netns]) as arrivals:
        host.ip("addr", "add", "192.0.2.1/24", "dev", "lo")
        arrivals.forget()
        began = time.monotonic()
        arrivals.wait(0.3)
        assert time.monotonic() - began >= 0.29


def test_a_namespace_that_is_not_there_is_polled_for(netns: Callable[[str], Host]) -> None:
    with Arrivals(["lt-no-such-namespace"]) as arrivals, inside(netns("a").netns):
        began = time.monotonic()
        arrivals.wait(PATIENCE_S)
        assert time.monotonic() - began < POLL_S + 0.5
