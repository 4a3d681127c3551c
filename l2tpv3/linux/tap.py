"""ioctls of a TAP's file that need no privilege once it is attached (linux/if_tun.h)."""

from __future__ import annotations

from typing import Final

TUNGETIFF: Final = 0x800454D2
TUNSETPERSIST: Final = 0x400454CB
TUNSETCARRIER: Final = 0x400454E2
"""Linux 5.0."""
