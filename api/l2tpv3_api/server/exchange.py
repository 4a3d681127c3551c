"""One request and its answer: what an ASGI app receives and sends (ASGI specification, HTTP message format 2.3)."""

from __future__ import annotations

import asyncio
import http
import logging
from typing import Any, Final, Protocol

import h11
from starlette.types import ASGIApp, Message, Scope

_LOG = logging.getLogger("l2tpv3_api.server")
_BODY_AHEAD: Final = 65536
"""How many bytes of a body are kept for an app that does not ask for them; then no more is read."""


class Client(Protocol):
    """The connection that a request came by."""

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers that each answer has."""

    def send(self, event: h11.Event) -> None:
        """Write what h11 makes of an event."""

    async def writable(self) -> None:
        """Wait until the client takes what is sent, or is gone."""

    def pause_reading(self) -> None:
        """Read no more for now."""

    def resume_reading(self) -> None:
        """Go on reading from the connection."""

    def answered(self) -> None:
        """The answer is complete."""

    def close(self) -> None:
        """End the connection once all is sent."""


class Exchange:
    """disconnected: what the app sends from now on goes nowhere. started, complete: how far the answer is."""

    def __init__(self, scope: Scope, client: Client, *, expects_continue: bool) -> None:
        self.disconnected = self.started = self.complete = False
        self._scope, self._client = scope, client
        self._expects_continue = expects_continue  # RFC 9110, 10.1.1: it sends the body when told `100 Continue`
        self._body = bytearray()
        self._more_body = True
        self._changed = asyncio.Event()

    def disconnect(self) -> None:
        """The client is gone, or is to get nothing more."""
        self.disconnected = True
        self._expects_continue = False
        self._changed.set()

    def take(self, data: bytes) -> None:
        """More of the body came."""
        self._body += data
        if len(self._body) > _BODY_AHEAD:
            self._client.pause_reading()
        self._changed.set()

    def end_body(self) -> None:
        """Note that the body is complete."""
        self._more_body = False
        self._changed.set()

    async def run(self, app: ASGIApp) -> None:
        """Have the app answer. Raises nothing: an app that fails is logged, and its client gets 500 or is cut off."""
        try:
            await app(self._scope, self._receive, self._send)
        except BaseException as error:  # CancelledError as well: what is under way when the service ends
            _LOG.error("an answer failed", exc_info=error)
            await self._give_up()
        else:
            if not self.complete and not self.disconnected:
                _LOG.error("an answer is not complete: %s", self._scope["path"])
                await self._give_up()

    async def _give_up(self) -> None:
        if self.started:
            self._client.close()
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        await self._send({"type": "http.response.start", "status": 500, "headers": headers})
        await self._send({"type": "http.response.body", "body": b"Internal Server Error"})

    async def _receive(self) -> Message:
        if self._expects_continue:
            self._expects_continue = False
            self._client.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
        if not self.disconnected and not self.complete:
            self._client.resume_reading()
            await self._changed.wait()
            self._changed.clear()
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._body.clear()
        return {"type": "http.request", "body": body, "more_body": self._more_body}

    async def _send(self, message: Message) -> None:
        if not self.disconnected:
            await self._client.writable()
        if self.disconnected:
            return
        expected = "http.response.body" if self.started else "http.response.start"
        if self.complete or message["type"] != expected:
            raise RuntimeError(f"the app sends {message['type']} where {expected} is due")
        if self.started:
            self._send_body(message)
        else:
            self._send_header(message)

    def _send_header(self, message: Message) -> None:
        self.started = True
        self._expects_continue = False
        headers: list[Any] = [*self._client.default_headers, *message.get("headers", [])]
        status = message["status"]
        self._client.send(h11.Response(status_code=status, headers=headers, reason=_phrase(status)))

    def _send_body(self, message: Message) -> None:
        head = self._scope["method"] == "HEAD"
        self._client.send(h11.Data(data=b"" if head else message.get("body", b"")))
        if not message.get("more_body", False):
            self.complete = True
            self._changed.set()
            self._client.send(h11.EndOfMessage())
            self._client.answered()


def _phrase(status: int) -> bytes:
    try:
        return http.HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
