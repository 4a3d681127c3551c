"""An option for each word of each type of link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from l2tpv3.cli import completion, options
from l2tpv3.cli.parameters import Argument, Option
from l2tpv3.model.fields import LINK, LINK_TYPES, TYPE, Field

LinkName = Annotated[str, Argument(metavar="NAME", help="The link's name.", complete=completion.links)]
LinkNames = Annotated[list[str], Argument(metavar="NAME...", help="The links' names.", complete=completion.links)]
NewLink = Annotated[str, Argument(metavar="NAME", help="A name for the link, of your choice.")]
AnyLink = Annotated[
    str | None,
    Argument(metavar="NAME", help="Only this link; a pattern such as 'v*' does.", complete=completion.links),
]

_TYPE: dict[str, Any] = {"metavar": "TYPE", "complete": completion.choice(*TYPE.choices)}
Type = Annotated[str, Option("--type", help=TYPE.help, **_TYPE)]
MaybeType = Annotated[str | None, Option("--type", help="Make it another type, anew.", **_TYPE)]


def _option(word: str) -> Any:
    """The option of a word that some types have of their own; its help says which."""
    owners = {type_: field for type_, fields in LINK_TYPES.items() for field in fields if field.word == word}
    if len(owners) == 1:
        ((type_, field),) = owners.items()
        return options.option(field, help=f"{type_}: {field.help}")
    said = [f"{type_}: {_choices(field)}." for type_, field in owners.items()]
    first = next(iter(owners.values()))
    return options.option(replace(first, default=None), help=" ".join(said))


def _choices(field: Field) -> str:
    others = [one for one in field.choices if one != field.default]
    return ", ".join([f"{field.default} (default)", *others])


def _options() -> dict[str, Any]:
    found = {field.word: options.option(field) for field in LINK}
    own = dict.fromkeys(field.word for fields in LINK_TYPES.values() for field in fields)
    return found | {word: _option(word) for word in own}


OPTIONS: Mapping[str, Any] = _options()
"""The options of `link add` and `link set` by the word."""

with_words = options.with_options(OPTIONS)
"""A decorator: the command with an option for each word of a link, of whatever type."""


_UNSET = {field.word: (field.unset,) for field in LINK if field.type == "text"}
"""What takes a text back to its default: any other text is one that can be meant."""


def given(words: Mapping[str, Any]) -> dict[str, Any]:
    """The words that were given, for the host: option_name=value → "option-name": value."""
    return {
        word: ",".join(value) if isinstance(value, (list, tuple)) else value
        for word, value in options.given(words).items()
    }


def reset(words: Mapping[str, Any]) -> dict[str, Any]:
    """Give the words as `set` needs them: None, which resets a word to its default, instead of `none` or `auto`."""
    return {word: None if value in _UNSET.get(word, ("none", "auto")) else value for word, value in words.items()}
