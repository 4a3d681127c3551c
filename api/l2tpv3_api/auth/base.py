"""The guard finds out who asks; `require` is what a route depends on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastapi import Request
from starlette.requests import HTTPConnection

from l2tpv3.errors import NotPermittedError
from l2tpv3_api.auth.identity import Identity, Scope


class Authenticator(Protocol):
    """Tells who a request is from. create_app is given one, and keeps it as `app.state.guard`."""

    async def identify(self, request: HTTPConnection) -> Identity:
        """Who asks. Raises UnauthenticatedError where that is nobody known. Doesn't block."""


def require(scope: Scope) -> Callable[[Request], Awaitable[Identity]]:
    """A FastAPI dependency that gives the Identity, if it has `scope`; else NotPermittedError is raised.

    The identity is found once a request, also where several dependencies ask (`request.state.identity`).
    """

    async def identified(request: Request) -> Identity:
        identity = await identity_of(request)
        if not identity.may(scope):
            remedy = f"have someone give it the scope {scope}, or use another identity"
            raise NotPermittedError(identity.name, f"this needs the scope {scope}", remedy)
        return identity

    return identified


async def identity_of(request: HTTPConnection) -> Identity:
    """Who a request is from, by the guard of its app. Raises UnauthenticatedError."""
    known = getattr(request.state, "identity", None)
    if isinstance(known, Identity):
        return known
    guard: Authenticator = request.app.state.guard
    identity = await guard.identify(request)
    request.state.identity = identity
    return identity
