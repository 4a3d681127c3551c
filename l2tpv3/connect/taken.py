"""Tells which UDP ports of this host a new end can't have."""

from __future__ import annotations

from collections.abc import Iterable

from l2tpv3.linux.udp_ports import bound_udp_ports
from l2tpv3.model.spec import Encap
from l2tpv3.model.status import TunnelStatus


def taken_ports(tunnels: Iterable[TunnelStatus]) -> set[int]:
    """The ports that these tunnels have or are to have, WireGuard's included, and those that any program has bound.

    Raises OSError.
    """
    specs = [one.spec for one in tunnels]
    on_record = {spec.local_port for spec in specs if spec.encap is Encap.UDP}
    return on_record | {spec.listen_port for spec in specs if spec.listen_port is not None} | bound_udp_ports()
