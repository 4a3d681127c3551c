"""Tells which UDP ports sockets of this network namespace are bound to, those of the kernel's own tunnels included."""

from __future__ import annotations

from pathlib import Path

_LISTS = ("/proc/net/udp", "/proc/net/udp6")


def bound_udp_ports() -> set[int]:
    """The ports of IPv4 and IPv6, as the lists of proc_net(5) have them. Raises OSError."""
    found = set()
    for path in map(Path, _LISTS):
        lines = path.read_text().splitlines()[1:] if path.exists() else []  # there is none without IPv6
        found |= {int(line.split()[1].rpartition(":")[2], 16) for line in lines}
    return found
