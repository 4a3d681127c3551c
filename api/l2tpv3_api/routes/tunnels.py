"""/v1/tunnels."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from l2tpv3 import report
from l2tpv3_api.routes.context import Reader, Serving, Words, Writer

router = APIRouter(prefix="/v1/tunnels", tags=["tunnels"])


@router.get("")
async def list_tunnels(service: Serving, who: Reader) -> dict[str, Any]:
    """All tunnels."""
    snapshot = await service.look()
    return {**report.tunnels_document(snapshot.tunnels), "total": len(snapshot.tunnels), "next": None}


@router.get("/{tunnel}")
async def get_tunnel(tunnel: str, service: Serving, who: Reader) -> dict[str, Any]:
    """One tunnel."""
    return report.tunnel_dict((await service.look()).tunnel(tunnel))


@router.put("/{tunnel}")
async def put_tunnel(tunnel: str, words: Words, service: Serving, who: Writer) -> dict[str, Any]:
    """Make a tunnel."""
    return report.tunnel_dict(await service.change(who, lambda manager: manager.add_tunnel(tunnel, words)))


@router.delete("/{tunnel}", status_code=204)
async def delete_tunnel(tunnel: str, service: Serving, who: Writer) -> Response:
    """Remove a tunnel."""
    await service.change(who, lambda manager: manager.del_tunnel(tunnel))
    return Response(status_code=204)
