"""All tunnels at one moment, shared by everyone who asked meanwhile; what is derived of them is derived once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from l2tpv3.errors import NotFoundError
from l2tpv3.status import SessionStatus, TunnelStatus


class Snapshot:
    """tunnels: as Manager.tunnels gives them. at: when, in seconds since the epoch."""

    def __init__(self, tunnels: Sequence[TunnelStatus]) -> None:
        self.at = time.time()
        self.tunnels = tuple(tunnels)
        self._by_name = {one.name: one for one in self.tunnels}

    def tunnel(self, name: str) -> TunnelStatus:
        """One tunnel by name. Raises NotFoundError."""
        found = self._by_name.get(name)
        if found is None:
            raise NotFoundError(f"tunnel {name}", "no such tunnel", "`l2tpctl tunnel show` lists them")
        return found

    def session(self, tunnel: str, name: str) -> SessionStatus:
        """One session by name. Raises NotFoundError."""
        for session in self.tunnel(tunnel).sessions:
            if session.name == name:
                return session
        remedy = f"`l2tpctl session show {tunnel}` lists them"
        raise NotFoundError(f"session {tunnel}/{name}", "no such session", remedy)
