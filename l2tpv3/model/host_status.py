"""The status of all tunnels and links of a host at one moment."""

from __future__ import annotations

from collections.abc import Sequence

from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.status import TunnelStatus
from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """tunnels: as Manager.tunnels gives them. links: as ManagedLinks.all does."""

    tunnels: Sequence[TunnelStatus] = ()
    links: Sequence[LinkStatus] = ()
