"""/v1/hosts, /v1/tunnels/{tunnel}/sessions/{session}/hosts and /flows: who is behind a wire, and what passes it."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from l2tpv3.flows import report as flow_report
from l2tpv3.lan_hosts import report as host_report
from l2tpv3_api.routes.dependencies import AnySession, AnyTunnel, Keeper, Serving, answer
from l2tpv3_api.routes.queries import OfTunnel
from l2tpv3_api.schemas import examples, responses
from l2tpv3_api.service.passing import LOOK_MAX_S

FLOWS_MAX: Final = 1000

router = APIRouter(prefix="/v1", tags=["live"])

Listen = Annotated[
    float, Query(ge=0, le=LOOK_MAX_S, description="How many seconds to listen to what hosts say; 0: not at all.")
]
Interval = Annotated[float, Query(ge=0.1, le=LOOK_MAX_S, description="For how many seconds flows are counted.")]
Most = Annotated[int, Query(ge=1, le=FLOWS_MAX, description="So many flows, the busiest ones. Default: 20.")]

_HOSTS: Final[dict[int | str, dict[str, Any]]] = {
    200: responses.gives("LanHosts", "The hosts of each session, those at the far end first.", example=examples.HOSTS),
    **responses.problems(404, 502, 503),
}


@router.get("/hosts", operation_id="listHosts", responses=_HOSTS)
async def list_hosts(service: Serving, who: Keeper, tunnel: OfTunnel = None, listen_s: Listen = 2.0) -> Response:
    """Tell who is behind all sessions, or those of one tunnel. Needs the scope `secrets`. Nothing is sent.

    Hosts say of themselves who they are, by ARP, neighbour discovery, DHCP, mDNS and LLDP; the kernel knows some, too.
    It is listened at 64 sessions at most; `unseen` names those that were left out.
    """
    return answer(host_report.to_json(await service.passing.hosts(tunnel, None, listen_s)))


@router.get("/tunnels/{tunnel}/sessions/{session}/hosts", operation_id="getSessionHosts", responses=_HOSTS)
async def get_session_hosts(
    tunnel: AnyTunnel, session: AnySession, service: Serving, who: Keeper, listen_s: Listen = 2.0
) -> Response:
    """Tell who is behind one session, as `/v1/hosts` does of all. Needs the scope `secrets`. Nothing is sent."""
    return answer(host_report.to_json(await service.passing.hosts(tunnel, session, listen_s)))


@router.get(
    "/tunnels/{tunnel}/sessions/{session}/flows",
    operation_id="getSessionFlows",
    responses={
        200: responses.gives("SessionFlows", "The flows that passed, the busiest first.", example=examples.FLOWS),
        **responses.problems(404, 501, 502, 503),
    },
)
async def get_session_flows(
    tunnel: AnyTunnel,
    session: AnySession,
    service: Serving,
    who: Keeper,
    interval_s: Interval = 1.0,
    limit: Most = 20,
) -> Response:
    """Count the flows that pass a session from now on, and answer after `interval_s`. Needs the scope `secrets`.

    Ask again for what passes next. The kernel counts, by a program that is gone when this answers. 501 where it can't.
    """
    found = await service.passing.flows(tunnel, session, interval_s, limit)
    return answer(flow_report.to_json(tunnel, session, found))
