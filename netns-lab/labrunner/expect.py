"""What a step expects of a command's exit status, text and JSON. Pure: values in, complaints out."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}


def pick(document: Any, path: str) -> Any:
    """The value at `path` ("0.counters.rx_packets") in parsed JSON; "" is the whole. Raises LookupError."""
    for key in path.split(".") if path else ():
        try:
            document = document[int(key) if isinstance(document, list) else key]
        except (LookupError, TypeError, ValueError):
            raise LookupError(f"there is no {path} (at {key})") from None
    return document


def complaint(value: Any, wanted: Any) -> str:
    """Why `value` is not as `wanted`; empty when it is.

    wanted: a value to be equal to, or text: ">= 3" (also <=, >, <, !=) compares numbers, "~ REGEX" searches text.
    """
    if isinstance(wanted, str):
        sign, _, rest = wanted.partition(" ")
        if sign == "~":
            return "" if re.search(rest, str(value)) else f"is {value!r}, expected to match {rest!r}"
        if sign in _COMPARE:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            return "" if number and _COMPARE[sign](value, float(rest)) else f"is {value!r}, expected {wanted}"
        # A value of a scenario is text: {mtu} = "1438" is meant to equal the number in the JSON.
        return "" if wanted in (value, _text(value)) else f"is {value!r}, expected {wanted!r}"
    same = value == wanted and isinstance(value, bool) == isinstance(wanted, bool)
    return "" if same else f"is {value!r}, expected {wanted!r}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def text_complaints(text: str, patterns: list[str]) -> list[str]:
    """One complaint for each regular expression that is not found in `text` (^ and $ are those of lines)."""
    return [f"its output does not match {p!r}" for p in patterns if not re.search(p, text, re.MULTILINE)]


def json_findings(text: str, wanted: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values found at each path of `wanted` in the JSON `text`, and complaints."""
    if not wanted:
        return {}, []
    try:
        document = json.loads(text)
    except ValueError as error:
        return {}, [f"its output is not JSON: {error}"]
    found: dict[str, Any] = {}
    complaints = []
    for path, expected in wanted.items():
        try:
            found[path] = pick(document, path)
        except LookupError as error:
            complaints.append(str(error))
            continue
        if why := complaint(found[path], expected):
            complaints.append(f"{path} {why}")
    return found, complaints
