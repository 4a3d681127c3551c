"""The OpenAPI document: what routes say of themselves, and the schemas that ship with l2tpv3, under one roof."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from l2tpv3_api.schemas import answers, configs, documents

_TITLE: Final = "l2tpv3"
_DESCRIPTION: Final = """\
Static L2TPv3 ethernet pseudowires of one host.

What can be asked for has the names that files and the command line have, with _ for -, and is told as `wanted`.
Errors are problem details (RFC 9457). Who connects to the unix socket is known by the kernel and needs no
credential; over TCP it takes a bearer token or a client certificate."""

_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token that `l2tpctl token add` made."},
    "certificate": {"type": "mutualTLS", "description": "A client certificate."},
}

_FASTAPIS: Final = ("HTTPValidationError", "ValidationError")

_TAGS: Final = [
    {"name": "tunnels", "description": "Tunnels by name."},
    {"name": "sessions", "description": "Pseudowires in tunnels, each with a netdev."},
    {"name": "links", "description": "Netdevs that are layered over others: bridges, bonds, VLANs, virtual cards."},
    {"name": "statistics", "description": "Counters."},
    {"name": "state", "description": "All of it at once, and what the host can do."},
    {"name": "live", "description": "What happens, as it happens."},
    {"name": "health", "description": "For supervisors."},
]


def install(app: FastAPI, datapaths: Collection[str]) -> None:
    """Have /openapi.json tell this document. datapaths: what a tunnel's `datapath` may be."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, datapaths)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, datapaths: Collection[str]) -> dict[str, Any]:
    made = get_openapi(
        title=_TITLE, version=app.version, description=_DESCRIPTION, routes=app.routes, tags=copy.deepcopy(_TAGS)
    )
    made["servers"] = [{"url": "/", "description": "The service that this document came from."}]
    made["info"]["license"] = {"name": "MIT", "identifier": "MIT"}
    components = made.setdefault("components", {})
    schemas = {name: one for name, one in components.get("schemas", {}).items() if name not in _FASTAPIS}
    components["schemas"] = schemas | configs.schemas(datapaths) | documents.schemas() | copy.deepcopy(answers.SCHEMAS)
    components["securitySchemes"] = copy.deepcopy(_SECURITY)
    made["security"] = [{name: []} for name in _SECURITY]
    for path in made["paths"].values():
        for operation in path.values():
            _tidy(operation)
    return made


def _tidy(operation: dict[str, Any]) -> None:
    """FastAPI adds a 422 of its own, and says `null` of what can only be left out."""
    content = operation.get("responses", {}).get("422", {}).get("content", {})
    content.pop("application/json", None)
    for parameter in operation.get("parameters", []):
        schema = parameter["schema"]
        schema.pop("title", None)
        kinds = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
        if len(kinds) == 1:
            del schema["anyOf"]
            parameter["schema"] = {**kinds[0], **schema}
