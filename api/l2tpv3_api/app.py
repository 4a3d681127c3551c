"""The app: routes, errors and the guard put together. No global state: each call makes an app of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from l2tpv3_api import problems
from l2tpv3_api.access.guard import Guard
from l2tpv3_api.routes import ROUTERS
from l2tpv3_api.service import Service


def create_app(service: Service, *, guard: Guard) -> FastAPI:
    """An ASGI app that serves `service` to whom `guard` lets in."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(title="l2tpv3", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.state.guard = guard
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app
