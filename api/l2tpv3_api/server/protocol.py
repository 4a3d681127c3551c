"""uvicorn's HTTP/1.1 protocol, with the client told to the app, and with limits on those who dawdle.

uvicorn has one on the time between requests. What it lacks: on the time a header takes, on a client that reads nothing,
and on a connection that it has closed but can't get rid of, as the client does not take the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from l2tpv3_api.auth.connection import STATE, Connection
from l2tpv3_api.http.headers import SECURITY
from l2tpv3_api.http.problems import MEDIA_TYPE, problem_document
from l2tpv3_api.limits import Limits
from l2tpv3_api.server.refusals import Refusals
from l2tpv3_api.server.rejections import RefusedRequest, malformed, too_large, too_slow

_CLOSING_S: Final = 5.0
"""How long a client may take to take the rest, and to end its side."""
_DISCARDED_MAX: Final = 1 << 20
"""How much is read of what nobody wants any more, so that the client gets as far as reading the answer."""


class Protocol(H11Protocol):
    """One connection. `tick` has to be called about once a second; `on_end` is, once, when it has ended."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        client: Connection,
        limits: Limits,
        refusals: Refusals,
        on_end: Callable[[Protocol], None],
    ) -> None:
        super().__init__(config, server_state, app_state)
        self.client_told = client
        self._limits, self._refusals, self._on_end = limits, refusals, on_end
        self._header_since: float | None = None  # when the header that is not complete began
        self._paused_since: float | None = None  # when the client stopped taking what is sent
        self._closing_since: float | None = None
        self._discarded = 0
        self._lingering = False

    # -- asyncio.Protocol ----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and TLS is established."""
        self.app_state = {**self.app_state, STATE: _with_tls(self.client_told, transport)}
        self._header_since = self.loop.time()
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, whoever ended it."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._on_end(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        if self._lingering or (self._answered() and self.conn.their_state is h11.SEND_BODY):
            self._discarded += len(data)
            if self._discarded > _DISCARDED_MAX:
                self.transport.abort()
                return
        if not self._lingering:
            super().data_received(data)
            self._watch()

    def pause_writing(self) -> None:
        """The client does not take what is sent."""
        super().pause_writing()
        self._paused_since = self.loop.time()

    def resume_writing(self) -> None:
        """It does again."""
        super().resume_writing()
        self._paused_since = None

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
            self._refusals.count("stalled", str(self.client_told))
            self.transport.abort()
        elif self._header_since is not None and now - self._header_since > self._limits.header_s:
            self._too_slow()

    def on_response_complete(self) -> None:
        """An answer is complete; the next request may have begun."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """Begin or end the time for a header (or for the rest of a body that nobody waits for)."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._header_since = None
        elif self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0] or self.cycle is None:
            self._header_since = self._header_since or self.loop.time()
        else:
            self._header_since = None

    def _answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _too_slow(self) -> None:
        if self._answered() and self.conn.their_state is not h11.IDLE:
            self._refusals.count("slow-request", str(self.client_told))
            self.transport.close()
        elif self.conn.trailing_data[0]:
            self._refuse(too_slow("its header came too slowly"))
        else:  # it never said anything
            self._refusals.count("silent", str(self.client_told))
            self.transport.close()

    # -- what is no request ----------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """h11 could not read what came. uvicorn calls this where it caught that error."""
        error = sys.exception()
        if getattr(error, "error_status_hint", 400) == 431:
            self._refuse(too_large("large-header", 431, "its header is too large", "send less"))
        else:
            told = str(error) if isinstance(error, h11.RemoteProtocolError) else msg
            self._refuse(malformed("malformed", f"is not HTTP/1.1: {told[:200]}"))

    def _refuse(self, refused: RefusedRequest) -> None:
        """Answer, if no answer has begun; then end, but let the client have the time to read that."""
        self._refusals.count(refused.reason, str(self.client_told))
        if self.cycle is not None and not self.cycle.response_complete:
            begun = self.cycle.response_started
            self.cycle.disconnected = True  # what the app has to say now goes nowhere
            self.cycle.waiting_for_100_continue = False
            self.cycle.message_event.set()
            if begun:
                self.transport.abort()
                return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(_answer(self.conn, refused))
        self._linger()

    def _linger(self) -> None:
        """Closed at once, with something unread, the kernel would reset the connection and the answer be lost."""
        self._unset_keepalive_if_required()
        self._lingering = True
        self.flow.resume_reading()
        if self.transport.can_write_eof():
            with contextlib.suppress(OSError):  # ENOTCONN: it was reset meanwhile
                self.transport.write_eof()


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
