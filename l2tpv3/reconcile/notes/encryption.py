"""Notes about what encrypts a tunnel: why nothing passes, as far as this end can tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from l2tpv3.model import ids
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.status import TunnelStatus
from l2tpv3.model.values import IkeAuth

_SESSION_S: Final = 180
"""A handshake's keys are good for so long (REJECT_AFTER_TIME of the WireGuard paper, section 6.1)."""
_FIRST_S: Final = 15
"""Seconds that a first handshake may take, with its repetitions each 5 s, before its absence is noted."""


def encryption_notes(record: TunnelRecord, status: TunnelStatus) -> Iterator[str]:
    """The notes of one tunnel; none where it is not encrypted, was stopped, or all is well."""
    seen, spec = status.encryption, record.spec
    if seen is None or record.stopped is not None:
        return
    if not spec.is_inside:
        yield from _no_association(record, status)
    elif spec.peer_public_key is None:
        give = (
            f"`l2tpctl tunnel set {spec.name} --peer-public-key KEY` takes what the other end shows as its public-key"
        )
        yield f"it waits for the peer's public key, and nothing passes until then: {give}"
    elif seen.by is not None and not seen.lacks:
        yield from _silence(record, status)
    if seen.lacks:
        lacking = ", ".join(seen.lacks)
        yield f"its encryption lacks {lacking}, so nothing may pass: `l2tpctl restore {spec.name}` mends that"


def _no_association(record: TunnelRecord, status: TunnelStatus) -> Iterator[str]:
    """Why IPsec has no SA, by how far strongSwan came; and what makes packets longer than they are thought to be."""
    seen, spec = status.encryption, record.spec
    assert seen is not None
    if seen.by is not None:
        if seen.in_udp and not spec.esp_in_udp:
            yield (
                "there is a NAT on the path, so IPsec's packets are in UDP, and 8 bytes longer than its MTUs allow for:"
                f" `l2tpctl tunnel set {spec.name} --esp-in-udp on`, at both ends"
            )
        return
    if seen.pid is None or seen.lacks:
        return
    said = "strongSwan has agreed on no keys with the peer, so nothing passes"
    match seen.negotiation:
        case None:
            key = "certificate" if spec.ike_auth is IkeAuth.CERTIFICATE else "--pre-shared-key"
            ours, theirs = spec.ike_id or seen.local, spec.peer_ike_id or seen.remote
            yield (
                f"{said}: one end refused the other, for another {key} or other identities than here (this end is"
                f" {ours}, the peer has to be {theirs}), or the peer has no such tunnel yet"
            )
        case "ESTABLISHED":
            yield f"{said}: the ends know each other, but differ in encapsulation, ports or AES-GCM"
        case _:
            yield f"{said}: {spec.remote} does not answer at UDP ports 500 and 4500"


def _silence(record: TunnelRecord, status: TunnelStatus) -> Iterator[str]:
    """No handshake: WireGuard answers nothing that is not signed by a key that it knows, so all looks alike here."""
    seen, spec = status.encryption, record.spec
    assert seen is not None and spec.peer_public_key is not None
    now = int(time.time())
    if seen.handshake is None and (seen.since is None or now - seen.since > _FIRST_S):
        said = "WireGuard had no handshake yet, so nothing passes"
    elif seen.handshake is not None and now - seen.handshake > _SESSION_S and spec.persistent_keepalive:
        said = f"WireGuard's last handshake was {now - seen.handshake} s ago, so nothing passes"
    else:
        return
    key = ids.format_key(spec.peer_public_key)
    yield (
        f"{said}: either the keys differ (the other end's public-key has to be {key}, and its peer-public-key"
        f" {seen.public_key}), or UDP port {spec.peer_listen_port} of {spec.remote} can't be reached"
    )
