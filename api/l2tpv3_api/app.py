"""The app: routes, errors and the guard put together. No global state: each call makes an app of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI

from l2tpv3.version import VERSION
from l2tpv3_api.auth.base import Authenticator
from l2tpv3_api.http import problems
from l2tpv3_api.http.methods import Methods
from l2tpv3_api.http.packing import Packed
from l2tpv3_api.http.request_metrics import Measured, RequestCounts
from l2tpv3_api.routes import ROUTERS
from l2tpv3_api.routes.dependencies import known_query
from l2tpv3_api.schemas import openapi
from l2tpv3_api.service.service import Service


def create_app(service: Service, *, guard: Authenticator) -> FastAPI:
    """An ASGI app that serves `service` to whom `guard` lets in."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    # Its own pages (docs_url) fetch scripts from elsewhere.
    app = FastAPI(version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service = service
    app.state.guard = guard
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(known_query)])
    # Each as it is: the app has them only as parts of routers.
    app.state.plain_routes = [*app.router.routes, *(route for router in ROUTERS for route in router.routes)]
    openapi.install(app, service.manager.datapath_words)
    app.add_middleware(Packed)
    app.add_middleware(Methods)
    app.state.request_counts = counts = RequestCounts()
    app.add_middleware(Measured, counts=counts)  # the last one is the outermost
    return app
