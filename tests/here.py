"""A manager that works on a host of tests/hosts.py, in this process: quicker than a command for each call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from l2tpv3 import Manager, Paths
from l2tpv3.linux.netns import inside
from tests.hosts import Host


class Here:
    """`Here(host).add_tunnel(...)` is Manager.add_tunnel with this thread in the host's namespace for the call."""

    def __init__(self, host: Host, manager: Manager | None = None) -> None:
        self.host = host
        self.paths = Paths(host.state_dir, host.runtime_dir)
        self.manager = manager or Manager(self.paths)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.manager, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with inside(self.host.netns):
                return method(*args, **kwargs)

        return call


def netdevs(host: Host) -> set[str]:
    """The netdevs in the host's namespace, but for what every one has."""
    with inside(host.netns):
        import socket

        return {name for _, name in socket.if_nameindex()} - {"lo", "u0"}


def leftovers(host: Host) -> list[str]:
    """What a host without tunnels still has: netdevs, workers, sockets in the run-time directory."""
    found = [f"netdev {name}" for name in sorted(netdevs(host))]
    found += [f"worker {pid}" for pid in host.workers()]
    return found + [f"file {path.name}" for path in _files(host.runtime_dir) if path.suffix == ".sock"]


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
