"""GET /v1/events: what happens, as it happens."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query

from l2tpv3.errors import InvalidValueError
from l2tpv3_api.events.choice import CHOSEN_MAX, Choice
from l2tpv3_api.events.counter_sampler import INTERVAL_MAX_S, INTERVAL_MIN_S, interval
from l2tpv3_api.events.event import Event, EventType
from l2tpv3_api.events.hub import Subscription
from l2tpv3_api.http.negotiation import takes_gzip
from l2tpv3_api.http.packing import packed
from l2tpv3_api.http.stream import Stream
from l2tpv3_api.routes.dependencies import Reader, Serving
from l2tpv3_api.schemas import responses
from l2tpv3_api.service.service import Service

HEARTBEAT_S: Final = 15.0
"""A comment after so much silence: proxies and clients can tell a quiet stream from a dead one."""

_RETRY_MS: Final = 1000
_TYPES: Final = tuple(one for one in EventType if one is not EventType.RESET)
_MEDIA_TYPE: Final = "text/event-stream"

router = APIRouter(tags=["live"])


@router.get(
    "/v1/events",
    operation_id="streamEvents",
    response_class=Stream,
    responses={
        200: {
            "description": "Server-sent events until the client goes.",
            "content": {
                _MEDIA_TYPE: {
                    "schema": {"type": "string"},
                    "example": 'id: 5f0c-12\nevent: worker\ndata: {"change":"died","tunnel":"siteb","pid":4711}\n\n',
                }
            },
        },
        **responses.problems(),
    },
)
async def events(
    service: Serving,
    who: Reader,
    types: Annotated[
        str | None, Query(description=f"Only these, with commas between: {', '.join(_TYPES)}. Default: all.")
    ] = None,
    counters: Annotated[
        float | None,
        Query(
            ge=INTERVAL_MIN_S,
            le=INTERVAL_MAX_S,
            description="Counters every so many seconds, too: of all sessions and links, unless some are named.",
        ),
    ] = None,
    session: Annotated[
        list[str] | None,
        Query(
            max_length=CHOSEN_MAX,
            description="Counters of this session, TUNNEL/SESSION, and of no others but those whose counters of errors "
            "have grown; can be repeated. `totals` are of all.",
        ),
    ] = None,
    link: Annotated[
        list[str] | None, Query(max_length=CHOSEN_MAX, description="The same of a link; can be repeated.")
    ] = None,
    accept_encoding: Annotated[str, Header(include_in_schema=False)] = "",
    last_event_id: Annotated[
        str | None, Header(description="The id of the last event that was received: go on after it.", max_length=100)
    ] = None,
) -> Stream:
    """Stream events: tunnels, sessions, links, workers as they come and go, applies as they run, counters on request.

    An event `reset` says that some were missed: list again. Cookies are in none.
    """
    wanted = _wanted(types)
    if counters is None and EventType.COUNTERS in wanted:
        raise InvalidValueError("types", "counters come at an interval", "add counters=SECONDS")
    choice = Choice.of(session or (), link or ())
    if counters is None and choice is not None:
        raise InvalidValueError("session, link", "counters come at an interval", "add counters=SECONDS")
    join = (
        None
        if counters is None
        else functools.partial(service.sampler.join, interval_s=interval(counters), choice=choice)
    )
    body = _body(service, wanted, join, last_event_id)
    vary = {"Vary": "Accept-Encoding"}
    if takes_gzip(accept_encoding):
        return Stream(packed(body), media_type=_MEDIA_TYPE, headers={**vary, "Content-Encoding": "gzip"})
    return Stream(body, media_type=_MEDIA_TYPE, headers=vary)


def _wanted(types: str | None) -> frozenset[str]:
    wanted = frozenset(one.strip() for one in (types or "").split(",") if one.strip())
    if unknown := wanted - set(_TYPES):
        raise InvalidValueError("types", f"no event is a {min(unknown)!r}", f"give some of {', '.join(_TYPES)}")
    return wanted


async def _body(
    service: Service, types: frozenset[str], join: Callable[[Subscription], None] | None, last_id: str | None
) -> AsyncGenerator[bytes, None]:
    subscription = service.hub.subscribe(types, last_id)
    try:
        await service.watcher.ready()
        # What is listed after this line is not older than the events that follow.
        yield f"retry: {_RETRY_MS}\nid: {subscription.last_id}\n\n".encode() if not last_id else b": resumed\n\n"
        if join is not None:
            join(subscription)
        while (piece := await _next(subscription)) is not None:
            yield piece
    finally:
        service.sampler.leave(subscription)
        subscription.close()


async def _next(subscription: Subscription) -> bytes | None:
    """The next event, or a comment after a while without one; None at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT_S):
            return as_text(await anext(subscription))
    except TimeoutError:
        return b": still here\n\n"
    except StopAsyncIteration:
        return None


def as_text(event: Event) -> bytes:
    """An event as the HTML standard, section 9.2, writes it."""
    head = f"id: {event.id}\nevent: {event.type}\n" if event.id else f"event: {event.type}\n"
    return b"%bdata: %b\n\n" % (head.encode(), event.data)
