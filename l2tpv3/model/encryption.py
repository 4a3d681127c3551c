"""What is observed of what encrypts a tunnel."""

from __future__ import annotations

from dataclasses import field

from l2tpv3.value_class import value_class


@value_class(frozen=True, slots=True, kw_only=True)
class EncryptionState:
    """What there is for one record of a tunnel.

    there: its netdev, or its connection in strongSwan, is. guarded: what refuses packets in the clear is.

    lacks: what is not as the record has it, in words; () when all is.
    """

    there: bool = False
    guarded: bool = False
    lacks: tuple[str, ...] = ()


@value_class(frozen=True, slots=True, kw_only=True)
class EncryptionStatus:
    """Who encrypts a tunnel, and how that goes.

    by: "wireguard", the kernel's, or "wireguard-go"; "strongswan" while it has an SA; None while nothing does. pid: of
    wireguard-go or charon. ifname: the netdev of WireGuard.
    public_key: this end's, in base64; "" with IPsec. local, remote: the addresses of the tunnel's packets. mtu: the
    longest one of these, in bytes.
    since: when the netdev, or the oldest SA, was made; handshake: when keys were last agreed on; both in seconds since
    the epoch, None for never. endpoint: where the peer is now. lacks: see EncryptionState.
    Of IPsec alone: negotiation, the state of its IKE SA, None while there is none; algorithm, of the SA; in_udp,
    whether it is in UDP.
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
    negotiation: str | None = None
    algorithm: str | None = None
    in_udp: bool = False
    rx_bytes: int = 0
    tx_bytes: int = 0
    lacks: tuple[str, ...] = field(default=())
