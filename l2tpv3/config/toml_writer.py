"""Writes tunnels and links as a TOML file, cookies in clear: the inverse of load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from l2tpv3.model import ids
from l2tpv3.model.desired import Desired, DesiredLink, DesiredTunnel
from l2tpv3.model.source import format_path, format_text
from l2tpv3.model.spec import SessionSpec, TunnelSpec

Pair = tuple[TunnelSpec, Sequence[SessionSpec]]
"""A tunnel with its sessions, as they are on record."""


def dump(wanted: Iterable[Desired | Pair]) -> str:
    """TOML that `load` reads as the same tunnels and links, each in their order; words in spec.py's.

    A pair is stated in full, whatever is chosen when it is not given included (see model/desired.py). Cookies are in
    it: whoever writes it to a file makes that file mode 0600.
    """
    return "\n".join(block for one in wanted for block in _blocks(one))


def _blocks(one: Desired | Pair) -> Iterator[str]:
    if isinstance(one, DesiredLink):
        yield _table(("link", one.name), one.words)
        return
    wanted = one if isinstance(one, DesiredTunnel) else DesiredTunnel.from_specs(*one)
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
