"""The JSON schema of files, made from the table of fields.

Run as `python -m l2tpv3.config.schema` it writes l2tpv3/schemas/config.v1.json, which editors use; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from l2tpv3.model.fields import LINK, LINK_TYPES, NO_NETDEV, SESSION, TUNNEL, TYPE, Field
from l2tpv3.model.ids import IFNAME_MAX
from l2tpv3.model.links.options import LinkType, options_type

_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_DIGITS = "^[0-9]+$"
_DIGITS_OR_HEX = "^(0[xX][0-9A-Fa-f]+|[0-9]+)$"
_HEX_PAIRS = "(0[xX])?([0-9A-Fa-f]:*){7}[0-9A-Fa-f](([0-9A-Fa-f]:*){7}[0-9A-Fa-f])?:*"
_KEY = "^(@.+|credential:[^/:]+|[A-Za-z0-9+/]{43}=)$"
_PRE_SHARED_KEY = r"^(@.+|credential:[^/:]+|[!#-&(->@-\[\]-_a-~]{8,128})$"
_COOKIE = f"^(none|@.+|credential:[^/:]+|{_HEX_PAIRS})$"
_MAC = "^[0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}$"

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_LIST = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "uniqueItems": True}]}
_SWITCH = {"enum": ["on", "off", True, False]}
_SHAPES: Mapping[str, dict[str, Any]] = {
    "ifname": {**_TEXT, "maxLength": IFNAME_MAX, "pattern": r"^[^\s/:%]+$"},
    "mac": {**_TEXT, "pattern": _MAC},
    "cookie": {"type": "string", "pattern": _COOKIE},
    "key": {"type": "string", "pattern": _KEY},
    "pre-shared-key": {"type": "string", "pattern": _PRE_SHARED_KEY},
    "on-off": _SWITCH,
    "switch": _SWITCH,
    "boolean": {"type": "boolean"},
}
_WORDS_BESIDE: Mapping[str, list[str]] = {"dscp": ["inherit"]}
"""What values of a type of numbers may also be."""
_SECRET_SOURCES = (
    'In a file it may also be "@FILE" that holds it (relative to this file\'s folder), or "credential:NAME" of the'
    " systemd unit."
)

_NOT_WITHOUT = {
    "vlan": {"anyOf": [{"required": ["vlan"]}, {"properties": {"egress": {"enum": ["remove"]}}}]},
    "sublayer": {
        "anyOf": [
            {"not": {"properties": {"sublayer": {"enum": ["none"]}}, "required": ["sublayer"]}},
            {"not": {"required": ["sequencing"]}},
            {"properties": {"sequencing": {"enum": ["none"]}}},
        ]
    },
    "fragment": {
        "anyOf": [
            {"not": {"properties": {"fragment": {"enum": ["on", True]}}, "required": ["fragment"]}},
            {"properties": {"sublayer": {"enum": ["default"]}, "sequencing": {"enum": ["none", "both"]}}},
        ]
    },
    "bridge": {
        "anyOf": [
            {"not": {"required": ["bridge"]}},
            {"not": {"required": ["address"]}},
            {"properties": {"address": {"type": "array", "maxItems": 0}}},
        ]
    },
}
"""What SessionSpec refuses of words that do not go together."""


def file_schema() -> dict[str, Any]:
    """The JSON schema (draft-07, as editors know it) of files."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "l2tpv3 wanted state",
        "description": "Files of /etc/l2tpv3/*.toml; docs/files.md.",
        **_object(
            {
                "tunnel": _named("Tunnels by name.", "tunnel"),
                "link": _named("Links by name: netdevs layered on others.", "link"),
            }
        ),
        "definitions": {"tunnel": _tunnel(), "session": _session(), "link": _link()},
    }


def _object(properties: dict[str, Any], required: Iterable[str] = ()) -> dict[str, Any]:
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "additionalProperties": False, **needed, "properties": properties}


def _named(description: str, of: str) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {_NAME: {"$ref": f"#/definitions/{of}"}},
    }


def _tunnel() -> dict[str, Any]:
    sessions = {"session": _named("The tunnel's sessions by name.", "session")}
    return _object(_properties(TUNNEL) | sessions, _required(TUNNEL))


def _session() -> dict[str, Any]:
    return {**_object(_properties(SESSION)), "allOf": list(_NOT_WITHOUT.values())}


def _link() -> dict[str, Any]:
    kind = {"description": "What it is.", "enum": list(TYPE.choices)}
    kinds = [
        {"if": {"properties": {"type": {"const": type_}}, "required": ["type"]}, "then": _link_of(type_)}
        for type_ in TYPE.choices
    ]
    return {"type": "object", "required": ["type"], "properties": {"type": kind}, "allOf": kinds}


def _link_of(type_: str) -> dict[str, Any]:
    options = options_type(LinkType(type_))
    common = [field for field in LINK if options.own_netdev or field.word not in NO_NETDEV]
    required = [*(["over"] if options.least_over else []), *_required(LINK_TYPES[type_])]
    properties = {"type": {"const": type_}, **_properties([*common, *LINK_TYPES[type_]])}
    return {
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _required(fields: Iterable[Field]) -> list[str]:
    return [field.word for field in fields if field.required]


def _properties(fields: Iterable[Field]) -> dict[str, Any]:
    return {field.word: property_schema(field) for field in fields}


def property_schema(field: Field) -> dict[str, Any]:
    """The schema of one field's values, with what it is in words."""
    examples = {"examples": [field.example]} if field.example else {}
    default = {"default": field.default} if field.default is not None and not field.many else {}
    return {"description": _description(field), **_shape(field), **default, **examples}


def _description(field: Field) -> str:
    parts = [field.help[0].upper() + field.help[1:].replace("; may be repeated", ""), field.details]
    if field.secret:
        parts.append(_SECRET_SOURCES)
    if field.default_text:
        parts.append(f"Default: {field.default_text}.")
    return re.sub(r"--(?=[a-z])", "", " ".join(part for part in parts if part))


def _shape(field: Field) -> dict[str, Any]:
    """What values may look like."""
    if field.many:
        return _LIST
    if field.type in _SHAPES:
        return _SHAPES[field.type]
    if field.choices:
        return {"enum": list(field.choices)}
    if field.type == "text" and field.high is not None:
        return {**_TEXT, "maxLength": field.high}
    if field.high is not None:
        as_text = {"type": "string", "pattern": _DIGITS if field.type in ("number", "link-mtu") else _DIGITS_OR_HEX}
        number = {"type": "integer", "minimum": field.low, "maximum": field.high}
        words = [field.default] if field.default == "auto" else _WORDS_BESIDE.get(field.type, [])
        return {"anyOf": [*([{"enum": words}] if words else []), number, as_text]}
    return _TEXT


def schema_text() -> str:
    """The text of config.v1.json."""
    return json.dumps(file_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(str(resources.files("l2tpv3").joinpath("schemas", "config.v1.json"))).write_text(schema_text(), "utf-8")
