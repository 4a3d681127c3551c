"""Counters: /v1/stats, and those of one session or link."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.responses import Response

from l2tpv3.documents.stats import stats_document
from l2tpv3_api.routes.dependencies import AnySession, AnyTunnel, LinkName, Reader, Serving, answer
from l2tpv3_api.routes.queries import OfTunnel
from l2tpv3_api.schemas import responses
from l2tpv3_api.service.snapshot import encode

router = APIRouter(prefix="/v1", tags=["statistics"])

_RESPONSES = {200: responses.gives("Stats", "Counters at one moment."), **responses.problems(404, 502, 503)}


@router.get("/stats", operation_id="getStats", responses=_RESPONSES)
async def get_stats(service: Serving, who: Reader, tunnel: OfTunnel = None) -> Response:
    """Get the counters of all sessions and links, or of a tunnel's sessions."""
    snapshot = await service.look()
    tunnels = snapshot.tunnels if tunnel is None else (snapshot.tunnel(tunnel),)
    links = snapshot.links if tunnel is None else ()

    def make() -> bytes:
        pairs = [(one.name, session) for one in tunnels for session in one.sessions]
        return encode(stats_document(pairs, time=datetime.fromtimestamp(snapshot.at, UTC), links=links))

    told = sum(len(one.sessions) for one in tunnels) + len(links)
    return answer(await snapshot.answer(("stats", tunnel), make, told))


@router.get("/tunnels/{tunnel}/sessions/{session}/stats", operation_id="getSessionStats", responses=_RESPONSES)
async def get_session_stats(tunnel: AnyTunnel, session: AnySession, service: Serving, who: Reader) -> Response:
    """Get one session's counters."""
    snapshot = await service.look()
    pairs = [(tunnel, snapshot.session(tunnel, session))]
    return answer(stats_document(pairs, time=datetime.fromtimestamp(snapshot.at, UTC)))


@router.get("/links/{link}/stats", operation_id="getLinkStats", responses=_RESPONSES)
async def get_link_stats(link: LinkName, service: Serving, who: Reader) -> Response:
    """Get one link's counters."""
    snapshot = await service.look()
    links = [snapshot.link(link)]
    return answer(stats_document((), time=datetime.fromtimestamp(snapshot.at, UTC), links=links))
