"""What the documentation says of this repository's own files."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_PATH = re.compile(r"`(?!l2tpv3/\w+/v\d`|[^`]*NAME)((?:l2tpv3|api|tests|docs|bench|netns-lab|systemd)/[\w./-]+)`")
"""A file or folder between backquotes. Not the name of a JSON schema (l2tpv3/status/v1), nor a path with NAME in it."""


def test_each_file_that_a_page_names_is_there() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    missing = [
        f"{page.name}: {path}" for page in pages for path in _PATH.findall(page.read_text()) if _is_missing(path)
    ]
    assert not missing


def test_a_missing_file_is_noticed() -> None:
    assert _is_missing("l2tpv3/nowhere.py") and not _is_missing("l2tpv3/errors.py")


def _is_missing(path: str) -> bool:
    return not (ROOT / path).exists()


def test_the_tables_of_keys_are_what_the_fields_say() -> None:
    loader = importlib.machinery.SourceFileLoader("make_tables", str(ROOT / "docs" / "tables"))
    spec = importlib.util.spec_from_loader("make_tables", loader)
    assert spec is not None
    tables = importlib.util.module_from_spec(spec)
    loader.exec_module(tables)
    assert (ROOT / "docs" / "files.md").read_text() == tables.page(), "run docs/tables, then docs/man/make"
