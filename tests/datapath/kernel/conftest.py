"""Fixtures for tests against a kernel with l2tp_eth: two hosts, the datapath under test on the near one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from l2tpv3.datapath.kernel import KernelDatapath
from tests.contract.bench import Bench, joined_hosts
from tests.hosts import Host


@pytest.fixture(scope="module")
def joined() -> Iterator[tuple[Host, Host]]:
    """A near and a far host, made once for a file's tests."""
    with joined_hosts() as pair:
        yield pair


@pytest.fixture
def bench(joined: tuple[Host, Host]) -> Iterator[Bench]:
    """The kernel datapath, with nothing made yet; all that is in both namespaces is removed afterwards."""
    near, far = (host.netns for host in joined)
    datapath = KernelDatapath()
    assert datapath.probe().works
    bench = Bench(datapath, near, far, real=True, another=KernelDatapath)
    try:
        yield bench
    finally:
        for netns in (near, far):
            for tunnel in datapath.tunnels(netns):
                datapath.del_tunnel(bench.tunnel(tunnel_id=tunnel.tunnel_id, netns=netns))
