"""What routes take: the service, and who asks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Depends, Request

from l2tpv3_api.access.guard import require
from l2tpv3_api.access.identity import Identity, Scope
from l2tpv3_api.service import Service


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_service)]
Reader = Annotated[Identity, Depends(require(Scope.READ))]
Writer = Annotated[Identity, Depends(require(Scope.WRITE))]
Keeper = Annotated[Identity, Depends(require(Scope.SECRETS))]
Words = Annotated[dict[str, Any], Body()]
