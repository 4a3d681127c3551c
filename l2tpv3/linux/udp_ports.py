"""Tells which UDP ports sockets of this network namespace are bound to, those of the kernel's own tunnels included."""

from __future__ import annotations

from pathlib import Path

UDP_LISTS = ("/proc/net/udp", "/proc/net/udp6")
"""The lists; there is no second one without IPv6."""


def bound_udp_ports() -> set[int]:
    """The ports of IPv4 and IPv6, as the lists of proc_net(5) have them. Raises OSError."""
    return set().union(*(ports_in(path.read_text()) for path in map(Path, UDP_LISTS) if path.exists()))


def ports_in(text: str) -> set[int]:
    """The ports in one such list. Raises ValueError, IndexError for a text that is none."""
    lines = [line for line in text.splitlines() if "local_address" not in line]
    return {int(line.split()[1].rpartition(":")[2], 16) for line in lines}
