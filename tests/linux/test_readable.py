"""Waiting for something to read, also in a process that has more than 1024 files open."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from l2tpv3.linux.arrivals import Arrivals
from l2tpv3.linux.readable import wait_readable
from l2tpv3.model.host_status import HostStatus
from l2tpv3.paths import Paths
from l2tpv3.watch.follow import follow
from l2tpv3.worker.pool import WorkerPool
from tests.hosts import Host

MANY = 1100


@pytest.fixture
def many_files() -> Iterator[None]:
    """Every descriptor from here on is above 1023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * MANY:
        pytest.skip(f"no more than {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * MANY), hard))
    null = os.open(os.devnull, os.O_RDONLY)
    taken = [null]
    while taken[-1] < MANY:
        taken.append(os.dup(null))
    yield
    for file in taken:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("limit_s", [30, None])
def test_a_descriptor_above_1023(many_files: None, limit_s: float | None) -> None:
    one, other = socket.socketpair()
    assert one.fileno() > 1023
    timer = threading.Timer(0.05, other.send, [b"x"])
    timer.start()
    assert wait_readable([one], limit_s)
    timer.join()
    one.recv(1)
    assert not wait_readable([one, other.fileno()], 0)
    other.close()
    assert wait_readable([one], limit_s)  # its end is something to read, too
    one.close()


def test_a_short_wait_is_not_rounded_down_to_none() -> None:
    reader, writer = os.pipe()
    began = time.monotonic()
    assert not wait_readable([reader], 0.0005)
    assert time.monotonic() - began >= 0.0005
    os.close(reader)
    os.close(writer)


@pytest.mark.root
@pytest.mark.usefixtures("many_files")
def test_whatever_waits_here_does_so_above_1023(netns: Callable[[str], Host]) -> None:
    host = netns("a")
    with Arrivals([host.netns]) as arrivals:
        arrivals.wait(0.01)
    host.runtime_dir.mkdir(parents=True, exist_ok=True)
    workers = WorkerPool(host.runtime_dir)
    with workers.locked(), workers.start() as client:
        assert client.request("worker", "nothing") is not None
    mode = next(host.runtime_dir.glob("worker-*.sock")).stat().st_mode
    assert mode & 0o777 == 0o600
    assert workers.quit_all() == 1
    paths = Paths(host.state_dir, host.runtime_dir)
    assert next(follow(lambda: HostStatus(tunnels=(), links=()), paths, counters_s=1.0)).type == "counters"
