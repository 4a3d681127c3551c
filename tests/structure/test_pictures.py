"""The drawn pictures of the documentation: they are what their scripts draw."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def _script(name: str) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader(f"draw_{name}", str(IMAGES / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_picture_of_the_packages_is_what_the_imports_are() -> None:
    packages = _script("packages")
    drawn = packages.Picture(packages.read_imports()).svg()
    assert (IMAGES / "packages.svg").read_text() == drawn, "run docs/images/packages: a package imports something else"


def test_what_follows_from_other_imports_is_not_drawn() -> None:
    packages = _script("packages")
    imports = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}
    assert packages.heights(imports) == {"a": 2, "b": 1, "c": 0}
    assert packages.without_shortcuts(imports) == {"a": {"b"}, "b": {"c"}, "c": set()}
    with pytest.raises(ValueError, match="circle: a, b"):
        packages.heights({"a": {"b"}, "b": {"a"}})
