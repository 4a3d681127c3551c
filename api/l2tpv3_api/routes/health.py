"""Whether the service lives, and whether it can work. Both answer anyone, and tell nothing else."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from l2tpv3.errors import BusyError, L2tpError
from l2tpv3_api.http.problems import problem_response
from l2tpv3_api.routes.dependencies import Serving, answer
from l2tpv3_api.schemas import responses

router = APIRouter(tags=["health"])


@router.get(
    "/healthz",
    operation_id="isAlive",
    responses={200: responses.gives("Health", "It answers."), **responses.problems()},
    openapi_extra={"security": []},
)
async def healthz() -> Response:
    """Tell that the service lives."""
    return answer({"status": "ok"})


@router.get(
    "/readyz",
    operation_id="isReady",
    responses={
        200: responses.gives("Health", "It can read the record, and all its tasks run."),
        **responses.problems(503),
    },
    openapi_extra={"security": []},
)
async def readyz(service: Serving) -> Response:
    """Tell whether the service can work: whether it can read the record, and whether none of its own tasks fails."""
    try:
        await service.read(lambda manager: manager.unconfirmed_s())
    except L2tpError as error:
        return problem_response(error, status=503)
    if service.failing.tasks:
        failing = ", ".join(sorted(service.failing.tasks))
        return problem_response(BusyError("service", f"fails and is tried again: {failing}", "its log says why"))
    return answer({"status": "ok"})
