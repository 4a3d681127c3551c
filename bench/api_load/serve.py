"""The real server over the in-memory datapath, with tunnels and sessions to begin with.

Run as `python -m bench.api_load.serve FOLDER TUNNELS SESSIONS`; the socket is FOLDER/api.sock, ready when it is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from l2tpv3 import Manager, Paths
from l2tpv3.model.desired import DesiredSession, DesiredTunnel
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3_api.limits import Limits
from l2tpv3_api.server.assemble import serve
from l2tpv3_api.settings import Settings


def main(folder: Path, tunnels: int, sessions: int) -> None:
    """Serve until SIGTERM. The rate is not limited: what is measured is what it can."""
    paths = Paths(folder / "state", folder / "run")
    memory = MemoryDatapath()
    manager = Manager(paths, [memory], MemoryConfigurator(memory))
    manager.apply(
        DesiredTunnel(
            name=f"t{number}",
            words={"remote": "127.0.0.2", "local-port": 10_000 + number},
            sessions=tuple(DesiredSession(name=f"s{one}") for one in range(sessions)),
        )
        for number in range(tunnels)
    )
    limits = Limits(rate=1_000_000, burst=1_000_000, connections=2048, connections_each=1024)
    serve(manager, paths, Settings(unix=folder / "api.sock", limits=limits))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
