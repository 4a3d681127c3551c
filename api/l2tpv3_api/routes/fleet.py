"""/v1/fleet: the hosts of a fleet, and its pseudowires as both ends see them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from l2tpv3.errors import NotFoundError
from l2tpv3_api.routes.dependencies import Conditional, Reader, Serving, answer, unchanged
from l2tpv3_api.schemas import examples, responses

router = APIRouter(prefix="/v1", tags=["state"])


@router.get(
    "/fleet",
    operation_id="getFleet",
    responses={
        200: responses.gives("FleetMap", "What the last look saw, and when.", tag=True, example=examples.FLEET),
        304: responses.UNCHANGED,
        **responses.problems(400, 404, 412),
    },
)
async def get_fleet(service: Serving, who: Reader, conditions: Conditional) -> Response:
    """Tell what the last look at the fleet saw: `l2tpctl serve --fleet FILE` says where the fleet is stated.

    Looks go on in the background while somebody asks. `status` is null before the first has ended. 404 without a fleet.
    """
    if service.fleet is None:
        raise NotFoundError("fleet", "this service is told of none", "`l2tpctl serve --fleet FILE` tells it of one")
    document, tag = service.fleet.seen()
    if conditions.unchanged("the fleet", tag):
        return unchanged(tag)
    return answer(document, tag=tag)
