"""Marks: by them a tunnel that was connected is told from any other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def mark_of(sessions: Iterable[tuple[str, bytes, bytes]]) -> str:
    """Give the mark of a tunnel with these sessions: a digest in hex digits, from which no cookie can be told.

    sessions: of each its name, the cookie that it sends, and the one that it expects. Cookies are random, so that one
    tunnel alone has this mark, at one end alone.
    """
    text = "\n".join(f"{name} {tx.hex()} {rx.hex()}" for name, tx, rx in sorted(sessions))
    return hashlib.sha256(f"l2tpv3 connection\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
