"""For schemathesis: how a state is written as TOML, which it has no words for."""

from __future__ import annotations

import json
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
