"""How long the packets of full frames are on the wire."""

from __future__ import annotations

from l2tpv3.model.mtu import overhead
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.status import TunnelStatus


def longest(record: TunnelRecord, status: TunnelStatus, *, whole: bool = False) -> int:
    """The longest IP packet that a session of a tunnel sends, in bytes; 0 where none runs.

    whole: leave out sessions that cut frames themselves (`--fragment on`, RFC 4623), whose packets fit the route.
    """
    tunnel, found = record.spec, [0]
    for session, shown in zip(record.sessions, status.sessions, strict=True):
        spec = session.spec
        if shown.netdev is None or (whole and spec.fragment):
            continue
        around = overhead(
            tunnel.encap, tunnel.ip_version, len(spec.tx_cookie), spec.sublayer, tagged=spec.vlan is not None
        )
        found.append(shown.netdev.mtu + around)
    return max(found)
