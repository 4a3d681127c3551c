"""What is told to a WireGuard netdev, and what it tells, whether the kernel has it or wireguard-go. Values only."""

from __future__ import annotations

from dataclasses import field
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from l2tpv3.value_class import value_class


class Endpoint(NamedTuple):
    """Where a peer is. scope: of a link-local address, the index of the netdev."""

    address: IPv4Address | IPv6Address
    port: int
    scope: int = 0

    def __str__(self) -> str:
        plain = str(self.address).partition("%")[0]
        return f"{plain}:{self.port}" if self.address.version == 4 else f"[{plain}]:{self.port}"


@value_class(frozen=True, slots=True, kw_only=True)
class Peer:
    """A peer of a netdev. endpoint: where it is now. handshake: when the last one was, in seconds since the epoch."""

    public_key: bytes
    endpoint: Endpoint | None = None
    keepalive_s: int = 0
    handshake: int | None = None
    rx_bytes: int = 0
    tx_bytes: int = 0
    allowed: tuple[str, ...] = ()


class Device(NamedTuple):
    """A netdev as it is. public_key: b"" where it has no key yet."""

    public_key: bytes
    listen_port: int
    peers: tuple[Peer, ...]


@value_class(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a netdev shall be configured with. peer: its public key; None: none is known.

    endpoint: where to look for the peer; None leaves that as it is. allowed: the one address that the peer may have.
    """

    private_key: bytes = field(repr=False)
    public_key: bytes
    listen_port: int
    peer: bytes | None
    endpoint: Endpoint | None
    keepalive_s: int
    allowed: IPv6Address
