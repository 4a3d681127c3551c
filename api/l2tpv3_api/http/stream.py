"""An answer that goes on: sent piece by piece, ended as soon as its client goes, and never waiting for it for long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

SEND_LIMIT_S: Final = 90.0
"""How long a client may take nothing before the stream is ended.

Longer than our own server's limit (`stall_s`), which cuts the connection: that is quieter. This is for other servers.
"""


class Stream(Response):
    """body: an async generator, closed in any case when the stream ends. One piece of it is held at a time.

    closing: called at the end, also when the generator never began, and so has no end of its own.
    """

    def __init__(
        self,
        body: AsyncGenerator[bytes, None],
        *,
        media_type: str,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        closing: Callable[[], None] | None = None,
    ) -> None:
        self.body_iterator = body
        self.status_code = status_code
        self.media_type = media_type
        self.background = None
        self._closing = closing
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, piece by piece (ASGI)."""
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait((sending, leaving))
            await self.body_iterator.aclose()
            if self._closing is not None:
                self._closing()
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        with contextlib.suppress(OSError, TimeoutError):  # gone, or as good as gone
            await send(start)
            async for piece in self.body_iterator:
                async with asyncio.timeout(SEND_LIMIT_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
