"""/v1/tunnels/{tunnel}/peer: what has to be typed at the other end."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.formats.peer import commands
from l2tpv3_api.http.negotiation import TEXT, VARY, preferred
from l2tpv3_api.http.problems import problem_response
from l2tpv3_api.routes.dependencies import JSON, AnyTunnel, Keeper, Serving, answer
from l2tpv3_api.schemas import responses

Format = Annotated[
    Literal["l2tpctl", "iproute2", "networkd", "vyos", "cisco", "routeros", "qemu", "ql2tpd"],
    Query(alias="as", description="Whose words."),
]
assert set(Format.__origin__.__args__) == set(PEER_FORMATS)  # type: ignore[attr-defined]

router = APIRouter(prefix="/v1", tags=["tunnels"])

_TEXT = responses.gives_text(
    TEXT, "The other end's configuration, cookies in clear.", "l2tpctl tunnel add siteb --remote 192.0.2.1\n"
)
_JSON = responses.gives("Peer", "")["content"]


@router.get(
    "/tunnels/{tunnel}/peer",
    operation_id="getPeer",
    response_class=Response,  # else JSON would be named before the text, which is what is answered unless asked
    responses={
        200: {**_TEXT, "content": _TEXT["content"] | _JSON},
        **responses.problems(404, 409, 502, 503),
    },
)
async def get_peer(
    tunnel: AnyTunnel, request: Request, service: Serving, who: Keeper, form: Format = "l2tpctl"
) -> Response:
    """Print the other end's configuration: text, or JSON with notes. Needs the scope `secrets`."""
    status = (await service.look()).tunnel(tunnel)
    try:
        told = commands(status, form)
    except InvalidValueError as error:  # that format has no words for this tunnel: nothing is wrong with the request
        return problem_response(error, status=409)
    text = "".join(f"{line}\n" for line in told.lines)
    if preferred(request, TEXT, JSON) == JSON:
        response = answer({"format": form, "text": text, "notes": list(told.notes)})
    else:
        response = Response(text, media_type=TEXT)
    response.headers.update(VARY)
    return response
