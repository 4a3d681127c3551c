"""GET /metrics: for Prometheus."""

from __future__ import annotations

import asyncio
import gzip
import time
from typing import Final

from fastapi import APIRouter, Request, Response

from l2tpv3 import metrics
from l2tpv3.metrics import Family
from l2tpv3_api.metrics.requests import RequestCounts
from l2tpv3_api.negotiation import TEXT, preferred, takes_gzip
from l2tpv3_api.routes import described
from l2tpv3_api.routes.capabilities import package_version
from l2tpv3_api.routes.context import Reader, Serving
from l2tpv3_api.service import Service
from l2tpv3_api.snapshot import Snapshot

_OPENMETRICS: Final = metrics.OPENMETRICS.partition(";")[0]
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
        **described.problems(502),
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
    return Response(content, headers=headers, media_type=metrics.OPENMETRICS if openmetrics else metrics.TEXT)


def _content(snapshot: Snapshot, own: list[Family], *, openmetrics: bool, packed: bool) -> bytes:
    families = metrics.families(snapshot.tunnels, package_version(), links=snapshot.links)
    text = metrics.exposition([*families, *own], openmetrics=openmetrics).encode()
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
