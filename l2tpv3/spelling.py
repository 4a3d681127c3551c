"""Suggests names that somebody may have meant who typed one that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

_LENGTHS, _COMPARED = 5, 1000


def did_you_mean(name: str, known: Iterable[str], remedy: str) -> str:
    """`remedy`, behind the question whether the name most like `name` was meant, if one of `known` is like it.

    Two names are alike by difflib's measure (similar in 6 of 10 letters), or if they differ in upper and lower case.
    """
    from difflib import get_close_matches  # 10 ms, for errors alone

    # A name that is much longer or shorter is not alike, and of thousands that are left not all are compared.
    known = sorted({one for one in known if abs(len(one) - len(name)) <= _LENGTHS} - {name})[:_COMPARED]
    alike = [one for one in known if one.lower() == name.lower()] or get_close_matches(name, known, n=1)
    return f"did you mean {alike[0]}? {remedy}" if alike else remedy
