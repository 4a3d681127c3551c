"""GET /metrics: for Prometheus."""

from __future__ import annotations

import asyncio
import gzip
import time
from typing import Final

from fastapi import APIRouter, Request, Response

from l2tpv3.metrics import host
from l2tpv3.metrics.host import Family
from l2tpv3.version import VERSION
from l2tpv3_api.http.negotiation import TEXT, preferred, takes_gzip
from l2tpv3_api.http.request_metrics import RequestCounts
from l2tpv3_api.routes.dependencies import Reader, Serving
from l2tpv3_api.schemas import responses
from l2tpv3_api.service.service import Service
from l2tpv3_api.service.snapshot import Snapshot

_OPENMETRICS: Final = host.OPENMETRICS.partition(";")[0]
_WORTH_PACKING: Final = 4096

router = APIRouter(tags=["live"])


@router.get(
    "/metrics",
    operation_id="getMetrics",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics in Prometheus' text format, or in OpenMetrics for those who accept that.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **responses.problems(502),
    },
)
async def get_metrics(request: Request, service: Serving, who: Reader) -> Response:
    """Tell all counters of all sessions and links, and how the service does."""
    began = time.perf_counter()
    openmetrics = preferred(request, TEXT, _OPENMETRICS) == _OPENMETRICS
    packed = takes_gzip(request.headers.get("accept-encoding", ""))
    snapshot = await service.look()
    own = _own(service, request.app.state.request_counts, time.perf_counter() - began)
    if hasattr(request.app.state, "refusals"):  # served by our own server
        own += request.app.state.refusals.families()
    content = await asyncio.to_thread(_content, snapshot, own, openmetrics=openmetrics, packed=packed)
    headers = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Encoding"}
    if content[:2] == b"\x1f\x8b":
        headers["Content-Encoding"] = "gzip"
    return Response(content, headers=headers, media_type=host.OPENMETRICS if openmetrics else host.TEXT)


def _content(snapshot: Snapshot, own: list[Family], *, openmetrics: bool, packed: bool) -> bytes:
    families = host.families(snapshot.tunnels, VERSION, links=snapshot.links)
    text = host.exposition([*families, *own], openmetrics=openmetrics).encode()
    return gzip.compress(text, 1) if packed and len(text) > _WORTH_PACKING else text


def _own(service: Service, counts: RequestCounts, look_s: float) -> list[Family]:
    """hub.missed: how often a subscriber had fallen so far behind, or come back so late, that it was told to reset."""
    hub = service.hub
    return [
        *counts.families(),
        Family("l2tpv3_api_look_duration_seconds", "gauge", "How long this scrape's look took.", [f" {look_s:.6f}"]),
        Family("l2tpv3_api_events_published", "counter", "Events that were published.", [f"_total {hub.published}"]),
        Family(
            "l2tpv3_api_events_resets", "counter", "How often a reader had missed events, and was told to list again.",
            [f"_total {hub.missed}"],
        ),
        Family("l2tpv3_api_event_subscribers", "gauge", "Readers of events.", [f" {hub.subscribers}"]),
    ]  # fmt: skip
