"""Packs answers with gzip for those who take that: JSON in one piece, and streams of events piece by piece."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from l2tpv3_api.http.negotiation import takes_gzip

_KINDS: Final = ("application/json", "application/problem+json", "application/toml")
_WORTH: Final = 1024
_AT_ONCE: Final = 64 << 10  # bytes; more are packed in a thread
_LEVEL: Final = 3  # lists of sessions become a tenth of their size by this, and little less by the slower ones
_GZIP: Final = 31  # zlib's word for gzip's header and the largest window


class Packed:
    """ASGI around an app. An entity tag stays as it is: it stands for a resource's state, however that is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI), and compress the answer where the client takes that."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = takes_gzip(Headers(scope=scope).get("accept-encoding", ""))
        await self._app(scope, receive, _Packing(send, taken=taken).send)


class _Packing:
    """Holds an answer's head back until it is known whether its body is all there at once. taken: gzip is."""

    def __init__(self, send: Send, *, taken: bool) -> None:
        self._send, self._taken = send, taken
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _may_be_packed(message):
            self._head = message
            return
        if self._head is not None:
            head, self._head = self._head, None
            body = message.get("body", b"")
            headers = MutableHeaders(raw=head["headers"])
            headers.add_vary_header("Accept-Encoding")
            if self._taken and len(body) >= _WORTH and not message.get("more_body", False):
                body = await asyncio.to_thread(_pack, body) if len(body) > _AT_ONCE else _pack(body)
                headers["Content-Encoding"] = "gzip"
                headers["Content-Length"] = str(len(body))
                message = {**message, "body": body}
            await self._send(head)
        await self._send(message)


def _may_be_packed(head: Message) -> bool:
    headers = Headers(raw=head["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip()
    return kind in _KINDS and "content-encoding" not in headers and head["status"] != 304


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


async def packed(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """A stream as gzip, of which each piece can be read as soon as it comes."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def pack(piece: bytes) -> bytes:
        return packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)

    try:
        async for piece in pieces:
            yield await asyncio.to_thread(pack, piece) if len(piece) > _AT_ONCE else pack(piece)
        yield packer.flush()
    finally:
        await pieces.aclose()
