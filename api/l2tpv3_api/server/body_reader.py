"""Reads a request's body for the app, all of it, before the app is called: so its time and size are settled here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.types import Message, Receive

from l2tpv3_api.limits import Limits
from l2tpv3_api.server.rejections import busy, too_large, too_slow


class ClientGoneError(Exception):
    """The client went away in the middle of its request: there is nobody to answer."""


class Bodies:
    """The bodies of all requests that are under way."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0
        """Bytes of them all."""

    @contextlib.asynccontextmanager
    async def read(self, receive: Receive) -> AsyncIterator[Receive]:
        """Read a request's body, and give what the app is to receive from.

        Raises RefusedRequest: 413, 408, or 503 where bodies of others take the room; ClientGoneError.
        """
        body = bytearray()
        try:
            await self._collect(receive, body)
            yield _replaying(bytes(body), receive)
        finally:
            self.held -= len(body)

    async def _collect(self, receive: Receive, body: bytearray) -> None:
        start = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(start + self._limits.body_s) as until:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    piece = message.get("body", b"")
                    if len(body) + len(piece) > self._limits.body_bytes:
                        limit = self._limits.body_bytes
                        raise too_large("large-body", 413, f"its body has over {limit} bytes", "send less at once")
                    if self.held + len(piece) > self._limits.bodies_bytes:
                        raise busy("bodies", "is reading as many requests as it has room for")
                    body += piece
                    self.held += len(piece)
                    if not message.get("more_body", False):
                        return
                    until.reschedule(start + self._limits.body_s + len(body) / self._limits.body_rate)
        except TimeoutError as error:
            raise too_slow("its body came too slowly") from error


def _replaying(body: bytes, receive: Receive) -> Receive:
    """What gives the body once, then whatever comes: the client's end."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
