"""What WireGuard's keys come to: inner addresses and overhead. Values only, no I/O."""

from __future__ import annotations

import functools
import hashlib
from ipaddress import IPv6Address, IPv6Network
from typing import Final

LISTEN_PORT: Final = 51820
"""The UDP port that WireGuard's own tools use."""

INNER_NETWORK: Final = IPv6Network("fc00::/7")
"""Where addresses inside WireGuard are: unique local ones (RFC 4193)."""

_OVERHEAD: Final = {4: 20 + 8 + 32, 6: 40 + 8 + 32}


def overhead(version: int) -> int:
    """Bytes that WireGuard puts around an inner packet: outer IP of that version, UDP, its header (16) and tag (16).

    It pads what is inside to a multiple of 16 bytes, but never beyond its netdev's MTU (drivers/net/wireguard/send.c
    calculate_skb_padding()), so a packet as long as that MTU has no padding.
    """
    return _OVERHEAD[version]


@functools.lru_cache(maxsize=4096)
def public_key(private: bytes) -> bytes:
    """The public key of a private one, both of 32 bytes (RFC 7748, section 6.1).

    Remembered, since plans ask for it again and again.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # 25 ms, which other tunnels save

    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


@functools.lru_cache(maxsize=4096)
def inner_address(public: bytes) -> IPv6Address:
    """The address inside WireGuard of the end with that public key: a unique local one (RFC 4193).

    Its 120 bits after fd00::/8 are a digest of the key, so that each end can tell both addresses, and no two clash.
    """
    return IPv6Address(b"\xfd" + hashlib.sha256(b"l2tpv3 inner address\0" + public).digest()[:15])


def nobodys_address(public: bytes) -> IPv6Address:
    """The inner address that stands for a peer whose key is not known yet. public: this end's. Nobody can have it."""
    return inner_address(b"unknown peer of " + public)
