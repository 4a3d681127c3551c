"""Serves the API over the in-memory datapath, on 127.0.0.1, to whoever has the token: what the fuzzer talks to.

Run as `python -m tests.api.fuzzing.serve PORT FOLDER`.
"""

from __future__ import annotations

import hmac
import sys
from pathlib import Path

import uvicorn
from starlette.requests import HTTPConnection

from l2tpv3 import Manager, Paths
from l2tpv3.errors import UnauthenticatedError
from l2tpv3.testing.datapath import MemoryDatapath
from l2tpv3.testing.netdevs import MemoryConfigurator
from l2tpv3_api import Service, create_app
from l2tpv3_api.auth.identity import EVERYTHING, Identity
from tests.memory_links import memory_makers

TOKEN = "let-me-in"


class TokenGuard:
    """Everything to whoever has TOKEN, nothing to anyone else."""

    async def identify(self, request: HTTPConnection) -> Identity:
        """See Guard."""
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {TOKEN}".encode()):
            raise UnauthenticatedError("you", "no token")
        return Identity("fuzzer", EVERYTHING)


def main(port: int, folder: Path) -> None:
    """Serve until SIGTERM. The tunnel and the link that the examples name are there to begin with."""
    memory = MemoryDatapath()
    placer = MemoryConfigurator(memory, frozenset({(None, "br0")}))
    manager = Manager(Paths(folder / "state", folder / "run"), [memory], placer, memory_makers(placer))
    manager.add_tunnel("siteb", {"remote": "192.0.2.2"})
    manager.add_session("siteb", "lan", {})
    manager.links.add("br0", {"type": "bridge", "over": ["eth0"], "ifname": "br7"})
    uvicorn.run(create_app(Service(manager), guard=TokenGuard()), port=port, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
