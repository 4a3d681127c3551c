"""The words of the table of fields that a view of one thing has no line of its own for."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from l2tpv3.model.fields import Field
from l2tpv3.model.values import formatted


def other_words(fields: Iterable[Field], of: object, told: Collection[str]) -> list[tuple[str, Any]]:
    """Words and values, as they are typed, of a spec with these fields. told: the words that are said already."""
    return [(field.word, formatted(field, getattr(of, field.attribute))) for field in fields if field.word not in told]
