"""Pages of a list that may change between one page and the next: a cursor says what came last, not how many.

So what is there all the while is on exactly one page, whatever is added or removed meanwhile.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from l2tpv3.errors import InvalidValueError

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
CURSOR_MAX: Final = 1024
"""Characters."""

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
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def _read(cursor: str) -> Key:
    try:
        if len(cursor) > CURSOR_MAX:
            raise ValueError("too long")
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match json.loads(text):
            case [bool(foreign), str(one), str(two), str(three)]:
                return foreign, one, two, three
        raise ValueError("something else")
    except (ValueError, RecursionError):
        remedy = "give `next` of the page before, as it is"
        raise InvalidValueError("cursor", "not one that this service gave", remedy) from None
