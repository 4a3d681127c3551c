"""/v1/log: who changed what when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from l2tpv3.documents.audit import audit_document
from l2tpv3_api.routes.dependencies import Reader, Serving, answer
from l2tpv3_api.schemas import responses

router = APIRouter(prefix="/v1", tags=["state"])


@router.get(
    "/log",
    operation_id="getLog",
    responses={200: responses.gives("Log", "The last changes, the last one last."), **responses.problems(502)},
)
async def get_log(
    service: Serving,
    who: Reader,
    limit: Annotated[int, Query(ge=1, le=10_000, description="So many of the last changes. Default: 50.")] = 50,
) -> Response:
    """Tell who changed what when."""
    entries = await service.read(lambda manager: manager.audit(limit))
    return answer(audit_document(reversed(entries)))
