"""What is observed of what encrypts a tunnel."""

from __future__ import annotations

from dataclasses import field

from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class EncryptionState:
    """What there is for one record of a tunnel. there: its netdev is. guarded: the route that refuses is.

    lacks: what is not as the record has it, in words; () when all is.
    """

    there: bool = False
    guarded: bool = False
    lacks: tuple[str, ...] = ()


@value_class(frozen=True, slots=True, kw_only=True)
class EncryptionStatus:
    """Who encrypts a tunnel, and how that goes.

    by: "wireguard", the kernel's, or "wireguard-go"; None while nothing does. pid: of wireguard-go. ifname: the netdev.
    public_key: this end's, in base64. local, remote: the addresses inside. mtu: the longest packet inside, in bytes.
    since: when the netdev was made; handshake: when the last one was; both in seconds since the epoch, None for never.
    endpoint: where the peer is now. lacks: see EncryptionState.
    """

    by: str | None = None
    pid: int | None = None
    ifname: str | None = None
    public_key: str = ""
    local: str = ""
    remote: str = ""
    mtu: int | None = None
    since: int | None = None
    handshake: int | None = None
    endpoint: str | None = None
    rx_bytes: int = 0
    tx_bytes: int = 0
    lacks: tuple[str, ...] = field(default=())
