"""The routes of the service, one module for each resource. Each module has a `router`; ROUTERS lists them."""

from __future__ import annotations

from fastapi import APIRouter

from l2tpv3_api.routes import (
    capabilities,
    capture,
    dashboard,
    doctor,
    events,
    fleet,
    health,
    invitation,
    links,
    log,
    metrics,
    passing,
    path_mtu,
    peer,
    sessions,
    state,
    stats,
    tunnels,
)

ROUTERS: tuple[APIRouter, ...] = (
    tunnels.router,
    sessions.router,
    links.router,
    stats.router,
    doctor.router,
    fleet.router,
    passing.router,
    peer.router,
    invitation.router,
    path_mtu.router,
    state.router,
    capabilities.router,
    log.router,
    health.router,
    events.router,
    capture.router,
    metrics.router,
    dashboard.router,
)
"""All routers, in the order in which they are asked for a path."""
