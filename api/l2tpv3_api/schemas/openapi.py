"""The OpenAPI document: what routes say of themselves, and the schemas that ship with l2tpv3, under one roof."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from l2tpv3.documents.schemas import AUDIT_SCHEMA, LINKS_SCHEMA, PLAN_SCHEMA, STATS_SCHEMA, STATUS_SCHEMA, json_schema
from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3.model.links.options import LinkType
from l2tpv3_api.auth.identity import Scope
from l2tpv3_api.schemas import fields, link_fields

_TITLE: Final = "l2tpv3"
_DESCRIPTION: Final = """\
Static L2TPv3 ethernet pseudowires of one host.

Words in bodies are those of the command line and of files; what is seen is told in the documents that
`l2tpctl --json` prints. Errors are problem details (RFC 9457). Who connects to the unix socket is known by the
kernel and needs no credential; over TCP it takes a bearer token or a client certificate."""

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
    components["schemas"] = schemas | _schemas(datapaths)
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


def _schemas(datapaths: Collection[str]) -> dict[str, Any]:
    status, stats = _shipped(STATUS_SCHEMA), _shipped(STATS_SCHEMA)
    link = _shipped(LINKS_SCHEMA)["$defs"]["link"]
    link["properties"]["counters"] = {"$ref": "#/$defs/linkCounters"}
    parts = status.pop("$defs")
    tunnel = parts["tunnel"]
    tunnel["required"] = [one for one in tunnel["required"] if one != "sessions"]
    tunnel["properties"]["session_count"] = {
        "type": "integer", "minimum": 0, "description": "In place of `sessions`, without include=sessions.",
    }  # fmt: skip
    tunnel["oneOf"] = [{"required": ["sessions"]}, {"required": ["session_count"]}]
    schemas = {
        "Tunnel": tunnel,
        "Session": parts["session"],
        "Cookie": parts["cookie"],
        "Netdev": parts["netdev"],
        "Counters": parts["counters"],
        "TunnelList": _list("tunnels", "Tunnel"),
        "SessionList": _list("sessions", "Session"),
        "Link": link,
        "LinkCounters": _shipped(LINKS_SCHEMA)["$defs"]["counters"],
        "LinkList": _list("links", "Link", LINKS_SCHEMA),
        "ChangedTunnel": _changed(tunnel),
        "ChangedSession": _changed(parts["session"]),
        "ChangedLink": _changed(link),
        "Stats": stats,
        "Plan": _plan(),
        "Log": _shipped(AUDIT_SCHEMA),
        "State": fields.state(datapaths, link_fields.words()),
        "TunnelWords": fields.whole(fields.tunnel(datapaths)),
        "TunnelPatch": fields.patch(fields.tunnel(datapaths), keep=("remote",)),
        "SessionWords": fields.whole(fields.session()),
        "SessionPatch": fields.patch(fields.session()),
        "LinkWords": link_fields.put_words(),
        "LinkPatch": link_fields.patch_words(),
        **copy.deepcopy(_OWN),
    }
    return {name: _rooted(schema) for name, schema in schemas.items()}


def _shipped(schema: str) -> dict[str, Any]:
    return {key: value for key, value in json_schema(schema).items() if key not in ("$schema", "$id")}


def _rooted(value: Any) -> Any:
    """The schema with its `#/$defs/session` as `#/components/schemas/Session`."""
    if isinstance(value, list):
        return [_rooted(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: f"#/components/schemas/{_name(one)}" if key == "$ref" and str(one).startswith("#/$defs/") else _rooted(one)
        for key, one in value.items()
    }


def _name(reference: str) -> str:
    name = reference.rpartition("/")[2]
    return name[0].upper() + name[1:]


def _changed(schema: dict[str, Any]) -> dict[str, Any]:
    """A thing's schema with what became of it beside: one object, which generators of clients make a class of."""
    made = copy.deepcopy(schema)
    made["required"] = [*made.get("required", []), "change"]
    made["properties"]["change"] = copy.deepcopy(_CHANGE)
    return made


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(key: str, kind: str, schema: str = STATUS_SCHEMA) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["schema", key, "total", "next"],
        "properties": {
            "schema": {"const": schema},
            key: {"type": "array", "items": _ref(kind)},
            "total": {"type": "integer", "minimum": 0, "description": "How many there are on all pages."},
            "next": {"type": ["string", "null"], "description": "`cursor` of the next page; null on the last."},
        },
    }


def _plan() -> dict[str, Any]:
    schema = _shipped(PLAN_SCHEMA)
    schema["required"] += ["changes"]
    schema["properties"] |= {
        "changes": {"type": "boolean", "description": "Whether anything changes, if only on record."},
        "confirm_s": {"type": ["number", "null"], "description": "Undone after so many seconds, unless confirmed."},
    }
    return schema


_TEXT: Final = {"type": "string"}
_CHANGE: Final = {
    "type": "object",
    "required": ["recreated", "why"],
    "properties": {
        "recreated": {"type": "boolean", "description": "It could not be done in place: traffic stopped."},
        "why": {**_TEXT, "description": "What forced that."},
        "lost": {
            "type": "array",
            "items": _TEXT,
            "description": "What others had configured on its netdevs, and could not be put back.",
        },
    },
}

_OWN: Final[dict[str, Any]] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457, with all that the command line's error has.",
        "required": [
            "type", "title", "status", "detail", "slug", "subject", "problem", "remedy", "errno", "retryable",
            "exit_code",
        ],
        "properties": {
            "type": {**_TEXT, "pattern": "^urn:l2tpv3:problem:[a-z-]+$"},
            "title": _TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {**_TEXT, "description": "`subject: problem; remedy` on one line."},
            "slug": {**_TEXT, "description": "What kind it is; docs/api.md lists them."},
            "subject": {**_TEXT, "description": "The object, as the user names it."},
            "field": {"type": ["string", "null"], "description": "The word whose value was wrong, where it is one's."},
            "problem": {**_TEXT, "description": "What is wrong, with the value."},
            "remedy": {**_TEXT, "description": "What to do; may be empty."},
            "errno": {"type": ["integer", "null"], "description": "The kernel's, where one was the cause."},
            "retryable": {"type": "boolean", "description": "Whether the same may work later."},
            "exit_code": {"type": "integer", "description": "l2tpctl's for this."},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["pointer", "detail"],
                    "properties": {
                        "pointer": {**_TEXT, "description": "JSON pointer (RFC 6901) into the body."},
                        "detail": _TEXT,
                    },
                },
                "description": "All that is wrong with the body.",
            },
        },
        "example": {
            "type": "urn:l2tpv3:problem:not-found",
            "title": "Not Found",
            "status": 404,
            "detail": "tunnel siteb: no such tunnel; `l2tpctl tunnel show` lists them",
            "slug": "not-found",
            "subject": "tunnel siteb",
            "problem": "no such tunnel",
            "remedy": "`l2tpctl tunnel show` lists them",
            "errno": None,
            "retryable": False,
            "exit_code": 3,
        },
    },
    "Health": {"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}},
    "Peer": {
        "type": "object",
        "required": ["format", "text", "notes"],
        "properties": {
            "format": {"enum": list(PEER_FORMATS)},
            "text": _TEXT,
            "notes": {"type": "array", "items": _TEXT, "description": "What whoever types it should know."},
        },
    },
    "Confirmed": {"type": "object", "required": ["confirmed"], "properties": {"confirmed": {"const": True}}},
    "Confirmation": {
        "type": "object",
        "required": ["awaited", "left_s"],
        "properties": {"awaited": {"type": "boolean"}, "left_s": {"type": ["number", "null"], "minimum": 0}},
    },
    "Restored": {
        "type": "object",
        "required": ["restored", "news"],
        "properties": {
            "restored": {"type": "array", "items": _TEXT, "description": "Tunnels, and links as `link NAME`."},
            "news": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["tunnel", "link", "turn", "why", "changed"],
                    "properties": {
                        "tunnel": {**_TEXT, "description": "Empty of news about a link."},
                        "link": {"type": ["string", "null"]},
                        "turn": {"enum": ["restored", "waiting", "failed"]},
                        "why": _TEXT,
                        "changed": {**_TEXT, "description": "What is not as it was before, such as the datapath."},
                    },
                },
            },
        },
    },
    "Adoption": {
        "type": "object",
        "required": ["foreign"],
        "additionalProperties": False,
        "properties": {
            "foreign": {**_TEXT, "minLength": 1, "maxLength": 128, "description": "As /v1/tunnels calls it."},
            "name": {**_TEXT, "pattern": fields.NAME, "description": "What it shall be called. Default: tID."},
            "sublayer": {"enum": ["default", "none"], "description": "What its sessions were made with."},
        },
    },
    "Capabilities": {
        "type": "object",
        "required": ["version", "hostname", "datapaths", "links", "formats", "limits", "you"],
        "properties": {
            "version": _TEXT,
            "hostname": {**_TEXT, "description": "What this host is called."},
            "datapaths": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "works", "reason"],
                    "properties": {"name": _TEXT, "works": {"type": "boolean"}, "reason": _TEXT},
                },
            },
            "links": {
                "type": "array",
                "description": "Which types of link this host can make.",
                "items": {
                    "type": "object",
                    "required": ["type", "works", "reason"],
                    "properties": {
                        "type": {"enum": [*LinkType]},
                        "works": {"type": "boolean"},
                        "reason": {**_TEXT, "description": "Why not."},
                    },
                },
            },
            "formats": {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}},
            "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
            "you": {
                "type": "object",
                "required": ["name", "scopes"],
                "properties": {"name": _TEXT, "scopes": {"type": "array", "items": {"enum": [*Scope]}}},
            },
        },
    },
}  # fmt: skip
