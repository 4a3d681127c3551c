"""Assembles the service and runs it until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn
from fastapi import FastAPI

from l2tpv3.errors import InvalidValueError
from l2tpv3.host.manager import Manager
from l2tpv3.paths import Paths
from l2tpv3_api import logs
from l2tpv3_api.auth.authenticator import CredentialAuthenticator
from l2tpv3_api.auth.certificates import Certificates
from l2tpv3_api.auth.local_users import LocalUsers
from l2tpv3_api.auth.tokens import Tokens
from l2tpv3_api.http.headers import SecurityHeaders, Site, network_names
from l2tpv3_api.server.access_log import AccessLog
from l2tpv3_api.server.admission import Admission
from l2tpv3_api.server.protocol import Protocol
from l2tpv3_api.server.refusals import Refusals
from l2tpv3_api.server.server import Server
from l2tpv3_api.server.sockets import is_at, refuse_plain, tcp_sockets, unix_socket
from l2tpv3_api.server.systemd import listen_fds
from l2tpv3_api.server.tls import tls_context, warn_of_open_key
from l2tpv3_api.settings import Settings

_GRACE_S: Final = 3
"""How long requests that are under way may go on when the service ends; a change goes on until END_S."""
_NOTE_USED_TICKS: Final = 60


def serve(manager: Manager, paths: Paths, settings: Settings) -> None:
    """Serve `manager` until SIGTERM or Ctrl-C. Raises L2tpError when it can't be started."""
    from l2tpv3_api.app import create_app
    from l2tpv3_api.service.fleet_looks import FleetLooks
    from l2tpv3_api.service.service import Service

    _raise_file_limit()
    paths.make()
    paths.let_through()
    guard = CredentialAuthenticator(
        Tokens(paths.state),
        LocalUsers(others_read=settings.others_read),
        Certificates(settings.clients),
        network_names(settings.host_names),
    )
    service = Service(manager, fleet=None if settings.fleet is None else FleetLooks(settings.fleet))
    app = create_app(service, guard=guard)
    with listening(settings) as sockets:
        server = put_together(app, guard, sockets, settings, on_stop=service.hub.close)
        logs.set_up(settings.log_format)
        warn_of_open_key(settings)
        server.run()


def put_together(
    app: FastAPI,
    guard: CredentialAuthenticator,
    sockets: list[socket.socket],
    settings: Settings,
    *,
    on_stop: Callable[[], None],
) -> Server:
    """The server of an app, with its gate, headers and log around it; `app.state.refusals` counts what it refuses."""
    refusals = Refusals()
    app.state.refusals = refusals
    gate = Admission(
        app,
        guard,
        limits=settings.limits,
        site=Site(settings.host_names),
        refusals=refusals,
        still_good=guard.still_good,
    )
    app.state.gate = gate
    outermost = AccessLog(SecurityHeaders(gate))
    config = uvicorn.Config(
        outermost,
        http=Protocol,
        loop="asyncio",
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # whoever stands before us is who is counted: nothing that a client sends can change that
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    ticks = 0

    def every_tick() -> None:
        nonlocal ticks
        ticks += 1
        gate.end_streams()
        if ticks % _NOTE_USED_TICKS == 0:
            asyncio.get_running_loop().run_in_executor(None, guard.note_used)

    def ending() -> None:
        on_stop()
        gate.end_streams(all=True)
        guard.note_used()

    return Server(
        config,
        outermost,
        sockets,
        proxy_path=settings.proxy_unix,
        limits=settings.limits,
        refusals=refusals,
        make_tls=lambda: tls_context(settings),
        on_reload=guard.local.look_up,
        every_tick=every_tick,
        on_stop=ending,
    )


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[list[socket.socket]]:
    """The sockets to serve, for a `with` block: systemd's, if it handed any over, else those that settings name.

    Raises InvalidValueError, NotFoundError or ConflictError for an address that can't be listened on.
    """
    given = listen_fds()
    with contextlib.ExitStack() as stack:
        for sock in given:
            stack.callback(sock.close)
            if sock.family != socket.AF_UNIX and settings.tls_cert is None and not settings.insecure_plain_http:
                refuse_plain(sock.getsockname()[0], "the socket that systemd handed over")
        sockets = list(given)
        proxy = settings.proxy_unix
        own = [sock for sock in given if sock.family == socket.AF_UNIX and not is_at(sock, proxy)]
        if settings.unix is not None and not own:
            sockets.append(stack.enter_context(unix_socket(settings.unix, others=settings.others_read)))
        if proxy is not None and not any(is_at(sock, proxy) for sock in given):
            sockets.append(stack.enter_context(unix_socket(proxy, others=True, option="--proxy-unix")))
        tls = settings.tls_cert is not None
        for sock in tcp_sockets(settings.listen, tls=tls, insecure=settings.insecure_plain_http):
            stack.callback(sock.close)
            sockets.append(sock)
        if not sockets:
            raise InvalidValueError("serve", "has nothing to listen on", "give --unix PATH or --listen HOST:PORT")
        yield sockets


def _raise_file_limit() -> None:
    """Raise the limit of open files as far as this process may: each connection is one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
