"""The X25519 function of RFC 7748, section 5: WireGuard's public keys come of private keys by it. Arithmetic only.

It is here since a record has to tell the public key on hosts without WireGuard, and the one package that has it takes
longer to import than a command takes to run. Its time depends on the key, which only the callers on this host can see.
"""

from __future__ import annotations

from typing import Final

KEY_BYTES: Final = 32
"""The length of a private key and of a public one."""

_P: Final = 2**255 - 19
_A24: Final = 121665
_BASE: Final = (9).to_bytes(KEY_BYTES, "little")


def public_key(private: bytes) -> bytes:
    """The public key of a private one, both of 32 bytes (RFC 7748, section 6.1)."""
    return x25519(private, _BASE)


def x25519(scalar: bytes, u: bytes) -> bytes:
    """The scalar times the point with that u-coordinate, all of 32 bytes (RFC 7748, section 5)."""
    k = _clamped(scalar)
    x1 = (int.from_bytes(u, "little") & (1 << 255) - 1) % _P
    x2, z2, x3, z3, swapped = 1, 0, x1, 1, 0
    for position in reversed(range(255)):
        bit = k >> position & 1
        if swapped ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swapped = bit
        x2, z2, x3, z3 = _step(x1, x2, z2, x3, z3)
    if swapped:
        x2, z2 = x3, z3
    return (x2 * pow(z2, _P - 2, _P) % _P).to_bytes(KEY_BYTES, "little")


def _clamped(scalar: bytes) -> int:
    """decodeScalar25519 of RFC 7748, section 5."""
    number = int.from_bytes(scalar, "little")
    return number & ~7 & (1 << 255) - 1 | 1 << 254


def _step(x1: int, x2: int, z2: int, x3: int, z3: int) -> tuple[int, int, int, int]:
    """One step of the Montgomery ladder, with the names of RFC 7748."""
    a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
    aa, bb, da, cb = a * a % _P, b * b % _P, d * a % _P, c * b % _P
    e = aa - bb
    return aa * bb % _P, e * (aa + _A24 * e) % _P, (da + cb) ** 2 % _P, x1 * (da - cb) ** 2 % _P
