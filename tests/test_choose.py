"""The quick look that spares unchanged sessions from being settled anew never spares one that would change."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from l2tpv3 import choose
from l2tpv3.spec import SessionSpec
from tests.test_plan import session_words


def _settle(words: dict[str, Any], old: SessionSpec | None) -> SessionSpec:
    return choose.settle_session("x", words, old, set, lambda _: set())


@given(session_words, session_words, st.booleans())
def test_what_is_settled_stays_what_it_is(before: dict[str, Any], words: dict[str, Any], again: bool) -> None:  # noqa: FBT001
    old = _settle(before, None)
    given_words = before if again else words
    if choose.is_settled(given_words, old):
        assert _settle(given_words, old) == old


@given(session_words)
def test_a_session_as_it_was_asked_for_is_settled(words: dict[str, Any]) -> None:
    words = {**words, "mtu": 1400}  # None on record is "auto" in words: that takes the longer way
    assert choose.is_settled(words, _settle(words, None))
