"""The drawn pictures of the documentation: they are what their scripts draw."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

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


def test_the_recording_of_the_demo_has_each_step_and_command() -> None:
    recorded = "".join(ElementTree.parse(IMAGES / "demo.svg").getroot().itertext())
    scenario = tomllib.loads((IMAGES.parents[1] / "netns-lab/scenarios/demo/scenario.toml").read_text())
    for step in scenario["steps"]:
        assert step["say"] in recorded, "run docs/images/demo: the demo is another one now"
        runs = step.get("run", [])
        for command in [runs] if isinstance(runs, str) else runs:
            fixed, *_ = command.partition(" {")
            assert fixed in recorded, "run docs/images/demo: the demo runs other commands now"
    count = len(scenario["steps"])
    assert f"demo: {count} of {count} steps as expected" in recorded


def test_a_recording_is_wrapped_and_coloured_as_in_the_terminal() -> None:
    demo = _script("demo")
    lines = demo.record([sys.executable, "-c", r"print('\x1b[32;1m<ok>\x1b[0m ' + 'x' * 120); print()"])
    drawn = ElementTree.fromstring(demo.draw(lines))
    rows = [list(one.itertext()) for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert rows == [["<ok>", " " + "x" * 111], ["x" * 9]]
    assert 'class="g b"' in demo.draw(lines)
    with pytest.raises(subprocess.CalledProcessError):
        demo.record(["false"])
