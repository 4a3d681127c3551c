"""The REST service: thin over l2tpv3.host.manager, as the command line is. See docs/api.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l2tpv3_api.app import create_app
    from l2tpv3_api.service.service import Service

__all__ = ["Service", "create_app"]


def __getattr__(name: str) -> Any:
    """Import FastAPI when it is needed, not for what the command line takes from here."""
    if name == "create_app":
        from l2tpv3_api.app import create_app

        return create_app
    if name == "Service":
        from l2tpv3_api.service.service import Service

        return Service
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
