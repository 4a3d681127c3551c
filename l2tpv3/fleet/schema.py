"""The JSON schema of a fleet's file, made from the tables of its keys.

Run as `python -m l2tpv3.fleet.schema` it writes l2tpv3/schemas/fleet.v1.json, which editors use; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from l2tpv3.config.schema import property_schema
from l2tpv3.fleet.model import Shape
from l2tpv3.fleet.words import HOST, MESH, SETTINGS, WIRE

_NAME: Final = "^[A-Za-z0-9][A-Za-z0-9_-]{0,29}$"
_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1}
_TEXTS: Final[dict[str, Any]] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "uniqueItems": True}]}
_BY_HOST: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "patternProperties": {_NAME: _TEXTS},
}
_SHAPES: Final[Mapping[str, dict[str, Any]]] = {
    "reach": {**_TEXT, "pattern": "^(ssh://.+|here|nats)$", "examples": ["ssh://root@siteb.example.net"]},
    "address": _TEXTS,
    "labels": _TEXTS,
    "hosts": _TEXTS,
    "label": _TEXT,
    "shape": {"enum": [str(shape) for shape in Shape], "default": str(Shape.FULL)},
    "hub": _TEXT,
    "bridge": {**_TEXT, "maxLength": 15, "pattern": r"^[^\s/:%]+$"},
    "split-horizon": {"type": "boolean"},
    "ports": _BY_HOST,
    "ends": {"type": "array", "items": _TEXT, "minItems": 2, "maxItems": 2, "uniqueItems": True},
}


def fleet_schema() -> dict[str, Any]:
    """The JSON schema (draft-07, as editors know it) of a fleet's file."""
    settings = {word: property_schema(field) for word, field in SETTINGS.items()}
    host = {**_keys(HOST), "datapath": {**settings["datapath"], "description": HOST["datapath"]}}
    wire = {**_keys(WIRE), "address": {"description": WIRE["address"], **_BY_HOST}}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "l2tpv3 fleet",
        "description": "Tunnels between many hosts; docs/fleet.md.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "defaults": {"description": "What holds for every mesh and wire.", **_table(settings)},
            "host": _named("Hosts by name.", _table(host, required=["reach", "address"])),
            "mesh": _named("Pseudowires among many hosts, by name.", _table(_keys(MESH) | settings)),
            "wire": _named("Pseudowires between two hosts, by name.", _table(wire | settings, required=["ends"])),
        },
    }


def _keys(keys: Mapping[str, str]) -> dict[str, Any]:
    return {key: {"description": text, **_SHAPES[key]} for key, text in keys.items() if key in _SHAPES}


def _table(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    needed = {"required": required} if required else {}
    return {"type": "object", "additionalProperties": False, **needed, "properties": properties}


def _named(description: str, of: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {_NAME: of},
    }


def schema_path() -> Path:
    """The schema's file in the package."""
    return Path(str(resources.files("l2tpv3").joinpath("schemas", "fleet.v1.json")))


def schema_text() -> str:
    """The text of fleet.v1.json."""
    return json.dumps(fleet_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    schema_path().write_text(schema_text(), "utf-8")
