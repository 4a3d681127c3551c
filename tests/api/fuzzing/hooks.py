"""For schemathesis: how a state is written as TOML, and what JSON Schema has no words for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import schemathesis


@schemathesis.serializer("application/toml")
def as_toml(context: object, value: Any) -> bytes:
    """A document of inline tables. What TOML has not, null above all, stays as JSON writes it and is no TOML."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, dict):
        return _value(value).encode("utf-8", "replace")
    return "".join(f"{_text(key)} = {_value(one)}\n" for key, one in value.items()).encode("utf-8", "replace")


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(key)} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # JSON has one kind of number, TOML two
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


@schemathesis.hook
def filter_body(context: object, body: Any) -> bool:
    """A range of VLANs begins at its lower end."""
    return not any(int(low) > int(high) for text in _texts(body) for low, high in re.findall(r"(\d+)-(\d+)", text))


def _texts(value: Any) -> Iterator[str]:
    """Of a body's lists `vlan`."""
    for key, one in value.items() if isinstance(value, dict) else ():
        if key == "vlan" and isinstance(one, list):
            yield from (text for text in one if isinstance(text, str))
        yield from _texts(one)
