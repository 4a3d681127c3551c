"""A fleet with two hosts that are enrolled."""

from __future__ import annotations

from pathlib import Path

from l2tpv3.fleet.nats.directory import Directory
from l2tpv3.fleet.nats.keys import KEY, HostKeys


def enrolled(folder: Path) -> tuple[Directory, dict[str, HostKeys]]:
    """The directory of a fleet with hosts a and b, and the keys of each."""
    directory = Directory.open_or_make(folder / "fleet")
    keys = {name: HostKeys(name.encode() * KEY) for name in ("a", "b")}
    for name, one in keys.items():
        directory.enroll(one.identity(name))
    return directory, keys
