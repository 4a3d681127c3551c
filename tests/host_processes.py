"""Which programs run on a host of tests/hosts.py: all hosts share this machine's list of processes."""

from __future__ import annotations

from pathlib import Path

from tests.hosts import Host


def running(host: Host, word: bytes) -> list[int]:
    """The pids of the processes in a host's network namespace that have that word among their arguments."""
    namespace = Path("/run/netns", host.netns).stat().st_ino
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if word in words and (process / "ns" / "net").stat().st_ino == namespace:
                found.append(int(process.name))
        except OSError:
            continue
    return found
