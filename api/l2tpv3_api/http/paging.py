"""Pages of a list that may change between one page and the next: a cursor says what came last, not how many.

So what is there all the while is on exactly one page, whatever is added or removed meanwhile.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar
from urllib.parse import quote, unquote

from l2tpv3.errors import InvalidValueError

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
CURSOR_MAX: Final = 1024
"""Characters."""
CURSOR: Final = "^[01](![A-Za-z0-9._~%/:-]{0,300}){3}$"
"""What a cursor looks like; what it means is this service's own business."""
_CURSOR: Final = re.compile(CURSOR[1:-1])
_PLAIN: Final = "/:"

T = TypeVar("T")
Key = tuple[bool, str, str, str]
"""What a list is sorted by: whether it is foreign, then names."""


class Page(Generic[T]):
    """A page: its items; `next` is the cursor of the one after it, None on the last."""

    def __init__(self, items: Sequence[T], next: str | None) -> None:
        self.items, self.next = items, next


def page(
    items: Sequence[T],
    key: Callable[[T], Key],
    limit: int,
    cursor: str | None,
    *,
    weight: Callable[[T], int] = lambda _: 0,
    weight_max: int = 0,
) -> Page[T]:
    """At most `limit` of `items`, which are sorted by `key`, after `cursor`. Raises InvalidValueError.

    A page ends early when the items' weights come to more than weight_max, but not before its first.
    """
    start = 0 if cursor is None else bisect_right(items, _read(cursor), key=key)
    end, total = start, 0
    while end < len(items) and end - start < limit:
        total += weight(items[end])
        if end > start and total > weight_max:
            break
        end += 1
    return Page(items[start:end], _write(key(items[end - 1])) if start < end < len(items) else None)


def _write(key: Key) -> str:
    foreign, *names = key
    return f"{foreign:d}" + "".join(f"!{quote(name, safe=_PLAIN)}" for name in names)


def _read(cursor: str) -> Key:
    """Read a place in a list. Any text of the right shape is one, whether something is there or not."""
    if not _CURSOR.fullmatch(cursor):
        remedy = "give `next` of the page before, as it is"
        raise InvalidValueError("cursor", "not one that this service gave", remedy)
    foreign, one, two, three = cursor.split("!")
    return foreign == "1", unquote(one), unquote(two), unquote(three)
