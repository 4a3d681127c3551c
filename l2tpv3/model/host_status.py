"""The status of all tunnels and links of a host at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import TunnelStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """tunnels: as Manager.tunnels gives them. links: as ManagedLinks.all does."""

    tunnels: Sequence[TunnelStatus] = ()
    links: Sequence[LinkStatus] = ()
