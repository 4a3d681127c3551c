"""/v1/tunnels/{tunnel}/mtu: what fits through a tunnel."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from l2tpv3.documents.path_mtu import path_mtu_document
from l2tpv3.errors import NotPermittedError
from l2tpv3_api.auth.identity import Scope
from l2tpv3_api.routes.dependencies import AnyTunnel, Reader, Serving, answer
from l2tpv3_api.schemas import responses

TIMEOUT_MAX_S: Final = 1.0
"""How long a probe may wait for one of its answers at most: there are up to two dozen of them, one after another."""

router = APIRouter(prefix="/v1", tags=["tunnels"])

Probe = Annotated[
    bool, Query(description="Ask the peer by ICMP echo requests what the path takes. Needs the scope `write`.")
]
Timeout = Annotated[
    float, Query(ge=0.01, le=TIMEOUT_MAX_S, description="How many seconds to wait for each answer of the peer.")
]


@router.get(
    "/tunnels/{tunnel}/mtu",
    operation_id="getPathMtu",
    responses={
        200: responses.gives("PathMtu", "What the route and the path take, and what a frame costs."),
        **responses.problems(404, 422, 502, 503),
    },
)
async def get_path_mtu(
    tunnel: AnyTunnel, service: Serving, who: Reader, *, probe: Probe = False, timeout_s: Timeout = 0.5
) -> Response:
    """Tell what fits through a tunnel. Nothing is changed, and no packet is sent unless `probe` is true."""
    if probe and not who.may(Scope.WRITE):
        remedy = f"leave probe out, have someone give it the scope {Scope.WRITE}, or use another identity"
        raise NotPermittedError(who.name, f"a probe sends packets, which needs the scope {Scope.WRITE}", remedy)
    return answer(path_mtu_document(await service.path_mtu(tunnel, probe=probe, timeout_s=timeout_s)))
