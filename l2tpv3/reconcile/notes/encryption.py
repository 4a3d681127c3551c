"""Notes about what encrypts a tunnel: why nothing passes, as far as this end can tell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from l2tpv3.model import ids
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.status import TunnelStatus

_SESSION_S: Final = 180
"""A handshake's keys are good for so long (REJECT_AFTER_TIME of the WireGuard paper, section 6.1)."""
_FIRST_S: Final = 15
"""Seconds that a first handshake may take, with its repetitions each 5 s, before its absence is noted."""


def encryption_notes(record: TunnelRecord, status: TunnelStatus) -> Iterator[str]:
    """The notes of one tunnel; none where it is not encrypted, was stopped, or all is well."""
    seen, spec = status.encryption, record.spec
    if seen is None or record.stopped is not None:
        return
    if spec.peer_public_key is None:
        give = (
            f"`l2tpctl tunnel set {spec.name} --peer-public-key KEY` takes what the other end shows as its public-key"
        )
        yield f"it waits for the peer's public key, and nothing passes until then: {give}"
    elif seen.by is not None and not seen.lacks:
        yield from _silence(record, status)
    if seen.lacks:
        lacking = ", ".join(seen.lacks)
        yield f"its encryption lacks {lacking}, so nothing may pass: `l2tpctl restore {spec.name}` mends that"


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
