"""Deleting waits until it is true: the kernel's own tunnel delete returns at once and works on for long."""

from __future__ import annotations

import contextlib

import pytest

from l2tpv3.errors import NotFoundError
from l2tpv3.model.spec import Encap, TunnelSpec
from tests.contract.bench import Bench
from tests.hosts import Host

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

SESSIONS = 12
CYCLES = 25
"""A thousand pass too, and take minutes in the guest."""


def test_a_deleted_tunnel_is_gone_with_all_its_sessions(bench: Bench) -> None:
    before = bench.footprint(bench.near)
    tunnel = _with_sessions(bench)
    bench.datapath.del_tunnel(tunnel)
    assert bench.footprint(bench.near) == before
    _with_sessions(bench)


def test_deleting_waits_for_a_delete_that_is_under_way(bench: Bench, joined: tuple[Host, Host]) -> None:
    tunnel = _with_sessions(bench)
    joined[0].ip_batch([f"l2tp del tunnel tunnel_id {tunnel.tunnel_id}"])
    with contextlib.suppress(NotFoundError):  # a newer kernel is done by now
        bench.datapath.del_tunnel(tunnel)
    bench.datapath.add_tunnel(tunnel)


def _with_sessions(bench: Bench) -> TunnelSpec:
    tunnel = bench.tunnel()
    bench.datapath.add_tunnel(tunnel)
    for number in range(1, SESSIONS + 1):
        bench.datapath.add_session(tunnel, bench.session(number))
    return tunnel


@pytest.mark.parametrize("encap", Encap)
def test_delete_then_add(bench: Bench, encap: Encap) -> None:
    tunnel = bench.tunnel(encap=encap)
    bench.datapath.add_tunnel(tunnel)
    for _ in range(CYCLES):
        bench.datapath.del_tunnel(tunnel)
        bench.datapath.add_tunnel(tunnel)
