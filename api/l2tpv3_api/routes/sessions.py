"""/v1/sessions and /v1/tunnels/{tunnel}/sessions."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from l2tpv3 import report
from l2tpv3_api.routes.context import Reader, Serving, Words, Writer

router = APIRouter(prefix="/v1", tags=["sessions"])


@router.get("/sessions")
async def list_sessions(service: Serving, who: Reader) -> dict[str, Any]:
    """All sessions."""
    pairs = [(tunnel.name, one) for tunnel in (await service.look()).tunnels for one in tunnel.sessions]
    return {**report.sessions_document(pairs), "total": len(pairs), "next": None}


@router.get("/tunnels/{tunnel}/sessions/{session}")
async def get_session(tunnel: str, session: str, service: Serving, who: Reader) -> dict[str, Any]:
    """One session."""
    return report.session_dict(tunnel, (await service.look()).session(tunnel, session))


@router.put("/tunnels/{tunnel}/sessions/{session}")
async def put_session(tunnel: str, session: str, words: Words, service: Serving, who: Writer) -> dict[str, Any]:
    """Make a session."""
    made = await service.change(who, lambda manager: manager.add_session(tunnel, session, words))
    return report.session_dict(tunnel, made)


@router.delete("/tunnels/{tunnel}/sessions/{session}", status_code=204)
async def delete_session(tunnel: str, session: str, service: Serving, who: Writer) -> Response:
    """Remove a session."""
    await service.change(who, lambda manager: manager.del_session(tunnel, session))
    return Response(status_code=204)
