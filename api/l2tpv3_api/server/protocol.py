"""uvicorn's HTTP/1.1 protocol, which also tells the app who is at the other end."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from l2tpv3_api.access.peer import EXTENSION, Peer, peer_of


class Protocol(H11Protocol):
    """One connection. uvicorn copies `app_state` into each request's scope; extensions have no such place."""

    peer: Peer | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        connection = transport.get_extra_info("socket")
        if isinstance(connection, socket.socket) or connection is not None:
            self.peer = peer_of(cast(socket.socket, connection))
        self.app = _Told(self.app, self)
        super().connection_made(transport)


class _Told:
    """The app, called with what the connection knows."""

    def __init__(self, app: Any, protocol: Protocol) -> None:
        self._app, self._protocol = app, protocol

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("extensions", {})[EXTENSION] = self._protocol.peer
        await self._app(scope, receive, send)
