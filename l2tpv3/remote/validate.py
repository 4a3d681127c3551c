"""Parses and checks words before they are sent, so that wrong ones are reported as on the host itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2tpv3.model.ids import is_name
from l2tpv3.model.links.spec import LinkSpec
from l2tpv3.model.spec import SessionSpec, TunnelSpec, session_attributes, tunnel_attributes, unchecked, with_remote
from l2tpv3.model.values import with_remote_name

_IFNAME = "l2tpeth0"


def tunnel_words(name: str, words: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    """A tunnel's words as JSON has them. Raises InvalidValueError.

    new: it is to be made. Else None stays None, to reset a word, and what can be no name is for the service to judge:
    it may be that of something that was found.
    """
    words = with_remote_name(words)
    given = {word: value for word, value in words.items() if value is not None}
    fields = with_remote(tunnel_attributes({"name": name, **given}))
    spec = TunnelSpec(**fields) if new or is_name(name) else unchecked(TunnelSpec, **fields)
    return _as_json(given if new else words, spec.to_words())


def session_words(name: str, words: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    """A session's words as JSON has them, cookies in clear; see tunnel_words. Raises what that does."""
    given = {word: value for word, value in words.items() if value is not None}
    fields = session_attributes({"name": name, **given})
    fields.setdefault("ifname", _IFNAME)
    spec = SessionSpec(**fields) if new or is_name(name) else unchecked(SessionSpec, **fields)
    return _as_json(given if new else words, spec.to_words())


def link_words(name: str, words: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a link that is to be made, as JSON has them. Raises InvalidValueError."""
    given = {word: value for word, value in words.items() if value is not None}
    return _as_json(given, LinkSpec.from_words({**given, "name": name}).to_words())


def _as_json(words: Mapping[str, Any], parsed: Mapping[str, Any]) -> dict[str, Any]:
    return {word: None if value is None else parsed[word] for word, value in words.items()}
