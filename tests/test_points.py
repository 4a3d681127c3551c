"""What one run leaves out, the next ones try."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.points import IN_THE_GUEST_OF, in_turn, sample


@pytest.fixture(autouse=True)
def _usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("L2TPV3_TEST_FULL", raising=False)


@pytest.mark.parametrize(("number", "size"), [(2400, 6), (100, 2), (7, 6), (5, 2), (1, 3)])
def test_every_point_is_tried_in_turn(number: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: set[int] = set()
    for rotation in range(max(1, number // size)):
        monkeypatch.setenv("L2TPV3_TEST_ROTATION", str(rotation))
        points = sample(number, size)
        assert 0 < len(points) <= 2 * size
        tried.update(points)
    assert tried == set(range(1, number + 1))


def test_everything_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    for rotation in range(3):
        monkeypatch.setenv("L2TPV3_TEST_ROTATION", str(rotation))
        tried += in_turn("abcdefg", of=3)
    assert sorted(tried) == list("abcdefg")


def test_files_of_which_a_part_is_tried_in_the_guest_are_there() -> None:
    root = Path(__file__).parents[1]
    assert [path for path in IN_THE_GUEST_OF if not (root / path).is_file()] == []


def test_a_full_run_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L2TPV3_TEST_FULL", "1")
    assert list(sample(9, 2)) == list(range(1, 10))
    assert in_turn("abc", of=3) == list("abc")
