"""Reads a link from a table. Its type says which words it may have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from l2tpv3.config.suggestions import unknown_key
from l2tpv3.errors import InvalidValueError
from l2tpv3.model.desired import DesiredLink
from l2tpv3.model.fields import link_fields
from l2tpv3.model.links.options import TYPES, LinkType, own_fields
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.source import Source
from l2tpv3.model.values import formatted, parse
from l2tpv3.value_class import value_class

Check = Callable[[str, object], None]
"""A check of any value. Raises InvalidValueError."""


class Note(Protocol):
    """Notes a problem with a key, and its remedy. clash: see Problem."""

    def __call__(self, source: Source, problem: str, remedy: str, *, clash: bool) -> None:
        """Note the problem."""


@value_class(frozen=True, slots=True)
class ReadLink:
    """A link from a file beside the spec that its words make: for what compares them."""

    wanted: DesiredLink
    spec: LinkSpec


class LinkTable:
    """One link's table. note: where problems go. check: what holds for any value."""

    def __init__(self, name: str, content: Mapping[str, object], source: Source, note: Note, check: Check) -> None:
        self._name, self._content, self._source = name, content, source
        self._note, self._check = note, check
        self._problems = 0

    def read(self) -> ReadLink | None:
        """The whole link; None when something is wrong with it, which is noted."""
        if "type" not in self._content:
            self._wrong(self._source, "type is missing", f"give one of {', '.join(LinkType)}")
            return None
        words = self.words(None)
        if self._problems:
            return None
        try:
            spec = LinkSpec.from_words({**words, "name": self._name})
        except InvalidValueError as error:
            given = error.field in self._content
            key = self._source.of(error.field) if given else self._source
            self._wrong(key, error.problem, error.remedy, clash=given or not error.field)
            return None
        return ReadLink(DesiredLink(name=self._name, words=words, source=self._source), spec)

    def words(self, type_: LinkType | None) -> dict[str, Any]:
        """The words that are good, in LinkSpec.to_words' form; the others are noted. type_: where none is given.

        Then a word that can be meant of another type clashes with this one.
        """
        stated = "type" in self._content
        if stated:
            type_ = self._type(self._content["type"])
        if type_ is None:
            return {}
        known = link_fields(type_)
        words: dict[str, Any] = {"type": str(type_)} if stated else {}
        for key, value in self._content.items():
            if key == "type":
                continue
            if key not in known:
                clash = not stated and bool(_types_with(key))
                self._wrong(self._source.of(key), *_unknown(key, type_, known), clash=clash)
                continue
            try:
                self._check(key, value)
                words[key] = formatted(known[key], parse(known[key], value, key, TYPES), TYPES)
            except InvalidValueError as error:
                clash = not stated and len(_types_with(key)) > 1
                self._wrong(self._source.of(key), error.problem, error.remedy, clash=clash)
        return words

    def _type(self, value: object) -> LinkType | None:
        try:
            return LinkType(value)  # type: ignore[arg-type] # a value of another kind is none of its values
        except ValueError:
            problem = f"{value!r} is no type of link" if isinstance(value, str) else "not text"
            self._wrong(self._source.of("type"), problem[:200], f"give one of {', '.join(LinkType)}")
            return None

    def _wrong(self, source: Source, problem: str, remedy: str, *, clash: bool = False) -> None:
        self._problems += 1
        self._note(source, problem, remedy, clash=clash)


def _unknown(key: str, type_: LinkType, known: Collection[str]) -> tuple[str, str]:
    if others := _types_with(key):
        return f"not a word of a {type_}", f"it belongs to a {' or '.join(others)}"
    return unknown_key(key, ["type", *known])


def _types_with(key: str) -> list[str]:
    return [str(other) for other in LinkType if key in own_fields(other)]
