"""The lines of `show` about what encrypts a tunnel."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l2tpv3.model.encryption import EncryptionStatus
    from l2tpv3.model.status import TunnelStatus


def encryption_pairs(tunnel: TunnelStatus) -> list[tuple[str, object]]:
    """Keys and values of a tunnel's encryption; none where it has none."""
    from l2tpv3.model import ids

    status, spec = tunnel.encryption, tunnel.spec
    if status is None:
        return []
    peer = spec.peer_public_key
    return [
        ("encryption", encryption_line(status)),
        ("public-key", status.public_key),
        ("peer-public-key", ids.format_key(peer) if peer is not None else "unknown"),
        ("inside", f"{status.local} -> {status.remote}"),
        ("handshake", "never" if status.handshake is None else f"{_age_s(status.handshake)} s ago"),
        ("endpoint", status.endpoint),
        ("encrypted bytes", f"{status.tx_bytes} sent, {status.rx_bytes} received"),
        ("keepalive", f"{spec.persistent_keepalive} s" if spec.persistent_keepalive else "off"),
    ]


def encryption_line(status: EncryptionStatus) -> str:
    """Who encrypts, on which netdev, since when."""
    if status.by is None:
        return "none yet"
    pid = f" (pid {status.pid})" if status.pid is not None else ""
    since = datetime.fromtimestamp(status.since).astimezone().isoformat(" ", "seconds") if status.since else "?"
    return f"{status.by}{pid}, netdev {status.ifname}, since {since}"


def _age_s(moment: int) -> int:
    """Seconds since then by this host's clock, which may have been set meanwhile."""
    return max(0, int(time.time()) - moment)
