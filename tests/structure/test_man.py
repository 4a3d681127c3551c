"""The manual pages: they say what the commands and the docs say, and render without a complaint."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

MAN = Path(__file__).resolve().parents[2] / "docs" / "man"
PAGES = sorted(MAN.glob("*.[58]"))


def test_the_pages_are_what_their_sources_make() -> None:
    loader = importlib.machinery.SourceFileLoader("make_man", str(MAN / "make"))
    spec = importlib.util.spec_from_loader("make_man", loader)
    assert spec is not None
    make = importlib.util.module_from_spec(spec)
    loader.exec_module(make)
    made = make.pages()
    assert sorted(made) == [page.name for page in PAGES]
    for page in PAGES:
        assert page.read_text() == made[page.name], f"run docs/man/make: {page.name} is out of date"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_renders_without_a_complaint(page: Path) -> None:
    tools = {
        "mandoc": ["-T", "lint", "-W", "warning"],
        "groff": ["-man", "-ww", "-z", "-Tutf8"],
    }
    found = {name: options for name, options in tools.items() if shutil.which(name)}
    if not found:
        pytest.skip("needs mandoc or groff")
    for name, options in found.items():
        done = subprocess.run([name, *options, page], check=False, capture_output=True, text=True)
        assert (done.stdout + done.stderr).strip() == ""
