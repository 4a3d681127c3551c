"""One record for each request: who, what, how it ended, how long it took."""

from __future__ import annotations

import logging
import time

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from l2tpv3_api.auth.connection import client_of
from l2tpv3_api.auth.identity import Identity

_LOG = logging.getLogger("l2tpv3_api.auth")
_QUIET = ("/healthz", "/readyz")  # asked every few seconds, by something that would notice


class AccessLog:
    """ASGI around everything else. The query is left out: it may say what was only meant for the service."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI), and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun = time.perf_counter()
        try:
            await self._app(scope, receive, sending)
        finally:
            self._say(scope, status, time.perf_counter() - begun)

    def _say(self, scope: Scope, status: int, seconds: float) -> None:
        level = logging.DEBUG if scope["path"] in _QUIET and status == 200 else logging.INFO
        if not _LOG.isEnabledFor(level):
            return
        identity = scope["state"].get("identity")
        who = identity.name if isinstance(identity, Identity) else "-"
        client = str(client_of(HTTPConnection(scope)))
        path = scope["raw_path"].decode("ascii", "backslashreplace")  # escaped as it came: no control characters
        told = {
            "identity": who,
            "client": client,
            "method": scope["method"],
            "path": path,
            "status": status,
            "duration_ms": round(seconds * 1000, 2),
        }
        text = "%s %s %s: %s in %.1f ms (%s)"
        _LOG.log(
            level, text, who, scope["method"], path, status or "gone", seconds * 1000, client, extra={"fields": told}
        )
