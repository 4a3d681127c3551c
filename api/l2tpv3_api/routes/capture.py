"""GET /v1/tunnels/{tunnel}/sessions/{session}/capture: a session's frames, live, as pcapng."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Query

from l2tpv3.capture import CaptureOptions, Side
from l2tpv3.capture.options import EXPRESSION_MAX, PACKETS_MAX, SECONDS_MAX, SNAPLEN_MAX
from l2tpv3.capture.recorder import Recording
from l2tpv3_api.http.stream import Stream
from l2tpv3_api.routes.dependencies import Keeper, Serving
from l2tpv3_api.schemas import responses
from l2tpv3_api.service.service import Service

_MEDIA_TYPE = "application/x-pcapng"

router = APIRouter(tags=["live"])


@router.get(
    "/v1/tunnels/{tunnel}/sessions/{session}/capture",
    operation_id="captureSession",
    response_class=Stream,
    responses={
        200: {
            "description": "A pcapng file that grows until a limit is reached or the client goes.",
            "content": {_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **responses.problems(404, 501, 502),
    },
)
async def capture(
    tunnel: str,
    session: str,
    service: Serving,
    who: Keeper,
    side: Annotated[
        Side, Query(description="outer: packets on the underlay. inner: frames at the session's netdev.")
    ] = Side.OUTER,
    filter: Annotated[str, Query(description="In pcap-filter(7)'s language.", max_length=EXPRESSION_MAX)] = "",
    packets: Annotated[int | None, Query(ge=1, le=PACKETS_MAX, description="End after so many.")] = None,
    seconds: Annotated[float | None, Query(gt=0, le=SECONDS_MAX, description="End after so long.")] = None,
    snaplen: Annotated[int, Query(ge=64, le=SNAPLEN_MAX, description="Bytes that are kept of each.")] = SNAPLEN_MAX,
) -> Stream:
    """Capture a session's frames. Needs the scope secrets: cookies are in outer packets, and all that is sent in both.

    What the client does not read in time is dropped, and counted in the statistics that come every few seconds.
    """
    options = CaptureOptions(side=side, expression=filter, packets=packets, seconds=seconds, snaplen=snaplen)
    recording = await service.read(lambda manager: manager.capture(tunnel, session, options))
    name = f'attachment; filename="{tunnel}-{session}.pcapng"'
    headers = {"Content-Disposition": name}
    return Stream(_body(recording, service), media_type=_MEDIA_TYPE, headers=headers, closing=recording.close)


async def _body(recording: Recording, service: Service) -> AsyncGenerator[bytes, None]:
    while not (recording.ended or service.hub.closed):
        # In a thread: a batch of packets through a filter takes some milliseconds.
        if piece := await asyncio.to_thread(recording.take):
            yield piece
        else:
            await _readable(recording)
    yield recording.finish()


async def _readable(recording: Recording) -> None:
    """Return when there is a packet, or something is due."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(recording.fileno(), ready.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(1.0, recording.wait_s())):  # to notice the service's end in time
                await ready.wait()
    finally:
        loop.remove_reader(recording.fileno())
