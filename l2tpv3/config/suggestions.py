"""Suggests which key was meant by an unknown one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

_MEANT = {
    "peer": "remote",
    "sessions": "session",
    "tunnels": "tunnel",
    "sport": "local-port",
    "dport": "remote-port",
    "port": "local-port",
    "l2spec": "sublayer",
    "interface": "ifname",
    "addresses": "address",
    "cookie": "tx-cookie",
    "enabled": "up",
}
"""Other programs' words, and slips that look unlike what was meant."""

_COMPARED_MAX = 64  # characters: no word is as long, and comparing takes time in proportion


def unknown_key(key: str, known: Iterable[str], *, elsewhere: Collection[str] = (), whose: str = "") -> tuple[str, str]:
    """The problem and the remedy for `key` in a table that has the keys `known`.

    elsewhere: the keys of a `whose` table, where it may belong.
    """
    known = list(known)
    if key == "name":
        return "unknown key", "the name stands in the table's heading"
    text = key.lower().replace("_", "-")
    meant = _MEANT.get(text, text)
    if meant not in known and text in elsewhere:
        return "unknown key", f"it belongs to a {whose}"
    close = [meant] if meant in known else get_close_matches(text[:_COMPARED_MAX], known, n=1)
    if close:
        return "unknown key", f"did you mean {close[0]}?"
    return "unknown key", f"known are {', '.join(known)}"
