"""Describes answers and bodies to OpenAPI. Their schemas are in openapi.py, by these names."""

from __future__ import annotations

from typing import Any, Final

from l2tpv3_api.http import problems as _problems

_ALWAYS: Final = (401, 403, 422, 429, 500)

_PROBLEMS: Final = {
    400: "The body is not what its media type says.",
    401: "The service does not know who asks.",
    403: "Who asks may not do this.",
    404: "There is no such thing.",
    409: "Something that exists is in the way; or a change waits for its confirmation.",
    412: "It is not as If-Match or If-None-Match says.",
    413: "The body is too large.",
    415: "A body of that media type is not taken.",
    422: "A value that can't be meant. `errors` has a JSON pointer to each in a body.",
    429: "Too many requests; see Retry-After.",
    500: "A defect of the service.",
    501: "What this takes does not work on this host.",
    502: "The kernel or a worker said no.",
    503: "Not now: no route or address, or something else is in the way. See `retryable`.",
}

CHANGING: Final = (400, 404, 409, 413, 415, 501, 502, 503)
"""Statuses of problems that any change with a body may have."""

_ETAG: Final = {
    "ETag": {
        "description": "Its first part stands for what a client can write of it, for If-Match; the second for what is "
        "seen of it, counters aside.",
        "schema": {"type": "string", "pattern": '^"[0-9a-f]{32}(\\.[0-9a-f]{12})?"$'},
    }
}
_LOCATION: Final = {
    "Location": {"description": "Where it is now.", "schema": {"type": "string", "format": "uri-reference"}}
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These problems, and those that anything may have."""
    content = {_problems.MEDIA_TYPE: {"schema": _ref("Problem")}}
    told: dict[int | str, dict[str, Any]] = {
        status: {"description": _PROBLEMS[status], "content": content} for status in sorted({*_ALWAYS, *statuses})
    }
    told[401]["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    return told | {"default": {"description": "Any other problem.", "content": content}}


def gives(
    schema: str, description: str, *, tag: bool = False, location: bool = False, example: Any = None
) -> dict[str, Any]:
    """A JSON answer. schema: its name. tag, location: whether it has those headers."""
    media: dict[str, Any] = {"schema": _ref(schema)}
    if example is not None:
        media["example"] = example
    headers = (_ETAG if tag else {}) | (_LOCATION if location else {})
    return {"description": description, "content": {"application/json": media}, "headers": headers}


def gives_text(media_type: str, description: str, example: str) -> dict[str, Any]:
    """An answer that is text."""
    return {"description": description, "content": {media_type: {"schema": {"type": "string"}, "example": example}}}


UNCHANGED: Final[dict[str, Any]] = {"description": "It is what If-None-Match has.", "headers": _ETAG}
NOTHING: Final[dict[str, Any]] = {"description": "Done; there is nothing to tell."}


def takes(kinds: dict[str, str], **examples: Any) -> dict[str, Any]:
    """A request body, for openapi_extra. kinds: media type → its schema's name. examples: by name."""
    content = {
        kind: {
            "schema": _ref(schema),
            "examples": {name: {"value": value} for name, value in examples.items()},
        }
        for kind, schema in kinds.items()
    }
    return {"requestBody": {"required": True, "content": content}}


def _ref(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}
