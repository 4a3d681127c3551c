"""What is free: the lowest first, gaps filled, given back."""

from __future__ import annotations

import pytest

from l2tpv3.errors import ConflictError
from l2tpv3.model.ids import ID_MAX
from l2tpv3.resolve.free_ids import FreeIfnames, FreeNumbers


def test_the_lowest_number_fills_gaps() -> None:
    numbers = FreeNumbers({1, 2, 4})
    found = []
    for _ in range(3):
        found.append(numbers.lowest("--id"))
        numbers.take(found[-1])
    assert found == [3, 5, 6]
    numbers.give_back(2)
    assert numbers.lowest("--id") == 2


def test_what_two_have_is_free_when_both_have_given_it_back() -> None:
    numbers = FreeNumbers([1, 1])
    numbers.give_back(1)
    assert numbers.lowest("--id") == 2
    numbers.give_back(1)
    assert numbers.lowest("--id") == 1


def test_what_is_taken_elsewhere_may_become_free() -> None:
    numbers = FreeNumbers([2])
    assert numbers.lowest("--id", {1}) == 3
    numbers.look_again(1)
    assert numbers.lowest("--id") == 1


def test_that_every_number_is_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l2tpv3.resolve.free_ids.ID_MAX", 2)
    with pytest.raises(ConflictError, match="--id: every number is taken"):
        FreeNumbers([1, 2]).lowest("--id")
    assert ID_MAX > 2


def test_names_are_free_in_each_place_for_itself() -> None:
    names = FreeIfnames(["l2tpeth0"])
    assert names.lowest("here", [{"l2tpeth1", "l2tpeth3"}]) == "l2tpeth2"
    names.take("l2tpeth2")
    assert names.lowest("here", [{"l2tpeth1", "l2tpeth3"}]) == "l2tpeth4"
    assert names.lowest("there", [set(), {"l2tpeth3"}]) == "l2tpeth1"
