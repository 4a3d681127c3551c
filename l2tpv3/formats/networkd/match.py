"""Which netdevs a .network file applies to: systemd.network(5), "[MATCH] SECTION OPTIONS".

Source of the rules for lists of names: systemd's src/shared/netif-util.c and src/libsystemd/sd-device,
net_condition_test_strv(): `!` before a list inverts it; a list of inverted patterns alone matches all other names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase

GLOB = frozenset("*?[")
"""What makes a name a pattern (fnmatch(3))."""


def name_patterns(values: Iterable[str]) -> list[str]:
    """The patterns of all Name= (or Kind=) assignments: they add up, and an empty one takes back those before it."""
    patterns: list[str] = []
    for value in values:
        inverted = value.startswith("!")
        words = value.removeprefix("!").split()
        patterns = [*patterns, *(f"!{word}" if inverted else word for word in words)] if words else []
    return patterns


def matches(patterns: list[str], text: str | None) -> bool:
    """Whether a list of patterns holds for a netdev's name or kind. text: None where it has none."""
    if not patterns:
        return True
    matched = False
    for pattern in patterns:
        inverted = pattern.startswith("!")
        if text is not None and fnmatchcase(text, pattern.removeprefix("!")):
            if inverted:
                return False
            matched = True
    return matched or all(pattern.startswith("!") for pattern in patterns)


def match_section(settings: Collection[tuple[str, str]], ifname: str, kind: str | None) -> bool | str:
    """Whether a [Match] section holds for a netdev of ours; the key that nobody can decide here, where there is one.

    settings: its keys and values. kind: the netdev's (`ip -d link`); a session's has none. An empty section matches
    nothing, as networkd ignores such a file.
    """
    names = name_patterns(value for key, value in settings if key == "Name")
    kinds = name_patterns(value for key, value in settings if key == "Kind")
    others = [key for key, value in settings if value and key not in ("Name", "Kind")]
    if not names and not kinds and not others:
        return False
    if not matches(names, ifname) or not matches(kinds, kind):
        return False
    return others[0] if others else True
