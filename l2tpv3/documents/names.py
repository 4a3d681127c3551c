"""The names that words have in the API's JSON: `local_port` for `local-port`, and true or false for on or off.

All of a document is spelled alike so, and what is wanted can be sent back as it was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from l2tpv3.errors import InvalidValueError
from l2tpv3.model import fields
from l2tpv3.model.fields import Field


def name_of(word: str) -> str:
    """The name of a word."""
    return word.replace("-", "_")


_FIELDS: Final[tuple[Field, ...]] = (
    *(*fields.TUNNEL, *fields.SESSION, *fields.LINK),
    *(field for own in fields.LINK_TYPES.values() for field in own),
)
WORDS: Final = {name_of(field.word): field.word for field in _FIELDS}
"""Every word of a tunnel, a session or a link by its name."""

_OF_WORDS: Final = frozenset({"wanted", "seen"})
"""The members of a document that hold words."""
_ON_OFF: Final = frozenset(field.word for field in _FIELDS if field.type == "on-off")


def to_names(words: Mapping[str, Any]) -> dict[str, Any]:
    """Words of a tunnel, session or link with their values, as the API's JSON has them."""
    return {name_of(word): value == "on" if word in _ON_OFF else value for word, value in words.items()}


def to_words(table: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse: a table by words. A key that is a word already, or that is unknown, stays as it is.

    Raises InvalidValueError where a word is there in both spellings.
    """
    for name in table:
        if WORDS.get(name, name) != name and WORDS[name] in table:
            raise InvalidValueError(name, f"is given as {WORDS[name]} too", "give it once")
    words = {WORDS.get(key, key): value for key, value in table.items()}
    for word in _ON_OFF & words.keys():
        if isinstance(words[word], bool):
            words[word] = "on" if words[word] else "off"
    return words


def document_to_names(document: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a tunnel, a session or a link, spelled alike: what is wanted and seen of it as all else in it.

    What is wanted of a port is then without what only netdevs have, as a request has it.
    """
    for key in _OF_WORDS & document.keys():
        if document[key] is not None:
            document[key] = to_names(document[key])
    if (document["wanted"] or {}).get("type") == "port":
        document["wanted"] = {name: one for name, one in document["wanted"].items() if name not in fields.NO_NETDEV}
    return document


def document_to_words(document: dict[str, Any]) -> dict[str, Any]:
    """The inverse, of what another host says. Raises InvalidValueError where a word is there in both spellings."""
    for key in _OF_WORDS & document.keys():
        if isinstance(document[key], dict):
            document[key] = to_words(document[key])
    return document


def place(path: Iterable[str | int], sent: Any) -> tuple[str | int, ...]:
    """A path of words as the keys are spelled in `sent`, the table that it leads into."""
    found: list[str | int] = []
    for part in path:
        inside = sent if isinstance(sent, Mapping) else {}
        key = part if part in inside or name_of(str(part)) not in inside else name_of(str(part))
        found.append(key)
        sent = inside.get(key)
    return tuple(found)


def state_to_names(document: Mapping[str, Any]) -> dict[str, Any]:
    """A whole state, shaped as a file is, as the API's JSON has it."""
    tunnels = {name: _tunnel_to_names(table) for name, table in document.get("tunnel", {}).items()}
    links = {name: to_names(table) for name, table in document.get("link", {}).items()}
    return {"tunnel": tunnels} | ({"link": links} if links else {})


def _tunnel_to_names(table: Mapping[str, Any]) -> dict[str, Any]:
    named = to_names(table)
    if "session" in table:
        named["session"] = {name: to_names(words) for name, words in table["session"].items()}
    return named


def state_to_words(table: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of state_to_names. What is of another shape stays as it is, for whoever reads it to refuse.

    As in what is told as wanted, null is a word that is left out, and a name is that which its table stands under;
    what a whole state makes is never transient.
    Raises InvalidValueError where a word is there in both spellings.
    """
    found = dict(table)
    if isinstance(tunnels := table.get("tunnel"), dict):
        found["tunnel"] = {name: _tunnel_to_words(name, one) for name, one in tunnels.items()}
    if isinstance(links := table.get("link"), dict):
        found["link"] = {name: _stated(name, one) for name, one in links.items()}
    return found


def _tunnel_to_words(name: str, table: Any) -> Any:
    words = _stated(name, table)
    if isinstance(words, dict) and isinstance(sessions := words.get("session"), dict):
        words["session"] = {name: _stated(name, one) for name, one in sessions.items()}
    return words


def _stated(name: str, table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    return {word: value for word, value in to_words(table).items() if not _says_nothing(name, word, value)}


def _says_nothing(name: str, word: str, value: Any) -> bool:
    if word == "name":
        return bool(value == name)
    if word == "transient":
        return value is None or value is False
    return value is None and name_of(word) in WORDS
