"""Accepts connections on one socket.

asyncio's own servers take whoever comes: a client that connects and never finishes its TLS handshake would hold a file
descriptor that nobody counts. Here it is counted from accept(2) on, and has to be done in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
import ssl
from collections.abc import Callable
from typing import Final

from l2tpv3.errors import BusyError
from l2tpv3_api.auth.connection import Connection
from l2tpv3_api.auth.peercred import peer_of
from l2tpv3_api.http.headers import SECURITY
from l2tpv3_api.http.problems import MEDIA_TYPE, problem_document
from l2tpv3_api.limits import Limits
from l2tpv3_api.server.connection_limit import ConnectionLimit
from l2tpv3_api.server.protocol import Protocol
from l2tpv3_api.server.refusals import Refusals

_AT_ONCE: Final = 64
_PAUSE_S: Final = 0.2
_FULL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TOO_MANY: Final = BusyError("service", "has too many connections", "try again in some seconds")

MakeProtocol = Callable[[Connection, Callable[[], None]], Protocol]
"""Gives the protocol of a client's connection; the callable is to be called when it has ended."""


class Listener:
    """Takes connections on `sock`, which listens, until closed. tls may be replaced: new connections have the new one.

    proxy: a proxy connects there, which asks for others: who it is says nothing.

    uvicorn's Server closes it as it would close asyncio's.
    """

    def __init__(
        self,
        sock: socket.socket,
        make_protocol: MakeProtocol,
        *,
        census: ConnectionLimit,
        limits: Limits,
        refusals: Refusals,
        tls: ssl.SSLContext | None = None,
        proxy: bool = False,
    ) -> None:
        self.sock, self.tls, self._proxy = sock, tls, proxy
        self._make_protocol, self._census, self._limits, self._refusals = make_protocol, census, limits, refusals
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        sock.settimeout(0)
        self._loop.add_reader(sock, self._accept)

    def close(self) -> None:
        """Accept no more connections."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self.sock)
            self.sock.close()

    async def wait_closed(self) -> None:
        """Wait for the handshakes that were under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, address = self.sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._refusals.count("no-descriptors")
                self._loop.remove_reader(self.sock)
                self._loop.call_later(_PAUSE_S, self._resume)
                return
            self._take(connection, address)

    def _resume(self) -> None:
        if not self._closed:
            self._loop.add_reader(self.sock, self._accept)

    def _take(self, connection: socket.socket, address: object) -> None:
        connection.settimeout(0)
        host = str(address[0]) if isinstance(address, tuple) else ""
        peer = None if self._proxy else peer_of(connection)
        client = Connection(peer=peer, address=host, encrypted=self.tls is not None, proxy=self._proxy)
        why_not = self._census.admit(client)
        if why_not:
            self._refusals.count(why_not, str(client))
            if self.tls is None:
                with contextlib.suppress(OSError):
                    connection.send(_refusal())
            connection.close()
            return
        task = self._loop.create_task(self._serve(connection, client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket, client: Connection) -> None:
        protocol = self._make_protocol(client, lambda: self._census.leave(client))
        timeouts = {} if self.tls is None else {"ssl_handshake_timeout": self._limits.handshake_s}
        try:
            await self._loop.connect_accepted_socket(lambda: protocol, connection, ssl=self.tls, **timeouts)
        except (OSError, asyncio.CancelledError) as error:  # ssl.SSLError is an OSError
            if protocol.transport is None:
                self._census.leave(client)
            self._refusals.count("tls-handshake", str(client))
            connection.close()
            if isinstance(error, asyncio.CancelledError):
                raise


def _refusal() -> bytes:
    """The answer to whoever is one too many, before anything is read."""
    body = json.dumps(problem_document(_TOO_MANY)).encode()
    headers = {
        **SECURITY,
        "connection": "close",
        "retry-after": "5",
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 503 Service Unavailable\r\n{head}\r\n".encode() + body
