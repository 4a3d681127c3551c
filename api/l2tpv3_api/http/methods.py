"""HEAD and OPTIONS, for every path alike: routes only know GET and what changes something."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from l2tpv3_api.http.problems import allowed_methods


class Methods:
    """Answers OPTIONS with what a path allows, and HEAD as GET without its body; a stream's is not begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI); HEAD and OPTIONS are answered for every path."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._head({**scope, "method": "GET"}, receive, send)
        elif scope["type"] == "http" and scope["method"] == "OPTIONS" and (allow := self._allowed(scope)):
            await Response(status_code=204, headers={"Allow": allow})(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _allowed(self, scope: Scope) -> str:
        """The methods of the path; empty where there is no such path."""
        app: Starlette = scope["app"]
        methods = allowed_methods(Request({**scope, "app": app}))
        return ", ".join(methods) if methods else ""

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        ended = False

        async def sending(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                ended = True

        async def receiving() -> Message:
            return {"type": "http.disconnect"} if ended else await receive()

        await self._app(scope, receiving, sending)
