"""Counts requests and how long they took, by route: an ASGI middleware and its metrics."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from l2tpv3.metrics.host import Family, labels

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_OTHER: Final = "other"
"""What is no route of ours: one label for all, since anyone may ask for anything."""
_STREAMS: Final = ("/v1/events", "/v1/tunnels/{tunnel}/sessions/{session}/capture")
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"})

Route = tuple[str, str]
"""Method and path template."""


class RequestCounts:
    """The counts of requests. Used on the event loop only."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str, int], int] = {}
        self.times: dict[Route, list[float]] = {}
        """By route: how many requests each bucket has, then those beyond, then the sum of their seconds."""
        self.running = 0
        self.streams: dict[str, int] = dict.fromkeys(_STREAMS, 0)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request is over. Streams are counted, and not timed: they last as long as their clients like."""
        key = (method, route, status)
        self.counts[key] = self.counts.get(key, 0) + 1
        if route in self.streams and status < 400:
            return
        times = self.times.setdefault((method, route), [0.0] * (len(BUCKETS_S) + 2))
        times[bisect_left(BUCKETS_S, seconds)] += 1
        times[-1] += seconds

    def families(self) -> list[Family]:
        """Give the counts as families of Prometheus metrics."""
        counts = [
            f"_total{labels(method=method, route=route, status=status)} {count}"
            for (method, route, status), count in sorted(self.counts.items())
        ]
        times = [line for route, values in sorted(self.times.items()) for line in _histogram(route, values)]
        streams = [f"{labels(route=route)} {count}" for route, count in self.streams.items()]
        return [
            Family("l2tpv3_api_requests", "counter", "Requests that were answered.", counts),
            Family("l2tpv3_api_request_duration_seconds", "histogram", "How long answers took, streams aside.", times),
            Family("l2tpv3_api_requests_running", "gauge", "Requests that are being answered.", [f" {self.running}"]),
            Family("l2tpv3_api_streams", "gauge", "Streams of events and captures that are open.", streams),
        ]


def _histogram(route: Route, values: list[float]) -> list[str]:
    method, path = route
    lines, total = [], 0
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), values[:-1], strict=True):
        total += int(count)
        lines.append(f"_bucket{labels(method=method, route=path, le=bound)} {total}")
    said = labels(method=method, route=path)
    return [*lines, f"_sum{said} {values[-1]:.6f}", f"_count{said} {total}"]


class Measured:
    """Middleware that counts the requests of an ASGI app."""

    def __init__(self, app: ASGIApp, counts: RequestCounts) -> None:
        self._app, self._counts = app, counts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request by the app, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, counts, began = 500, self._counts, time.perf_counter()
        streaming = ""

        async def watched(message: Message) -> None:
            nonlocal status, streaming
            if message["type"] == "http.response.start":
                status = message["status"]
                route = _route(scope)
                if route in counts.streams and status < 400:
                    streaming = route
                    counts.streams[route] += 1
            await send(message)

        counts.running += 1
        try:
            await self._app(scope, receive, watched)
        finally:
            counts.running -= 1
            if streaming:
                counts.streams[streaming] -= 1
            method = scope["method"] if scope["method"] in _METHODS else _OTHER
            counts.count(method, _route(scope), status, time.perf_counter() - began)


def _route(scope: Scope) -> str:
    """The path's template. The router leaves the route that it chose in the scope."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else _OTHER
