"""Whether the service lives, and whether it can work."""

from __future__ import annotations

from fastapi import APIRouter

from l2tpv3_api.routes.context import Serving

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """It answers."""
    return {"status": "ok"}


@router.get("/readyz")
async def readyz(service: Serving) -> dict[str, str]:
    """It can read the record."""
    await service.read(lambda manager: manager.records())
    return {"status": "ok"}
