"""The arguments that routes take: the service, who asks, names, conditions; and how they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Path, Request
from fastapi.dependencies.models import Dependant
from starlette.responses import Response

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.links.record import LinkRecord
from l2tpv3.model.record import SessionRecord, TunnelRecord
from l2tpv3_api.auth.base import require
from l2tpv3_api.auth.identity import Identity, Scope
from l2tpv3_api.http.etag import HEADER_MAX, PATTERN, Conditions, Tagger
from l2tpv3_api.service.service import Service
from l2tpv3_api.service.snapshot import encode

JSON: Final = "application/json"

_NAME: Final = {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"}
_SEEN: Final = {"pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,62}$"}


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


# Dependencies are coroutines throughout: FastAPI gives each that is not a thread, which costs more than what it does.
Serving = Annotated[Service, Depends(_service)]
Reader = Annotated[Identity, Depends(require(Scope.READ))]
Writer = Annotated[Identity, Depends(require(Scope.WRITE))]
Keeper = Annotated[Identity, Depends(require(Scope.SECRETS))]

# Names that can't be are told as the command line tells them; FastAPI's own words are for documentation.
TunnelName = Annotated[str, Path(description="The tunnel's name.", json_schema_extra=dict(_NAME), examples=["siteb"])]
SessionName = Annotated[
    str, Path(description="The session's name, unique in its tunnel.", json_schema_extra=dict(_NAME), examples=["lan"])
]
AnyTunnel = Annotated[
    str,
    Path(
        description="The tunnel's name; of one that something else made, DATAPATH:ID.",
        json_schema_extra=dict(_SEEN),
        examples=["siteb"],
    ),
]
AnySession = Annotated[
    str,
    Path(
        description="The session's name; of one that something else made, its id.",
        json_schema_extra=dict(_SEEN),
        examples=["lan"],
    ),
]

LinkName = Annotated[str, Path(description="The link's name.", json_schema_extra=dict(_NAME), examples=["br0"])]


async def _conditions(
    if_match: Annotated[
        str | None,
        Header(
            alias="If-Match",
            description="Only if it is still as this ETag has it, or (`*`) there at all; else 412.",
            json_schema_extra={"pattern": PATTERN, "maxLength": HEADER_MAX},
            examples=["*"],
        ),
    ] = None,
    if_none_match: Annotated[
        str | None,
        Header(
            alias="If-None-Match",
            description="`*`: only if there is none yet; a tag: only if it is another version by now; else 412. "
            "Of GET: only if it is another version; else 304.",
            json_schema_extra={"pattern": PATTERN, "maxLength": HEADER_MAX},
        ),
    ] = None,
) -> Conditions:
    return Conditions.of(if_match, if_none_match)


Conditional = Annotated[Conditions, Depends(_conditions)]


async def known_query(request: Request) -> None:
    """Raises InvalidValueError for a parameter that a route has not got: a misspelt one must not change the request."""
    dependant: Dependant = request.scope["route"].dependant
    known = _query_names(dependant)
    for name in request.query_params:
        if name not in known:
            remedy = f"known are {', '.join(sorted(known))}" if known else "this takes none"
            raise InvalidValueError(f"?{name[:80]}", "unknown parameter", remedy)


def _query_names(dependant: Dependant) -> set[str]:
    names = {one.alias for one in dependant.query_params}
    return names.union(*(_query_names(one) for one in dependant.dependencies))


def tunnel_tag(tagger: Tagger, record: TunnelRecord | None) -> str | None:
    """The ETag of a tunnel on record: of its words, and whether it lasts."""
    if record is None:
        return None
    return tagger.of({**record.spec.to_words(), "transient": record.boot is not None}, "tunnel")


def session_tag(tagger: Tagger, tunnel: str, record: SessionRecord | None) -> str | None:
    """The ETag of a session on record: of its words."""
    return None if record is None else tagger.of(record.spec.to_words(), "session", tunnel)


def link_tag(tagger: Tagger, record: LinkRecord | None) -> str | None:
    """The ETag of a link on record: of its words, and whether it lasts."""
    if record is None:
        return None
    return tagger.of({**record.spec.to_words(), "transient": record.boot is not None}, "link")


def unchanged(tag: str | None, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a client that has it already: RFC 9110 section 15.4.5."""
    return Response(status_code=304, headers={**({"ETag": tag} if tag else {}), **(headers or {})})


def answer(
    document: Mapping[str, Any] | bytes,
    *,
    status: int = 200,
    tag: str | None = None,
    location: str | None = None,
    media_type: str = JSON,
) -> Response:
    """A JSON document as the answer. tag: its ETag. location: where what was made is."""
    headers = {name: value for name, value in (("ETag", tag), ("Location", location)) if value is not None}
    content = document if isinstance(document, bytes) else encode(document)
    return Response(content, status, headers, media_type)
