"""uvicorn's server, with listeners of our own, several kinds of sockets at once, and systemd told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3_api.auth.connection import Connection
from l2tpv3_api.limits import Limits
from l2tpv3_api.server.connection_limit import ConnectionLimit
from l2tpv3_api.server.listener import Listener
from l2tpv3_api.server.protocol import Protocol
from l2tpv3_api.server.refusals import Refusals
from l2tpv3_api.server.sockets import is_at
from l2tpv3_api.server.systemd import Notify

_LOG = logging.getLogger("l2tpv3_api.server")
_TICK_S = 0.5
END_S: Final = 4.5
"""Seconds from the signal to the end, whatever is under way: a change that is cut off is as one that was killed."""


class Server(uvicorn.Server):
    """sockets: they listen already. make_tls: the context for those of TCP, called again at SIGHUP.

    proxy_path: of the one of them at which a proxy connects. on_reload: what else to read again at SIGHUP.
    every_tick: called twice a second. on_stop: called before anything else when it ends, to end what would go on for
    ever.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        *,
        proxy_path: Path | None,
        limits: Limits,
        refusals: Refusals,
        make_tls: Callable[[], ssl.SSLContext | None],
        on_reload: Callable[[], None],
        every_tick: Callable[[], None],
        on_stop: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._app = app
        self._proxy_path = proxy_path
        self._sockets, self._limits, self._refusals = sockets, limits, refusals
        self._make_tls, self._on_reload, self._every_tick, self._on_stop = make_tls, on_reload, every_tick, on_stop
        self.census = ConnectionLimit(limits)
        self._open: set[Protocol] = set()
        self._listeners: list[Listener] = []
        self._notify = Notify()
        self._ticking: asyncio.Task[None] | None = None
        self._tls = make_tls()  # before anything is started: what is wrong with it is the caller's to know

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, then take connections. Raises RefusedError when the app does not start."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RefusedError("service", "did not start", "its log says why")
        for sock in self._sockets:
            tls = self._tls if sock.family != socket.AF_UNIX else None
            self._listeners.append(
                Listener(
                    sock,
                    self._make_protocol,
                    census=self.census,
                    limits=self._limits,
                    refusals=self._refusals,
                    tls=tls,
                    proxy=is_at(sock, self._proxy_path),
                )
            )
        self.servers = self._listeners  # type: ignore[assignment]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._ticking = loop.create_task(self._tick())
        self.started = True
        paths = ", ".join(_place(sock) for sock in self._sockets)
        _LOG.info("serves %s", paths)
        self._notify.ready(f"serves {paths}")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let requests that are under way end, then end the app."""
        self._notify.stopping()
        _LOG.info("ends")
        self._on_stop()
        await super().shutdown()
        if self._ticking is not None:
            self._ticking.cancel()
        for protocol in list(self._open):
            if protocol.transport is not None:
                protocol.transport.abort()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM or Ctrl-C. What does not come to its end in time, in whatever thread, ends with the process."""
        super().handle_exit(sig, frame)
        last = threading.Timer(END_S, _end_now)
        last.daemon = True
        last.start()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals in the loop; unlike uvicorn's own, SIGTERM is no failure afterwards."""
        yield

    def _make_protocol(self, client: Connection, on_end: Callable[[], None]) -> Protocol:
        def ended(protocol: Protocol) -> None:
            self._open.discard(protocol)
            on_end()

        protocol = Protocol(
            self._app,
            self.server_state,
            self.lifespan.state,
            client=client,
            limits=self._limits,
            refusals=self._refusals,
            on_end=ended,
        )
        self._open.add(protocol)
        return protocol

    def _reload(self) -> None:
        """SIGHUP: read certificates and groups again. What is wrong with them is told, and the old ones are kept."""
        self._notify.reloading()
        try:
            tls = self._make_tls()
        except L2tpError as error:
            _LOG.error("keeps its certificate: %s", error)
        else:
            for listener in self._listeners:
                listener.tls = tls if listener.tls is not None else None
            self._on_reload()
            _LOG.info("has read its certificate and groups again")
        self._notify.ready("serves")

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        alive = loop.time()
        while True:
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            if self._notify.watchdog_s and now - alive >= self._notify.watchdog_s:
                alive = now
                self._notify.alive()
            try:
                for protocol in list(self._open):
                    protocol.tick(now)
                self._every_tick()
            except L2tpError as error:
                _LOG.error("%s", error)
            except Exception:  # or nobody would end slow clients, nor tell systemd that all is well
                _LOG.exception("a task that runs twice a second failed")


def _end_now() -> None:
    _LOG.warning("ends now: something was still under way; the next change finishes or undoes what was half made")
    logging.shutdown()
    os._exit(0)


def _place(sock: socket.socket) -> str:
    name = sock.getsockname()
    if isinstance(name, tuple):
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    return str(name)
