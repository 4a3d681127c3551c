"""What is seen of this host at one moment, as plain data: tunnels by datapath and namespace, netdevs by session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from l2tpv3.links.state import LinksSeen
from l2tpv3.records import TunnelRecord, is_same
from l2tpv3.state import Tunnel
from l2tpv3.status import NetdevState


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """tunnels: (datapath, netns) → tunnel id → Tunnel. netdevs: (tunnel name, session name) → its netdev.

    hung: datapaths of which a worker did not answer; what that one carries is not in `tunnels`.
    """

    tunnels: Mapping[tuple[str, str | None], Mapping[int, Tunnel]] = field(default_factory=dict)
    netdevs: Mapping[tuple[str, str], NetdevState] = field(default_factory=dict)
    hung: frozenset[str] = frozenset()
    links: LinksSeen = field(default_factory=LinksSeen)

    def tunnel(self, record: TunnelRecord) -> Tunnel | None:
        """The tunnel on record as its datapath reports it; None when it does not."""
        there = self.tunnels.get((record.datapath, record.spec.netns), {})
        seen = there.get(record.spec.tunnel_id)
        return seen if seen is not None and is_same(record, seen) else None
