"""A JSON object from a client: read more strictly than Python does, and bounded in whatever takes time or memory."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from l2tpv3_api.http.faults import BodyError, Fault, MalformedError

_QUOTED_MAX: Final = 500
_DIGITS_MAX: Final = 20  # 64 bits have so many
_LEVELS_MAX: Final = 16  # as in a file: see l2tpv3.config.nesting


def parse_table(data: bytes) -> dict[str, Any]:
    """A JSON object: no key twice, no NaN, nothing nested deeply. Raises MalformedError, BodyError."""
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_once,
            parse_int=_whole_number,
            parse_float=_number,
            parse_constant=_no_number,
        )
    except _TwiceError as error:
        raise BodyError("body", str(error), "write each key once", [Fault((), str(error))]) from None
    except UnicodeDecodeError:
        raise MalformedError("body", "not UTF-8", "JSON is sent as UTF-8") from None
    except RecursionError:
        raise _nested() from None
    except ValueError as error:
        raise MalformedError("body", f"not JSON: {str(error)[:_QUOTED_MAX]}", "send a JSON object") from None
    if not isinstance(value, dict):
        problem = "not an object"
        raise BodyError("body", problem, "send a JSON object of words and values", [Fault((), problem)])
    _check_levels(value)
    return value


def _check_levels(value: dict[str, Any]) -> None:
    """Raise MalformedError where objects and arrays are in one another beyond what could be meant."""
    level: list[Any] = [value]
    for _ in range(_LEVELS_MAX):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _nested()


def _nested() -> MalformedError:
    return MalformedError(
        "body", "nested too deeply", "tunnel, its name, session, its name, a word is the deepest there is"
    )


class _TwiceError(Exception):
    """A key stands twice in one object: which of them counts differs from program to program."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        again = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _TwiceError(f"the key {again[:80]!r} is given twice")
    return table


def _whole_number(text: str) -> int:
    """The time that int() takes grows with the square of the digits, and its refusal speaks of Python's settings."""
    if len(text) > _DIGITS_MAX:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    """JSON has one kind of number: 1400.0 and 14e2 are whole ones."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
