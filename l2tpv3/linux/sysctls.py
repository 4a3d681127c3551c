"""The settings under /proc/sys/net of one netdev, in the calling thread's network namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_FOLDERS: Final = ("ipv4/conf", "ipv4/neigh", "ipv6/conf", "ipv6/neigh")
_NOT_OURS: Final = frozenset({"ipv6/conf/mtu", "ipv4/conf/mc_forwarding", "ipv6/conf/mc_forwarding"})
"""The MTU is on record; the others only tell something."""


DISABLE_IPV6: Final = "ipv6/conf/disable_ipv6"
"""Whether a netdev is without IPv6, which links of type port decide for what they are over."""


def changed(ifname: str) -> dict[str, str]:
    """Read the settings of a netdev that somebody has set: those that differ from what a new netdev gets."""
    usual = read("default")
    return {name: value for name, value in read(ifname).items() if usual.get(name) != value}


def read(ifname: str) -> dict[str, str]:
    """Each setting that can be read, by its path without the netdev, as `ipv4/conf/rp_filter`."""
    found: dict[str, str] = {}
    for folder in _FOLDERS:
        try:
            files = list(Path("/proc/sys/net", folder, ifname).iterdir())
        except OSError:
            continue  # a kernel without IPv6, or no netdev
        for file in files:
            name = f"{folder}/{file.name}"
            try:
                found.update({} if name in _NOT_OURS else {name: file.read_text("ascii").strip()})
            except OSError:
                continue  # a secret that is not set, or one that can only be written
    return found


def set_again(ifname: str, wanted: dict[str, str]) -> list[str]:
    """Give a netdev settings that another one had, touching only what differs. What could not be set, in words."""
    present, failed = read(ifname), []
    for name, value in wanted.items():
        if present.get(name, value) == value:
            continue
        folder, _, key = name.rpartition("/")
        try:
            Path("/proc/sys/net", folder, ifname, key).write_text(value, "ascii")
        except OSError:
            failed.append(f"sysctl net.{folder.replace('/', '.')}.*.{key} = {value}")
    return failed
