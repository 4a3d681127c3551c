"""/v1/tunnels: list, get, put, patch, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from l2tpv3.documents.schemas import STATUS_SCHEMA
from l2tpv3.errors import InvalidValueError
from l2tpv3.host.manager import Manager
from l2tpv3.model.progress import ChangeResult
from l2tpv3.model.record import TunnelRecord
from l2tpv3.model.status import TunnelStatus
from l2tpv3_api.http import bodies, paging
from l2tpv3_api.http.etag import Conditions, Tagger
from l2tpv3_api.http.faults import BodyError, ClashError, fault
from l2tpv3_api.http.problems import pointing
from l2tpv3_api.http.state_body import JSON
from l2tpv3_api.routes.dependencies import (
    AnyTunnel,
    Conditional,
    Reader,
    Serving,
    TunnelName,
    Writer,
    answer,
    tunnel_tag,
    unchanged,
)
from l2tpv3_api.routes.queries import Cursor, Foreign, Glob, Limit, Netns, OfCondition, Secrets
from l2tpv3_api.schemas import examples, responses
from l2tpv3_api.service.snapshot import encode, tunnel_document, tunnel_key

SESSIONS_MAX: Final = 10_000
"""A page of tunnels with their sessions ends before it has more than so many of those."""

Include = Annotated[
    Literal["sessions"] | None, Query(description="`sessions`: each tunnel with its sessions, not just their number.")
]
OfDatapath = Annotated[str | None, Query(min_length=1, max_length=64, description="Only those that it carries.")]

router = APIRouter(prefix="/v1/tunnels", tags=["tunnels"])


@router.get(
    "",
    operation_id="listTunnels",
    responses={
        200: responses.gives("TunnelList", "A page of tunnels: those on record by name, then foreign ones."),
        **responses.problems(404, 502, 503),
    },
)
async def list_tunnels(
    service: Serving,
    who: Reader,
    secrets: Secrets,
    name: Glob = None,
    condition: OfCondition = None,
    datapath: OfDatapath = None,
    foreign: Foreign = None,
    netns: Netns = None,
    include: Include = None,
    limit: Limit = paging.LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List tunnels, those that something else made included."""
    snapshot = await service.look(netns)

    def fits(one: TunnelStatus) -> bool:
        return (
            (name is None or fnmatchcase(one.name, name))
            and (condition is None or one.condition is condition)
            and (datapath is None or one.datapath == datapath)
            and (foreign is None or one.foreign is foreign)
        )

    def make() -> bytes:
        found = list(filter(fits, snapshot.sorted_tunnels))
        weight: Callable[[TunnelStatus], int] = lambda one: len(one.sessions) if include else 0  # noqa: E731
        page = paging.page(found, tunnel_key, limit, cursor, weight=weight, weight_max=SESSIONS_MAX)
        tunnels = [tunnel_document(one, sessions=include is not None, secrets=secrets) for one in page.items]
        return encode({"schema": STATUS_SCHEMA, "tunnels": tunnels, "total": len(found), "next": page.next})

    key = ("tunnels", name, condition, datapath, foreign, include, secrets, limit, cursor)
    told = SESSIONS_MAX if include else limit
    return answer(await snapshot.answer(key, make, told))


@router.get(
    "/{tunnel}",
    operation_id="getTunnel",
    responses={
        200: responses.gives("Tunnel", "The tunnel.", tag=True),
        304: responses.UNCHANGED,
        **responses.problems(400, 404, 412, 502, 503),
    },
)
async def get_tunnel(
    tunnel: AnyTunnel,
    service: Serving,
    who: Reader,
    secrets: Secrets,
    conditions: Conditional,
    include: Include = None,
) -> Response:
    """Get one tunnel."""
    snapshot = await service.look()
    found = snapshot.tunnel(tunnel)
    tag = _tag(service.tagger, found)
    if conditions.unchanged(f"tunnel {tunnel}", tag):
        return unchanged(tag)

    def make() -> bytes:
        return encode(tunnel_document(found, sessions=include is not None, secrets=secrets))

    return answer(
        await snapshot.answer(("tunnel", tunnel, include, secrets), make, len(found.sessions)),
        tag=tag,
    )


@router.put(
    "/{tunnel}",
    operation_id="putTunnel",
    responses={
        200: responses.gives("ChangedTunnel", "It is so; it was there before.", tag=True),
        201: responses.gives("ChangedTunnel", "It was made.", tag=True, location=True),
        **responses.problems(*responses.CHANGING, 412),
    },
    openapi_extra=responses.takes({JSON: "TunnelConfig"}, **examples.TUNNELS),
)
async def put_tunnel(
    tunnel: TunnelName, request: Request, service: Serving, who: Writer, conditions: Conditional
) -> Response:
    """Make a tunnel, or change it to what the body says, whatever it was.

    Words left out take their default; `id` and ports keep their values. Its sessions are left alone.
    The same again changes nothing.
    """
    table = await bodies.read_table(request, JSON)
    transient = table.pop("transient", None)
    faults = [] if isinstance(transient, bool | None) else [fault(("transient",), "neither true nor false")]
    words = await asyncio.to_thread(bodies.tunnel_words, tunnel, table, service.manager.datapath_words, faults=faults)
    check = _check(service.tagger, conditions, tunnel)

    def put(manager: Manager) -> ChangeResult:
        return manager.put_tunnel(tunnel, words, transient=transient, check=check)

    return await _changed(service, who, tunnel, table, put)


@router.patch(
    "/{tunnel}",
    operation_id="patchTunnel",
    responses={
        200: responses.gives("ChangedTunnel", "It is so.", tag=True),
        **responses.problems(*responses.CHANGING, 412),
    },
    openapi_extra=responses.takes({bodies.MERGE_PATCH: "TunnelPatch", JSON: "TunnelPatch"}, **examples.TUNNEL_PATCHES),
)
async def patch_tunnel(
    tunnel: TunnelName, request: Request, service: Serving, who: Writer, conditions: Conditional
) -> Response:
    """Change some words of a tunnel (RFC 7396); null takes one back to its default."""
    table = await bodies.read_table(request, bodies.MERGE_PATCH, JSON)
    words = await asyncio.to_thread(bodies.tunnel_patch, tunnel, table, service.manager.datapath_words)
    check = _check(service.tagger, conditions, tunnel)
    return await _changed(
        service, who, tunnel, table, lambda manager: manager.set_tunnel(tunnel, words, check=check), patch=True
    )


@router.delete(
    "/{tunnel}",
    status_code=204,
    operation_id="deleteTunnel",
    responses={204: responses.NOTHING, **responses.problems(404, 409, 412, 502, 503)},
)
async def delete_tunnel(tunnel: AnyTunnel, service: Serving, who: Writer, conditions: Conditional) -> Response:
    """Remove a tunnel with its sessions and their netdevs; all are gone when this answers."""
    check = _check(service.tagger, conditions, tunnel)
    await service.change(who, lambda manager: manager.del_tunnel(tunnel, check=check))
    return Response(status_code=204)


async def _changed(
    service: Serving,
    who: Writer,
    tunnel: str,
    words: dict[str, Any],
    change: Callable[[Manager], ChangeResult],
    *,
    patch: bool = False,
) -> Response:
    """Make the change, and answer with what became of it, seen before anything else changes it.

    patch: words that were checked by themselves may not go with those on record.
    """

    def work(manager: Manager) -> tuple[ChangeResult, TunnelStatus]:
        return change(manager), manager.tunnel(tunnel)

    try:
        done, status = await service.change(who, work)
    except InvalidValueError as error:
        raise pointing(error, words, ClashError if patch else BodyError) from error.__cause__
    return answer(
        tunnel_document(status, sessions=False)
        | {"change": {"recreated": done.recreated, "why": done.why, "lost": list(done.lost)}},
        status=201 if done.made else 200,
        tag=_tag(service.tagger, status),
        location=f"/v1/tunnels/{tunnel}" if done.made else None,
    )


def _tag(tagger: Tagger, status: TunnelStatus) -> str | None:
    if status.foreign:
        return None
    words = tagger.of({**status.spec.to_words(), "transient": status.transient}, "tunnel")
    sessions = [(one.name, one.condition) for one in status.sessions]
    return tagger.with_seen(words, {**tunnel_document(status, sessions=False), "sessions": sessions})


def _check(tagger: Tagger, conditions: Conditions, tunnel: str) -> Callable[[TunnelRecord | None], None]:
    return lambda record: conditions.check(f"tunnel {tunnel}", tunnel_tag(tagger, record))
