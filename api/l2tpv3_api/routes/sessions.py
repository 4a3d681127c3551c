"""/v1/sessions, and /v1/tunnels/{tunnel}/sessions: list, get, put, patch, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from l2tpv3.documents.schemas import STATUS_SCHEMA
from l2tpv3.errors import InvalidValueError
from l2tpv3.host.manager import Manager
from l2tpv3.model.progress import ChangeResult
from l2tpv3.model.record import SessionRecord
from l2tpv3.model.status import Condition, SessionStatus, TunnelStatus
from l2tpv3_api.http import bodies, paging
from l2tpv3_api.http.etag import Conditions, Tagger
from l2tpv3_api.http.faults import BodyError, ClashError
from l2tpv3_api.http.problems import pointing
from l2tpv3_api.http.state_body import JSON
from l2tpv3_api.routes.dependencies import (
    AnySession,
    AnyTunnel,
    Conditional,
    Reader,
    Serving,
    SessionName,
    TunnelName,
    Writer,
    answer,
    session_tag,
    unchanged,
)
from l2tpv3_api.routes.queries import Cursor, Foreign, Glob, Limit, OfCondition, OfTunnel, Secrets
from l2tpv3_api.schemas import examples, responses
from l2tpv3_api.service.service import Service
from l2tpv3_api.service.snapshot import encode, session_document, session_key

router = APIRouter(prefix="/v1", tags=["sessions"])

_LISTED: dict[int | str, dict[str, Any]] = {
    200: responses.gives("SessionList", "A page of sessions, by their tunnels' names and their own.")
}


@router.get("/sessions", operation_id="listAllSessions", responses={**_LISTED, **responses.problems(404, 502, 503)})
async def list_all_sessions(
    service: Serving,
    who: Reader,
    secrets: Secrets,
    tunnel: OfTunnel = None,
    name: Glob = None,
    condition: OfCondition = None,
    foreign: Foreign = None,
    limit: Limit = paging.LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List the sessions of all tunnels."""
    return await _list(service, tunnel, name, condition, foreign, secrets=secrets, limit=limit, cursor=cursor)


@router.get(
    "/tunnels/{tunnel}/sessions",
    operation_id="listSessions",
    responses={**_LISTED, **responses.problems(404, 502, 503)},
)
async def list_sessions(
    tunnel: AnyTunnel,
    service: Serving,
    who: Reader,
    secrets: Secrets,
    name: Glob = None,
    condition: OfCondition = None,
    limit: Limit = paging.LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List a tunnel's sessions."""
    return await _list(service, tunnel, name, condition, None, secrets=secrets, limit=limit, cursor=cursor)


async def _list(
    service: Service,
    tunnel: str | None,
    name: str | None,
    condition: Condition | None,
    foreign: bool | None,  # noqa: FBT001 - None is a third answer
    *,
    secrets: bool,
    limit: int,
    cursor: str | None,
) -> Response:
    snapshot = await service.look()
    if tunnel is not None:
        snapshot.tunnel(tunnel)

    def fits(pair: tuple[TunnelStatus, SessionStatus]) -> bool:
        one, session = pair
        return (
            (tunnel is None or one.name == tunnel)
            and (name is None or fnmatchcase(session.name, name))
            and (condition is None or session.condition is condition)
            and (foreign is None or session.foreign is foreign)
        )

    def make() -> bytes:
        found = list(filter(fits, snapshot.sorted_sessions))
        page = paging.page(found, session_key, limit, cursor)
        sessions = [session_document(one.name, session, secrets=secrets) for one, session in page.items]
        return encode({"schema": STATUS_SCHEMA, "sessions": sessions, "total": len(found), "next": page.next})

    key = ("sessions", tunnel, name, condition, foreign, secrets, limit, cursor)
    return answer(await snapshot.answer(key, make, limit))


@router.get(
    "/tunnels/{tunnel}/sessions/{session}",
    operation_id="getSession",
    responses={
        200: responses.gives("Session", "The session.", tag=True),
        304: responses.UNCHANGED,
        **responses.problems(400, 404, 412, 502, 503),
    },
)
async def get_session(
    tunnel: AnyTunnel, session: AnySession, service: Serving, who: Reader, secrets: Secrets, conditions: Conditional
) -> Response:
    """Get one session."""
    found = (await service.look()).session(tunnel, session)
    tag = _tag(service.tagger, tunnel, found)
    if conditions.unchanged(f"session {tunnel}/{session}", tag):
        return unchanged(tag)
    return answer(session_document(tunnel, found, secrets=secrets), tag=tag)


@router.put(
    "/tunnels/{tunnel}/sessions/{session}",
    operation_id="putSession",
    responses={
        200: responses.gives("ChangedSession", "It is so; it was there before.", tag=True),
        201: responses.gives("ChangedSession", "It was made.", tag=True, location=True),
        **responses.problems(*responses.CHANGING, 412),
    },
    openapi_extra=responses.takes({JSON: "SessionConfig"}, **examples.SESSIONS),
)
async def put_session(
    tunnel: TunnelName, session: SessionName, request: Request, service: Serving, who: Writer, conditions: Conditional
) -> Response:
    """Make a session and its netdev, or change it to what the body says, whatever it was.

    Words left out take their default; `id`, `ifname` and cookies keep their value. The same again changes nothing.
    """
    table = await bodies.read_table(request, JSON)
    words = await asyncio.to_thread(bodies.session_words, session, table, service.manager.datapath_words)
    check = _check(service.tagger, conditions, tunnel, session)

    def put(manager: Manager) -> ChangeResult:
        return manager.put_session(tunnel, session, words, check=check)

    return await _changed(service, who, tunnel, session, table, put)


@router.patch(
    "/tunnels/{tunnel}/sessions/{session}",
    operation_id="patchSession",
    responses={
        200: responses.gives("ChangedSession", "It is so.", tag=True),
        **responses.problems(*responses.CHANGING, 412),
    },
    openapi_extra=responses.takes(
        {bodies.MERGE_PATCH: "SessionPatch", JSON: "SessionPatch"}, **examples.SESSION_PATCHES
    ),
)
async def patch_session(
    tunnel: TunnelName, session: SessionName, request: Request, service: Serving, who: Writer, conditions: Conditional
) -> Response:
    """Change some words of a session (RFC 7396); null takes one back to its default."""
    table = await bodies.read_table(request, bodies.MERGE_PATCH, JSON)
    words = await asyncio.to_thread(bodies.session_patch, session, table, service.manager.datapath_words)
    check = _check(service.tagger, conditions, tunnel, session)

    def change(manager: Manager) -> ChangeResult:
        return manager.set_session(tunnel, session, words, check=check)

    return await _changed(service, who, tunnel, session, table, change, patch=True)


@router.delete(
    "/tunnels/{tunnel}/sessions/{session}",
    status_code=204,
    operation_id="deleteSession",
    responses={204: responses.NOTHING, **responses.problems(404, 409, 412, 502, 503)},
)
async def delete_session(
    tunnel: AnyTunnel, session: AnySession, service: Serving, who: Writer, conditions: Conditional
) -> Response:
    """Remove a session and its netdev; they are gone when this answers."""
    check = _check(service.tagger, conditions, tunnel, session)
    await service.change(who, lambda manager: manager.del_session(tunnel, session, check=check))
    return Response(status_code=204)


async def _changed(
    service: Service,
    who: Writer,
    tunnel: str,
    session: str,
    words: dict[str, Any],
    change: Callable[[Manager], ChangeResult],
    *,
    patch: bool = False,
) -> Response:
    """Make the change, and answer with what became of it, seen before anything else changes it.

    patch: words that were checked by themselves may not go with those on record.
    """

    def work(manager: Manager) -> tuple[ChangeResult, SessionStatus]:
        return change(manager), manager.session(tunnel, session)

    try:
        done, status = await service.change(who, work)
    except InvalidValueError as error:
        raise pointing(error, words, ClashError if patch else BodyError) from error.__cause__
    return answer(
        session_document(tunnel, status)
        | {"change": {"recreated": done.recreated, "why": done.why, "lost": list(done.lost)}},
        status=201 if done.made else 200,
        tag=_tag(service.tagger, tunnel, status),
        location=f"/v1/tunnels/{tunnel}/sessions/{session}" if done.made else None,
    )


def _tag(tagger: Tagger, tunnel: str, status: SessionStatus) -> str | None:
    if status.foreign:
        return None
    words = tagger.of(status.spec.to_words(), "session", tunnel)
    return tagger.with_seen(words, session_document(tunnel, status))


def _check(tagger: Tagger, conditions: Conditions, tunnel: str, session: str) -> Callable[[SessionRecord | None], None]:
    return lambda record: conditions.check(f"session {tunnel}/{session}", session_tag(tagger, tunnel, record))
