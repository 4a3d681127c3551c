"""The lines of `show` about what encrypts a tunnel."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from l2tpv3.model.encryption import EncryptionStatus
    from l2tpv3.model.spec import TunnelSpec
    from l2tpv3.model.status import TunnelStatus


def encryption_pairs(tunnel: TunnelStatus) -> list[tuple[str, object]]:
    """Keys and values of a tunnel's encryption; none where it has none."""
    status, spec = tunnel.encryption, tunnel.spec
    if status is None:
        return []
    own = _wireguard_pairs(status, spec) if spec.is_inside else _ipsec_pairs(status, spec)
    return [
        ("encryption", encryption_line(status)),
        *own,
        ("endpoint", status.endpoint),
        ("encrypted bytes", f"{status.tx_bytes} sent, {status.rx_bytes} received"),
        *([("keepalive", f"{spec.persistent_keepalive} s" if spec.persistent_keepalive else "off")] * spec.is_inside),
    ]


def _wireguard_pairs(status: EncryptionStatus, spec: TunnelSpec) -> list[tuple[str, object]]:
    from l2tpv3.model import ids

    peer = spec.peer_public_key
    return [
        ("public-key", status.public_key),
        ("peer-public-key", ids.format_key(peer) if peer is not None else "unknown"),
        ("inside", f"{status.local} -> {status.remote}"),
        ("handshake", "never" if status.handshake is None else f"{_age_s(status.handshake)} s ago"),
    ]


def _ipsec_pairs(status: EncryptionStatus, spec: TunnelSpec) -> list[tuple[str, object]]:
    keys = "never" if status.handshake is None else f"{_age_s(status.handshake)} s ago"
    return [
        ("ike-auth", spec.ike_auth.value),
        ("ike-id", spec.ike_id or f"{status.local}"),
        ("peer-ike-id", spec.peer_ike_id or f"{status.remote}"),
        ("IKE SA", (status.negotiation or "none").lower()),
        ("ESP SA", _algorithm(status) if status.by is not None else "none"),
        ("keys agreed on", keys),
    ]


def _algorithm(status: EncryptionStatus) -> str:
    return f"{status.algorithm}{', in UDP' if status.in_udp else ''}"


def encryption_line(status: EncryptionStatus) -> str:
    """Who encrypts, on which netdev or by which algorithm, since when."""
    if status.by is None:
        return "none yet"
    pid = f" (pid {status.pid})" if status.pid is not None else ""
    since = datetime.fromtimestamp(status.since).astimezone().isoformat(" ", "seconds") if status.since else "?"
    how = f"netdev {status.ifname}" if status.ifname is not None else _algorithm(status)
    return f"{status.by}{pid}, {how}, since {since}"


def _age_s(moment: int) -> int:
    """Seconds since then by this host's clock, which may have been set meanwhile."""
    return max(0, int(time.time()) - moment)
