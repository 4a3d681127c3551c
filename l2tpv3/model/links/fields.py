"""The words of a link's type: a table from what a user types to the fields of that type's options, both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.fields import Choice, choice_parser, parse_switch
from l2tpv3.spelling import did_you_mean

Parse = Callable[[Any, str], Any]
"""From a value as typed or read from a file, and what it is called, to the field's value. Raises InvalidValueError."""

Format = Callable[[Any], Any]
"""From a field's value to what JSON and TOML can say."""


@dataclass(frozen=True, slots=True)
class Field:
    """One word. in_place: whether it changes while the link carries traffic; else the link is made anew."""

    field: str
    parse: Parse
    format: Format = lambda value: value
    in_place: bool = True


Words = Mapping[str, Field]
"""By the word, as it is typed: `forward-delay-ms`."""


def choice(kind: type[Choice], *, in_place: bool = True, field: str) -> Field:
    """One of an enumeration's values."""
    return Field(field, choice_parser(kind), str, in_place)


def number(field: str, low: int, high: int, *, unit: str = "", in_place: bool = True) -> Field:
    """A whole number within bounds, both included."""

    def parse(value: Any, what: str) -> int:
        text = str(value)
        if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise InvalidValueError(what, f"{value!r} is out of range", f"give {low} to {high}{unit and f' {unit}'}")
        return int(text)

    return Field(field, parse, in_place=in_place)


def switch(field: str) -> Field:
    """`on` or `off`, true or false."""
    return Field(field, parse_switch)


def texts(field: str, parse_one: Callable[[str, str], Any], *, in_place: bool = True) -> Field:
    """A list of texts; one text is a list of those that commas separate."""

    def parse(value: Any, what: str) -> tuple[Any, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
            raise InvalidValueError(what, f"{value!r} is not a list of texts", "separate them by commas")
        found = tuple(parse_one(item.strip(), what) for item in items if item.strip())
        if len(set(found)) < len(found):
            raise InvalidValueError(what, f"{value!r} names one twice", "name each once")
        return found

    return Field(field, parse, lambda value: [str(item) for item in value], in_place)


def fields(words: Mapping[str, Any], table: Words, what: str) -> dict[str, Any]:
    """The fields that the given words set. Unknown words are refused."""
    result = {}
    for word, value in words.items():
        if word not in table:
            remedy = did_you_mean(word, table, f"known are {', '.join(table)}")
            raise InvalidValueError(what, f"unknown key {word!r}", remedy)
        result[table[word].field] = table[word].parse(value, f"{what}: --{word}")
    return result
