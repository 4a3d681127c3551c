"""The command that installs what an option needs: from the source folder, never by a name that anybody may register."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from l2tpv3 import optional_packages


def _noted(monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    monkeypatch.setattr(optional_packages, "distribution", lambda _: SimpleNamespace(read_text=lambda _: text))


@pytest.mark.parametrize("name", ["plain", "with space", "it's"])
def test_the_source_folder_is_named_where_it_is_known(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / name
    source.mkdir()
    (source / "pyproject.toml").touch()
    _noted(monkeypatch, json.dumps({"url": source.as_uri(), "dir_info": {}}))
    command = optional_packages.install_command("api")
    assert shlex.split(command.strip("`")) == [sys.executable, "-m", "pip", "install", f"{source}[api]"]


@pytest.mark.parametrize(
    "noted",
    [None, "", "{}", "[]", "nonsense", '{"url": "file:///nonexistent"}', '{"url": "https://example.net/x.whl"}'],
)
def test_else_the_command_is_for_the_source_folder(noted: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    _noted(monkeypatch, noted)
    command = optional_packages.install_command("remote")
    assert "-m pip install '.[remote]'`" in command and "folder of l2tpv3's source" in command


def test_no_text_installs_the_project_by_its_name_alone() -> None:
    root = Path(__file__).resolve().parents[1]
    texts = [root / "README.md", *(root / "docs").rglob("*.md"), *(root / "docs" / "man").glob("*.[1-9]")]
    texts += [*(root / "l2tpv3").rglob("*.py"), *(root / "api").rglob("*.py"), root / "docs" / "man" / "make"]
    by_name = re.compile(r"pip3? install\b[^`\n#]*[\"' ]l2tpv3\b")
    assert not [f"{path.name}: {found[0]}" for path in texts if (found := by_name.search(path.read_text()))]
