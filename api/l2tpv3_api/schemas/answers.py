"""The schemas of what only the API answers or takes: problems, capabilities, what became of a change."""

from __future__ import annotations

from typing import Any, Final

from l2tpv3.formats.names import PEER_FORMATS
from l2tpv3_api.auth.identity import Scope
from l2tpv3_api.schemas.fields import NAME, Schema, ref

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}


def _choice(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


SCHEMAS: Final[dict[str, Schema]] = {
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
            "errors": {"type": "array", "items": ref("Fault"), "description": "All that is wrong with the body."},
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
    "Fault": {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {
            "pointer": {**_TEXT, "description": "JSON pointer (RFC 6901) into the body."},
            "detail": _TEXT,
        },
    },
    "Change": {
        "type": "object",
        "required": ["recreated", "why"],
        "properties": {
            "recreated": {"type": "boolean", "description": "It could not be done in place: traffic stopped."},
            "why": {**_TEXT, "description": "What forced that."},
            "lost": {
                **_TEXTS,
                "description": "What others had configured on its netdevs, and could not be put back.",
            },
        },
    },
    "Health": {"type": "object", "required": ["status"], "properties": {"status": {"type": "string", "const": "ok"}}},
    "Peer": {
        "type": "object",
        "required": ["format", "text", "notes"],
        "properties": {
            "format": _choice(*PEER_FORMATS),
            "text": _TEXT,
            "notes": {**_TEXTS, "description": "What whoever types it should know."},
        },
    },
    "Invitation": {
        "type": "object",
        "required": ["line", "expires", "qr"],
        "properties": {
            "line": {**_TEXT, "description": "What `l2tpctl join` takes. It is as secret as the cookies."},
            "expires": {"type": "integer", "description": "When it can no more be used, in seconds since 1970."},
            "qr": {
                "type": ["array", "null"],
                "items": {"type": "string", "pattern": "^[01]+$"},
                "description": "Rows of its QR code, its margin included; 1 is dark. null where segno is missing.",
            },
        },
    },
    "Confirmed": {
        "type": "object",
        "required": ["confirmed"],
        "properties": {"confirmed": {"type": "boolean", "description": "Always true."}},
    },
    "Confirmation": {
        "type": "object",
        "required": ["awaited", "left_s"],
        "properties": {"awaited": {"type": "boolean"}, "left_s": {"type": ["number", "null"], "minimum": 0}},
    },
    "RestoreResult": {
        "type": "object",
        "required": ["restored", "news"],
        "properties": {
            "restored": {**_TEXTS, "description": "Tunnels, and links as `link NAME`."},
            "news": {"type": "array", "items": ref("RestoreEvent")},
        },
    },
    "RestoreEvent": {
        "type": "object",
        "required": ["tunnel", "link", "turn", "why", "changed"],
        "properties": {
            "tunnel": {**_TEXT, "description": "Empty of news about a link."},
            "link": {"type": ["string", "null"]},
            "turn": _choice("restored", "waiting", "failed"),
            "why": _TEXT,
            "changed": {**_TEXT, "description": "What is not as it was before, such as the datapath."},
        },
    },
    "Adoption": {
        "type": "object",
        "required": ["foreign"],
        "additionalProperties": False,
        "properties": {
            "foreign": {**_TEXT, "minLength": 1, "maxLength": 128, "description": "As /v1/tunnels calls it."},
            "name": {**_TEXT, "pattern": NAME, "description": "What it shall be called. Default: tID."},
            "sublayer": {**ref("Sublayer"), "description": "What its sessions were made with."},
        },
    },
    "FleetMap": {
        "type": "object",
        "required": ["file", "looked_at", "took_s", "problem", "status"],
        "properties": {
            "file": {**_TEXT, "description": "Where the fleet is stated."},
            "looked_at": {
                "type": ["string", "null"],
                "format": "date-time",
                "description": "When the look began that saw it.",
            },
            "took_s": {"type": ["number", "null"]},
            "problem": {"type": ["string", "null"], "description": "Why there is nothing newer; null when there is."},
            "status": {"anyOf": [ref("FleetStatus"), {"type": "null"}], "description": "Null before the first look."},
        },
    },
    "Capabilities": {
        "type": "object",
        "required": ["version", "hostname", "datapaths", "links", "formats", "limits", "fleet", "you"],
        "properties": {
            "version": _TEXT,
            "hostname": {**_TEXT, "description": "What this host is called."},
            "datapaths": {"type": "array", "items": ref("DatapathSupport")},
            "links": {
                "type": "array",
                "items": ref("LinkSupport"),
                "description": "Which types of link this host can make.",
            },
            "formats": {"type": "object", "additionalProperties": _TEXTS},
            "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
            "fleet": {"type": "boolean", "description": "Whether /v1/fleet tells of one."},
            "you": ref("Identity"),
        },
    },
    "DatapathSupport": {
        "type": "object",
        "required": ["name", "works", "reason"],
        "properties": {"name": _TEXT, "works": {"type": "boolean"}, "reason": _TEXT},
    },
    "LinkSupport": {
        "type": "object",
        "required": ["type", "works", "reason"],
        "properties": {
            "type": ref("LinkType"),
            "works": {"type": "boolean"},
            "reason": {**_TEXT, "description": "Why not."},
        },
    },
    "Identity": {
        "type": "object",
        "required": ["name", "scopes"],
        "properties": {"name": _TEXT, "scopes": {"type": "array", "items": _choice(*Scope)}},
    },
}  # fmt: skip
