"""Checks every request before the app gets it: its form, its origin, who sent it, and how often that one may ask."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from l2tpv3.errors import NotPermittedError
from l2tpv3_api.auth.base import Authenticator
from l2tpv3_api.auth.connection import Connection, client_of
from l2tpv3_api.auth.identity import Identity
from l2tpv3_api.auth.rate_limit import Rates
from l2tpv3_api.http.headers import Site
from l2tpv3_api.http.hostname import challenge
from l2tpv3_api.http.problems import problem_response
from l2tpv3_api.limits import Limits
from l2tpv3_api.server.body_reader import Bodies, ClientGoneError
from l2tpv3_api.server.refusals import Refusals
from l2tpv3_api.server.rejections import RefusedRequest, busy, too_many
from l2tpv3_api.server.request_checks import check_shape

STREAMS: Final = re.compile(r"/v1/events|/v1/tunnels/[^/]+/sessions/[^/]+/capture")
"""Answers that go on until somebody ends them."""

_SAFE: Final = ("GET", "HEAD", "OPTIONS")


class Admission:
    """ASGI around the app. still_good: whether an identity, once let in, may go on (streams outlive their check)."""

    def __init__(
        self,
        app: ASGIApp,
        guard: Authenticator,
        *,
        limits: Limits,
        site: Site,
        refusals: Refusals,
        still_good: Callable[[Identity], bool] | None = None,
    ) -> None:
        self._app, self._guard, self._limits, self._site, self._refusals = app, guard, limits, site, refusals
        self._still_good = still_good
        self._known = Rates(limits.rate, limits.burst)
        self._strangers = Rates(limits.stranger_rate, limits.stranger_burst)
        self._bodies = Bodies(limits)
        self._streams: dict[asyncio.Timeout, Identity] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request (ASGI), or refuse it before the app sees it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        request = HTTPConnection(scope)
        client = client_of(request)
        try:
            check_shape(scope, self._limits)
            self._site.check(scope, client)
            identity = await self._identify(request, client)
            async with self._bodies.read(receive) as receiving, self._time(scope, identity, answer):
                await self._app(scope, receiving, answer.send)
        except RefusedRequest as refused:
            self._refusals.count(refused.reason, str(client))
            if not answer.started:
                await problem_response(refused.error, status=refused.status, headers=refused.headers)(
                    scope, receive, send
                )
            elif not answer.complete:
                raise  # cut off: its client must not take it for the whole
        except ClientGoneError:
            self._refusals.count("gone", str(client))

    async def _identify(self, request: HTTPConnection, client: Connection) -> Identity | None:
        """Who asks, and whether that one asks too often. None: a stranger, who may see what is public: nothing in /v1.

        The routes ask for scopes themselves; this holds should one forget to.
        """
        try:
            identity = await self._guard.identify(request)
        except NotPermittedError as error:
            wait_s = self._strangers.take(client.key)
            if wait_s:
                raise too_many("stranger-rate", str(client), "sends too many requests", wait_s) from error
            if request.scope["method"] not in _SAFE or _is_below(request.scope["path"], "/v1"):  # no body is read then
                headers = {"WWW-Authenticate": challenge()} if error.http_status == 401 else {}
                raise RefusedRequest(error.slug, error, None, headers) from error
            if request.headers.get("authorization"):
                self._refusals.count(error.slug, str(client))
            return None
        request.state.identity = identity
        if identity.key != "uid:0":  # root could stop the service as well
            wait_s = self._known.take(identity.key)
            if wait_s:
                raise too_many("rate", identity.name, "sends too many requests", wait_s)
        return identity

    @contextlib.asynccontextmanager
    async def _time(self, scope: Scope, identity: Identity | None, answer: _Answer) -> AsyncIterator[None]:
        """How long a request may take. Raises RefusedRequest (503) when an answer has not begun by then."""
        if identity is not None and STREAMS.fullmatch(scope["path"]):
            with self._stream(identity) as until:
                try:
                    async with until:
                        yield
                except TimeoutError:
                    if not until.expired():
                        raise
                    await answer.end()
            return
        limit = self._limits.read_s if scope["method"] in _SAFE else None
        try:
            async with asyncio.timeout(limit) as until:
                answer.limit = until
                yield
        except TimeoutError as error:
            if not until.expired():
                raise
            raise busy("slow-answer", f"had no answer within {limit} s") from error

    @contextlib.contextmanager
    def _stream(self, identity: Identity) -> Iterator[asyncio.Timeout]:
        each = Counter(one.key for one in self._streams.values())[identity.key]
        if each >= self._limits.streams_each:
            raise too_many("streams-each", identity.name, f"has {each} streams open already", 5)
        if len(self._streams) >= self._limits.streams:
            raise busy("streams", f"has {len(self._streams)} streams open already")
        until = asyncio.timeout(None)
        self._streams[until] = identity
        try:
            yield until
        finally:
            del self._streams[until]

    @property
    def streams(self) -> int:
        """The number of open streams."""
        return len(self._streams)

    def end_streams(self, *, all: bool = False) -> None:
        """End the streams of those who would not be let in any more, or all."""
        now = asyncio.get_running_loop().time()
        for until, identity in list(self._streams.items()):
            if all or (self._still_good is not None and not self._still_good(identity)):
                with contextlib.suppress(RuntimeError):  # it is ending just now, or has not begun
                    until.reschedule(now)


def _is_below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


class _Answer:
    """Knows how far an answer is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = self.complete = False
        self.limit: asyncio.Timeout | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            if self.limit is not None and not self.limit.expired():
                self.limit.reschedule(None)  # from here on it is at the client's pace
        elif message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        """The last, empty piece of a stream."""
        if self.started and not self.complete:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
