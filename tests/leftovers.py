"""What a test run may not leave behind: network namespaces, netdevs, processes.

A run is known by its namespaces' names, `lt-<pid>-...`, and by a variable in the environment of all its processes;
others' runs at the same time are not taken for ours.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.hosts import MARK, PREFIX

_SETTLE_S = 60.0


class Leftovers:
    """Looks before the first test, and again after the last."""

    def __init__(self) -> None:
        self._own = f"{MARK}={os.getpid()}"
        os.environ[MARK] = str(os.getpid())
        self._netdevs = _netdevs()
        self._orphans = set(_orphans())

    def found(self) -> list[str]:
        """What is still there, each in words. Waits a moment: the kernel clears namespaces away in its own time."""
        deadline = time.monotonic() + _SETTLE_S
        while (there := self._there()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return there

    def _there(self) -> list[str]:
        namespaces = [f"network namespace {name}" for name in _names(Path("/run/netns")) if name.startswith(PREFIX)]
        netdevs = [f"netdev {name}" for name in sorted(_netdevs() - self._netdevs)]
        orphans = [f"process {pid}: wireguard-go" for pid in sorted(set(_orphans()) - self._orphans)]
        return namespaces + netdevs + self._processes() + orphans

    def _processes(self) -> list[str]:
        ours = []
        for process in Path("/proc").iterdir():
            if not process.name.isdigit() or int(process.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                marked = self._own.encode() in (process / "environ").read_bytes().split(b"\0")
                # workers start with an empty environment, but name their socket
                if line and (marked or f"/tmp/{PREFIX}" in line):
                    ours.append(f"process {process.name}: {line}")
        return ours


def _orphans() -> Iterator[int]:
    """The processes of wireguard-go whose network namespace has no name any more. They have no environment of ours."""
    named = {Path("/proc/self/ns/net").stat().st_ino}
    for path in Path("/run/netns").glob("*"):
        with contextlib.suppress(FileNotFoundError):  # it has just been removed
            named.add(path.stat().st_ino)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_it = (process / "comm").read_text().strip() == "wireguard-go"
            if is_it and (process / "ns" / "net").stat().st_ino not in named:
                yield int(process.name)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _netdevs() -> set[str]:
    """The netdevs of this process's network namespace."""
    return {name for _, name in socket.if_nameindex()}
