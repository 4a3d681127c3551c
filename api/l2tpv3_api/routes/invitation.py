"""/v1/tunnels/{tunnel}/invitation: the line, and its QR code, of which `l2tpctl join` makes the other end."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from l2tpv3.connect.invitation import Invitation
from l2tpv3.connect.inviting import EXPIRES_S, invitation_to, invite_with_new_key, qr_as_svg, qr_rows
from l2tpv3.errors import InvalidValueError, UnavailableError
from l2tpv3.host.manager import Manager
from l2tpv3.model.ids import parse_name
from l2tpv3_api.http.negotiation import TEXT, VARY, preferred
from l2tpv3_api.http.problems import problem_response
from l2tpv3_api.routes.dependencies import JSON, Keeper, Serving, TunnelName, Writer, answer
from l2tpv3_api.schemas import responses

SVG: Final = "image/svg+xml"

Expires = Annotated[float, Query(ge=1, le=10 * 365 * 86400, description="How long it can be used, in seconds.")]
_NAME: Final = {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"}
PeerName = Annotated[
    str | None,
    Query(description="What the tunnel is called at the other end. [default: as here]", json_schema_extra=dict(_NAME)),
]

router = APIRouter(prefix="/v1", tags=["tunnels"])

ReplaceKey = Annotated[
    bool, Query(description="Also where the other end has a key already: what it has now is of no use from then on.")
]

_TEXT = responses.gives_text(
    TEXT, "The line, or its QR code. It holds the cookies in clear, and is good for one time.", "l2tpv3-join:1:AbCd\n"
)
_JSON = responses.gives("Invitation", "")["content"]
_SVG = {SVG: {"schema": {"type": "string"}}}
_GIVEN: Final = {**_TEXT, "content": _TEXT["content"] | _JSON | _SVG}


@router.get(
    "/tunnels/{tunnel}/invitation",
    operation_id="getInvitation",
    response_class=Response,
    responses={200: _GIVEN, **responses.problems(404, 409, 502, 503)},
)
async def get_invitation(
    tunnel: TunnelName,
    request: Request,
    service: Serving,
    who: Keeper,
    expires_s: Expires = EXPIRES_S,
    name: PeerName = None,
) -> Response:
    """Print an invitation to the other end: text, JSON, or SVG. Each is another one. Needs the scope `secrets`."""
    if name is not None:
        parse_name(name, "?name")
    status = (await service.look()).tunnel(tunnel)
    try:
        return _printed(request, invitation_to(status, expires_s=expires_s, name=name))
    except InvalidValueError as error:  # it is about the tunnel: nothing is wrong with the request
        return problem_response(error, status=409)


@router.post(
    "/tunnels/{tunnel}/invitation",
    operation_id="drawInvitation",
    response_class=Response,
    responses={200: _GIVEN, **responses.problems(*responses.CHANGING)},
)
async def draw_invitation(
    tunnel: TunnelName,
    request: Request,
    service: Serving,
    who: Writer,
    keeper: Keeper,
    *,
    expires_s: Expires = EXPIRES_S,
    name: PeerName = None,
    replace_key: ReplaceKey = False,
) -> Response:
    """Print an invitation as GET does; where WireGuard encrypts the tunnel, draw the other end's key for it.

    This end knows the public key from then on. Needs the scopes `write` and `secrets`.
    """
    if name is not None:
        parse_name(name, "?name")

    def invite(manager: Manager) -> Invitation:
        return invite_with_new_key(manager, tunnel, expires_s=expires_s, name=name, replace=replace_key)

    try:
        return _printed(request, await service.change(who, invite))
    except InvalidValueError as error:
        return problem_response(error, status=409)


def _printed(request: Request, invitation: Invitation) -> Response:
    """The invitation in the form that is asked for."""
    line = invitation.line()
    form = preferred(request, TEXT, JSON, SVG)
    if form == JSON:
        response = answer({"line": line, "expires": invitation.expires, "qr": _rows(line)})
    elif form == SVG:
        response = Response(qr_as_svg(line), media_type=SVG)
    else:
        response = Response(f"{line}\n", media_type=TEXT)
    response.headers.update(VARY)
    return response


def _rows(line: str) -> list[str] | None:
    try:
        return qr_rows(line)
    except UnavailableError:
        return None
