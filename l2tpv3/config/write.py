"""Wanted tunnels as a file, cookies in clear: the inverse of load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from l2tpv3 import ids
from l2tpv3.source import format_path, format_text
from l2tpv3.spec import SessionSpec, TunnelSpec
from l2tpv3.wanted import WantedTunnel

Pair = tuple[TunnelSpec, Sequence[SessionSpec]]
"""A tunnel with its sessions, as they are on record."""


def dump(tunnels: Iterable[WantedTunnel | Pair]) -> str:
    """TOML that `load` reads as the same tunnels, in their order; words in spec.py's.

    A pair is stated in full, whatever is chosen when it is not given included (see wanted.py). Cookies are in it:
    whoever writes it to a file makes that file mode 0600.
    """
    return "\n".join(block for tunnel in tunnels for block in _blocks(tunnel))


def state_document(tunnels: Iterable[WantedTunnel]) -> dict[str, Any]:
    """What `dump` writes, as the JSON-ready document that its TOML is read as: cookies as hex digits, in clear."""
    return {
        "tunnel": {
            one.name: _json_words(one.words)
            | ({"session": {it.name: _json_words(it.words) for it in one.sessions}} if one.sessions else {})
            for one in tunnels
        }
    }


def _json_words(words: Mapping[str, Any]) -> dict[str, Any]:
    stated = {word: value for word, value in words.items() if value is not None}
    return {word: ids.format_cookie(value) if isinstance(value, bytes) else value for word, value in stated.items()}


def _blocks(tunnel: WantedTunnel | Pair) -> Iterator[str]:
    wanted = tunnel if isinstance(tunnel, WantedTunnel) else WantedTunnel.from_specs(*tunnel)
    yield _table(("tunnel", wanted.name), wanted.words)
    for session in wanted.sessions:
        yield _table(("tunnel", wanted.name, "session", session.name), session.words)


def _table(path: tuple[str, ...], words: Mapping[str, Any]) -> str:
    lines = [f"[{format_path(path)}]"]
    lines += (f"{word} = {_value(value)}" for word, value in words.items() if value is not None)
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        value = ids.format_cookie(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return format_text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    raise TypeError(f"a {type(value).__name__} is no value of a file")
