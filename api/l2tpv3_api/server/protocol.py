"""HTTP/1.1 on one connection: h11 reads and writes the protocol, the app answers, and those who dawdle are ended.

There is a limit on the time that a header takes, on the time between requests, on a client that reads nothing, and on a
connection that is closed but can't be got rid of, as the client does not take the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

import h11
from starlette.types import ASGIApp, Scope
from uvicorn.server import ServerState

from l2tpv3_api.auth.connection import STATE, Connection
from l2tpv3_api.http.headers import SECURITY
from l2tpv3_api.http.problems import MEDIA_TYPE, problem_document
from l2tpv3_api.limits import Limits
from l2tpv3_api.server.exchange import Exchange
from l2tpv3_api.server.refusals import Refusals
from l2tpv3_api.server.rejections import RefusedRequest, malformed, too_large, too_slow

_CLOSING_S: Final = 5.0
"""How long a client may take to take the rest, and to end its side."""
_DISCARDED_MAX: Final = 1 << 20
"""How much is read of what nobody wants any more, so that the client gets as far as reading the answer."""


class Protocol(asyncio.Protocol):
    """One connection. `tick` has to be called about once a second; `on_end` is, once, when it has ended.

    server_state: uvicorn's, which keeps the connections and tasks that it waits for at its end, and the Date header.
    """

    def __init__(
        self,
        app: ASGIApp,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        client: Connection,
        limits: Limits,
        refusals: Refusals,
        on_end: Callable[[Protocol], None],
    ) -> None:
        self.client = client
        self.transport: asyncio.Transport | None = None
        self._app, self._server, self._app_state = app, server_state, app_state
        self._limits, self._refusals, self._on_end = limits, refusals, on_end
        self._loop = asyncio.get_running_loop()
        self._conn = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.header_bytes)
        self._exchange: Exchange | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._last = False  # the server ends: no request after the present one
        self._header_since: float | None = None  # when the header that is not complete began
        self._idle_since: float | None = None  # when the last answer was complete, and nothing has come since
        self._paused_since: float | None = None  # when the client stopped taking what is sent
        self._closing_since: float | None = None
        self._discarded = 0
        self._lingering = False

    @property
    def _open(self) -> asyncio.Transport:
        assert self.transport is not None  # asyncio calls connection_made first
        return self.transport

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and TLS is established."""
        self.transport = transport
        self._server.connections.add(self)  # type: ignore[arg-type] # uvicorn calls shutdown() only
        self._app_state = {**self._app_state, STATE: _with_tls(self.client, transport)}
        self._header_since = self._loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended, whoever ended it (asyncio.Protocol)."""
        self._server.connections.discard(self)
        if self._exchange is not None and not self._exchange.complete:
            self._exchange.disconnect()
        self._writable.set()
        self._on_end(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes that arrived (asyncio.Protocol)."""
        if self._lingering or (self._answered() and self._conn.their_state is h11.SEND_BODY):
            self._discarded += len(data)
            if self._discarded > _DISCARDED_MAX:
                self._open.abort()
                return
        if not self._lingering:
            self._idle_since = None
            self._conn.receive_data(data)
            self._read_events()
            self._watch()

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        self._writable.clear()
        self._paused_since = self._loop.time()

    def resume_writing(self) -> None:
        """Note that the client takes what is sent again (asyncio.Protocol)."""
        self._writable.set()
        self._paused_since = None

    # -- uvicorn.Server ------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """The server ends: close, after the answer that is under way."""
        self._last = True
        if self._exchange is None or self._exchange.complete:
            self._open.close()

    # -- time ----------------------------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """End the connection if it has taken too long for what it is at. now: of the loop's clock."""
        if self.transport is None:
            return
        if self.transport.is_closing() or self._lingering:
            self._closing_since = self._closing_since or now
            if now - self._closing_since > _CLOSING_S:
                self.transport.abort()
        elif self._paused_since is not None and now - self._paused_since > self._limits.stall_s:
            self._refusals.count("stalled", str(self.client))
            self.transport.abort()
        elif self._header_since is not None and now - self._header_since > self._limits.header_s:
            self._too_slow()
        elif self._idle_since is not None and now - self._idle_since > self._limits.idle_s:
            self.transport.close()

    def _watch(self) -> None:
        """Begin or end the time for a header (or for the rest of a body that nobody waits for)."""
        if self._exchange is not None and not self._exchange.complete:
            self._header_since = None
        elif self._conn.their_state is h11.SEND_BODY or self._conn.trailing_data[0] or self._exchange is None:
            self._header_since = self._header_since or self._loop.time()
        else:
            self._header_since = None

    def _answered(self) -> bool:
        return self._exchange is not None and self._exchange.complete

    def _too_slow(self) -> None:
        if self._answered() and self._conn.their_state is not h11.IDLE:
            self._refusals.count("slow-request", str(self.client))
            self._open.close()
        elif self._conn.trailing_data[0]:
            self._refuse(too_slow("its header came too slowly"))
        else:  # it never said anything
            self._refusals.count("silent", str(self.client))
            self._open.close()

    # -- requests ------------------------------------------------------------------------------------------------

    def _read_events(self) -> None:
        """Act on what h11 has read."""
        while True:
            try:
                event = self._conn.next_event()
            except h11.RemoteProtocolError as error:
                self._refuse(_unreadable(error))
                return
            if event is h11.NEED_DATA:
                return
            if event is h11.PAUSED:  # another request, whose turn comes after the answer to this one
                self.pause_reading()
                return
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data) and not self._answered():
                self._present.take(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and not self._end_of_body():
                return

    @property
    def _present(self) -> Exchange:
        assert self._exchange is not None  # h11 gives a Request first
        return self._exchange

    def _begin(self, request: h11.Request) -> None:
        self._idle_since = None
        expects_continue = self._conn.they_are_waiting_for_100_continue
        self._exchange = Exchange(self._scope(request), self, expects_continue=expects_continue)
        task = self._loop.create_task(self._exchange.run(self._app))
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def _end_of_body(self) -> bool:
        """The request is complete. Gives whether there may be another."""
        if self._conn.our_state is h11.DONE:  # answered before all of it came
            self.resume_reading()
            self._conn.start_next_cycle()
            return True
        self._present.end_body()
        return self._conn.their_state is not h11.MUST_CLOSE

    def _scope(self, request: h11.Request) -> Scope:
        raw_path, _, query = request.target.partition(b"?")
        transport = self._open
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": request.http_version.decode("ascii"),
            "server": _address(transport.get_extra_info("sockname")),
            "client": _address(transport.get_extra_info("peername")),
            "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
            "method": request.method.decode("ascii"),
            "root_path": "",
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": query,
            "headers": list(request.headers),
            "state": self._app_state.copy(),
        }

    # -- what an exchange asks for: exchange.Client --------------------------------------------------------------

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that each answer has: the date."""
        return self._server.default_headers

    def send(self, event: h11.Event) -> None:
        """Write what h11 makes of an event."""
        self._open.write(self._conn.send(event) or b"")

    async def writable(self) -> None:
        """Wait until the client takes what is sent, or is gone."""
        await self._writable.wait()

    def pause_reading(self) -> None:
        """Read no more for now."""
        self._open.pause_reading()

    def resume_reading(self) -> None:
        """Go on reading from the connection."""
        self._open.resume_reading()

    def close(self) -> None:
        """End the connection once all is sent."""
        self._open.close()

    def answered(self) -> None:
        """The answer is complete; the next request may have begun."""
        if self._conn.our_state is h11.MUST_CLOSE or self._last:
            self.close()
        if not self._open.is_closing():
            self._idle_since = self._loop.time()
            self.resume_reading()
            if self._conn.our_state is h11.DONE and self._conn.their_state is h11.DONE:
                self._conn.start_next_cycle()
                self._read_events()
        self._watch()

    # -- what is no request ----------------------------------------------------------------------------------------

    def _refuse(self, refused: RefusedRequest) -> None:
        """Answer, if no answer has begun; then end, but let the client have the time to read that."""
        self._refusals.count(refused.reason, str(self.client))
        if self._exchange is not None and not self._exchange.complete:
            self._exchange.disconnect()
            if self._exchange.started:
                self._open.abort()
                return
        if self._conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._open.write(_answer(self._conn, refused))
        self._linger()

    def _linger(self) -> None:
        """Closed at once, with something unread, the kernel would reset the connection and the answer be lost."""
        self._idle_since = None
        self._lingering = True
        self.resume_reading()
        if self._open.can_write_eof():
            with contextlib.suppress(OSError):  # ENOTCONN: it was reset meanwhile
                self._open.write_eof()


def _unreadable(error: h11.RemoteProtocolError) -> RefusedRequest:
    """What to answer to bytes that h11 could not read."""
    if error.error_status_hint == 431:
        return too_large("large-header", 431, "its header is too large", "send less")
    return malformed("malformed", f"is not HTTP/1.1: {str(error)[:200]}")


def _address(name: object) -> tuple[str, int | None] | None:
    """A socket's address as ASGI has it: host and port, or a path and None."""
    if isinstance(name, tuple):
        return str(name[0]), int(name[1])
    return (name, None) if isinstance(name, str) and name else None


def _with_tls(client: Connection, transport: asyncio.Transport) -> Connection:
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return client
    return Connection(
        peer=client.peer,
        address=client.address,
        encrypted=True,
        certificate=transport.get_extra_info("peercert") or None,
        server_name=getattr(tls, "l2tpv3_server_name", ""),
        proxy=client.proxy,
    )


def _answer(conn: h11.Connection, refused: RefusedRequest) -> bytes:
    body = json.dumps(problem_document(refused.error, status=refused.status)).encode()
    headers = {**SECURITY, "content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close"}
    response = h11.Response(status_code=refused.status, headers=list(headers.items()), reason=b"")
    said = conn.send(response) or b""
    with contextlib.suppress(h11.LocalProtocolError):  # to HEAD there is no body to send
        said += conn.send(h11.Data(data=body)) or b""
    return said
