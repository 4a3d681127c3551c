"""No function decides so much that a reader loses the thread: 15 ways through it at most, as radon counts them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST = 15
ALLOWED: dict[str, str] = {}
"""`package/module.py:function` that may have more, and the figure that was measured for it."""

radon = pytest.importorskip("radon.complexity", reason="radon is missing: `pip install -e .[test]`")


def _too_complex() -> Iterator[str]:
    for folder in ("l2tpv3", "api"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for block in radon.cc_visit(path.read_text()):
                if block.letter in "FM" and block.complexity > MOST:  # a class is no more than its methods
                    yield f"{path.relative_to(ROOT)}:{block.fullname}"


def test_no_function_has_more_than_fifteen_ways_through_it() -> None:
    assert set(_too_complex()) == set(ALLOWED)
