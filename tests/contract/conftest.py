"""Fixtures of the contract suite: `bench` on every datapath, `real_bench` on those that make netdevs and sockets."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.errors import NotFoundError
from tests.contract.bench import Bench, joined_hosts
from tests.contract.candidates import CANDIDATES, Candidate
from tests.hosts import Host


@pytest.fixture(scope="session")
def joined() -> Iterator[tuple[Host, Host]]:
    """Two hosts that see each other, made once for all tests. Netdevs made on them later get no IPv6 by themselves."""
    with joined_hosts() as pair:
        yield pair


@pytest.fixture(params=[candidate.parameter for candidate in CANDIDATES])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Every datapath, with nothing made yet. All is removed afterwards."""
    yield from _bench(request, tmp_path)


@pytest.fixture(params=[candidate.parameter for candidate in CANDIDATES if candidate.real])
def real_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """Every datapath that makes netdevs and sockets, with nothing made yet. All is removed afterwards."""
    yield from _bench(request, tmp_path)


_numbers = itertools.count()


def _bench(request: pytest.FixtureRequest, folder: Path) -> Iterator[Bench]:
    candidate: Candidate = request.param
    near, far = "near", "far"
    if candidate.real:
        hosts: tuple[Host, Host] = request.getfixturevalue("joined")
        near, far = (host.netns for host in hosts)
        folder = hosts[0].runtime_dir / str(next(_numbers))  # short, and what runs there is ended with the host
    datapath = candidate.make(folder)
    bench = Bench(datapath, near, far, candidate.real, lambda: candidate.make(folder), candidate.least)
    before = {netns: bench.netdevs(netns) for netns in (near, far)}
    try:
        yield bench
    finally:
        for netns in (near, far):
            for tunnel in datapath.tunnels(netns):
                spec = dataclasses.replace(bench.tunnel(), tunnel_id=tunnel.tunnel_id, encap=tunnel.encap, netns=netns)
                with contextlib.suppress(NotFoundError):
                    datapath.del_tunnel(spec)
            assert bench.netdevs(netns) == before[netns], "the test or the datapath left netdevs behind"
