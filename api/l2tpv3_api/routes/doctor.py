"""/v1/doctor: why nothing passes, or too much does."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from l2tpv3.doctor.report import to_json
from l2tpv3_api.routes.dependencies import Reader, Serving, answer
from l2tpv3_api.routes.queries import OfTunnel
from l2tpv3_api.schemas import responses

LISTEN_MAX_S: Final = 10.0

router = APIRouter(prefix="/v1", tags=["state"])

Listen = Annotated[
    float, Query(ge=0, le=LISTEN_MAX_S, description="How many seconds to listen to what arrives; 0: not at all.")
]


@router.get(
    "/doctor",
    operation_id="getDoctor",
    responses={
        200: responses.gives("Examination", "What was found, the worst first."),
        **responses.problems(404, 409, 422, 502, 503),
    },
)
async def get_doctor(service: Serving, who: Reader, tunnel: OfTunnel = None, listen_s: Listen = 0.0) -> Response:
    """Find out what is wrong: with all tunnels, or one. Nothing is changed, and no packet is sent.

    One examination is made at a time; who asks the same meanwhile shares the answer.
    """
    return answer(to_json(await service.examined(tunnel, listen_s)))
