"""Wanted tunnels and links as the JSON of a file of them, and back: cookies as hex digits, in clear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from l2tpv3.documents.link import known_link_words
from l2tpv3.documents.names import to_words
from l2tpv3.model import ids
from l2tpv3.model.desired import Desired, DesiredLink, DesiredSession, DesiredTunnel
from l2tpv3.model.spec import SESSION_FIELDS
from l2tpv3.model.values import TUNNEL_FIELDS


def state_to_json(wanted: Iterable[Desired]) -> dict[str, Any]:
    """The document that a TOML file of these is read as (l2tpv3.config.toml_writer.dump), JSON-ready."""
    document: dict[str, Any] = {"tunnel": {}}
    for one in wanted:
        words = _json_words(one.words)
        if isinstance(one, DesiredLink):
            document.setdefault("link", {})[one.name] = words
        else:
            sessions = {it.name: _json_words(it.words) for it in one.sessions}
            document["tunnel"][one.name] = words | ({"session": sessions} if sessions else {})
    return document


def state_from_json(document: Mapping[str, Any]) -> list[Desired]:
    """Read the document of a file (the inverse of state_to_json): cookies become bytes, the rest stays as it is.

    Raises InvalidValueError for a word or value that can't be meant.
    """
    found: list[Desired] = []
    for name, table in document.get("tunnel", {}).items():
        sessions = tuple(
            DesiredSession(name=one, words=_stated_session(words)) for one, words in table.get("session", {}).items()
        )
        stated = to_words(table)
        words = {word: stated[word] for word in TUNNEL_FIELDS if word in stated}
        found.append(DesiredTunnel(name=name, words=words, sessions=sessions))
    for name, table in document.get("link", {}).items():
        found.append(DesiredLink(name=name, words=known_link_words(table)))
    return found


def _json_words(words: Mapping[str, Any]) -> dict[str, Any]:
    stated = {word: value for word, value in words.items() if value is not None}
    return {word: ids.format_cookie(value) if isinstance(value, bytes) else value for word, value in stated.items()}


def _stated_session(sent: Mapping[str, Any]) -> dict[str, Any]:
    table = to_words(sent)
    words = {word: table[word] for word in SESSION_FIELDS if word in table}
    return words | {word: ids.parse_cookie(words[word], word) for word in ("tx-cookie", "rx-cookie") if word in words}
