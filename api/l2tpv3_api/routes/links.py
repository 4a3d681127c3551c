"""/v1/links: netdevs that are layered over others. List, get, put, patch, delete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from l2tpv3.documents.schemas import LINKS_SCHEMA
from l2tpv3.errors import InvalidValueError
from l2tpv3.host.manager import Manager
from l2tpv3.model.links.options import LinkType
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.links.status import LinkStatus
from l2tpv3.model.progress import ChangeResult
from l2tpv3_api.http import bodies, paging
from l2tpv3_api.http.etag import Conditions, Tagger
from l2tpv3_api.http.faults import ClashError, fault
from l2tpv3_api.http.problems import pointing
from l2tpv3_api.http.state_body import JSON
from l2tpv3_api.routes.dependencies import Conditional, LinkName, Reader, Serving, Writer, answer, link_tag, unchanged
from l2tpv3_api.routes.queries import Cursor, Glob, Limit, OfCondition
from l2tpv3_api.schemas import examples, responses
from l2tpv3_api.service.snapshot import encode, link_document, link_key

OfType = Annotated[LinkType | None, Query(description="Only those of this type.")]

router = APIRouter(prefix="/v1/links", tags=["links"])


@router.get(
    "",
    operation_id="listLinks",
    responses={200: responses.gives("LinkList", "A page of links, by name."), **responses.problems(502, 503)},
)
async def list_links(
    service: Serving,
    who: Reader,
    name: Glob = None,
    type: OfType = None,
    condition: OfCondition = None,
    limit: Limit = paging.LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> Response:
    """List links."""
    snapshot = await service.look()

    def fits(one: LinkStatus) -> bool:
        return (
            (name is None or fnmatchcase(one.name, name))
            and (type is None or one.spec.type is type)
            and (condition is None or one.condition is condition)
        )

    def make() -> bytes:
        found = sorted(filter(fits, snapshot.links), key=link_key)
        page = paging.page(found, link_key, limit, cursor)
        links = list(map(link_document, page.items))
        return encode({"schema": LINKS_SCHEMA, "links": links, "total": len(found), "next": page.next})

    key = ("links", name, type, condition, limit, cursor)
    return answer(await snapshot.answer(key, make, min(limit, len(snapshot.links))))


@router.get(
    "/{link}",
    operation_id="getLink",
    responses={
        200: responses.gives("Link", "The link.", tag=True),
        304: responses.UNCHANGED,
        **responses.problems(400, 404, 412, 502, 503),
    },
)
async def get_link(link: LinkName, service: Serving, who: Reader, conditions: Conditional) -> Response:
    """Get one link."""
    found = (await service.look()).link(link)
    tag = _tag(service.tagger, found)
    if conditions.unchanged(f"link {link}", tag):
        return unchanged(tag)
    return answer(link_document(found), tag=tag)


@router.put(
    "/{link}",
    operation_id="putLink",
    responses={
        200: responses.gives("ChangedLink", "It is so; it was there before.", tag=True),
        201: responses.gives("ChangedLink", "It was made.", tag=True, location=True),
        **responses.problems(*responses.CHANGING, 412),
    },
    openapi_extra=responses.takes({JSON: "LinkConfig"}, **examples.LINKS),
)
async def put_link(
    link: LinkName, request: Request, service: Serving, who: Writer, conditions: Conditional
) -> Response:
    """Make a link, or change it to what the body says, whatever it was.

    Words left out take their default; a MAC address that was chosen stays. The same again changes nothing.
    """
    table = await bodies.read_table(request, JSON)
    transient = table.pop("transient", None)
    faults = [] if isinstance(transient, bool | None) else [fault(("transient",), "neither true nor false")]
    words = await asyncio.to_thread(bodies.link_words, link, table, faults=faults)
    check = _check(service.tagger, conditions, link)

    def put(manager: Manager) -> ChangeResult:
        return manager.links.put(link, words, transient=transient, check=check)

    return await _changed(service, who, link, table, put)


@router.patch(
    "/{link}",
    operation_id="patchLink",
    responses={
        200: responses.gives("ChangedLink", "It is so.", tag=True),
        **responses.problems(*responses.CHANGING, 412),
    },
    openapi_extra=responses.takes({bodies.MERGE_PATCH: "LinkPatch", JSON: "LinkPatch"}, **examples.LINK_PATCHES),
)
async def patch_link(
    link: LinkName, request: Request, service: Serving, who: Writer, conditions: Conditional
) -> Response:
    """Change some words of a link (RFC 7396); null takes one back to its default.

    With another `type`, only what all types have stays as it was.
    """
    table = await bodies.read_table(request, bodies.MERGE_PATCH, JSON)
    now = (await service.look()).link(link)
    words = await asyncio.to_thread(bodies.link_patch, link, table, now.spec.type)
    check = _check(service.tagger, conditions, link)
    return await _changed(service, who, link, table, lambda manager: manager.links.set(link, words, check=check))


@router.delete(
    "/{link}",
    status_code=204,
    operation_id="deleteLink",
    responses={204: responses.NOTHING, **responses.problems(404, 409, 412, 502, 503)},
)
async def delete_link(link: LinkName, service: Serving, who: Writer, conditions: Conditional) -> Response:
    """Remove a link and its netdev; what it is over stays. It is gone when this answers."""
    check = _check(service.tagger, conditions, link)
    await service.change(who, lambda manager: manager.links.delete(link, check=check))
    return Response(status_code=204)


async def _changed(
    service: Serving, who: Writer, link: str, words: dict[str, Any], change: Callable[[Manager], ChangeResult]
) -> Response:
    """Make the change, and answer with what became of it, seen before anything else changes it.

    words: were checked by themselves; they may not go with those on record, or with what the link is over.
    """

    def work(manager: Manager) -> tuple[ChangeResult, LinkStatus]:
        return change(manager), manager.links.get(link)

    try:
        done, status = await service.change(who, work)
    except InvalidValueError as error:
        raise pointing(error, words, ClashError) from error.__cause__
    return answer(
        link_document(status) | {"change": {"recreated": done.recreated, "why": done.why}},
        status=201 if done.made else 200,
        tag=_tag(service.tagger, status),
        location=f"/v1/links/{link}" if done.made else None,
    )


def _tag(tagger: Tagger, status: LinkStatus) -> str:
    words = tagger.of({**status.spec.to_words(), "transient": status.transient}, "link")
    return tagger.with_seen(words, link_document(status))


def _check(tagger: Tagger, conditions: Conditions, link: str) -> Callable[[LinkRecord | None], None]:
    return lambda record: conditions.check(f"link {link}", link_tag(tagger, record))
