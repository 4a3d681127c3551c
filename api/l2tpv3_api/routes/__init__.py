"""What the service answers, a file a resource. Each has a `router`; those that are there are in ROUTERS."""

from __future__ import annotations

from fastapi import APIRouter

from l2tpv3_api.routes import dashboard, events, health, sessions, tunnels

ROUTERS: tuple[APIRouter, ...] = (tunnels.router, sessions.router, health.router, events.router, dashboard.router)
"""All of them, in the order in which paths are looked for."""
