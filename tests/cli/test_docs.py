"""The reference page knows every option and every field."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from l2tpv3.cli.app import command as root_command
from l2tpv3.documents.schemas import ERROR_SCHEMA, LINKS_SCHEMA, STATS_SCHEMA, STATUS_SCHEMA, TOKENS_SCHEMA, json_schema
from l2tpv3.model.fields import TYPE
from tests.cli.test_help import OPTIONS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "l2tpctl.md").read_text()
LINKS = (DOCS / "links.md").read_text()


@pytest.mark.parametrize("command", OPTIONS)
def test_commands_and_options(command: str) -> None:
    assert f"l2tpctl {command}".rstrip() in PAGE
    assert [option for option in OPTIONS[command].split() if option not in PAGE and option != "--version"] == []


@pytest.mark.parametrize(
    "schema",
    [STATUS_SCHEMA, STATS_SCHEMA, ERROR_SCHEMA, TOKENS_SCHEMA, LINKS_SCHEMA],
)
def test_fields(schema: str) -> None:
    assert f"`{schema}`" in PAGE
    fields = {field for field in _fields(json_schema(schema)) if not field.endswith("_per_s")}
    assert sorted(field for field in fields if f"`{field}`" not in PAGE and f'"{field}"' not in PAGE) == []


@pytest.mark.parametrize("type_", TYPE.choices)
def test_each_type_of_link_has_its_section(type_: str) -> None:
    assert f"\n## {type_}\n" in LINKS and f"--type {type_}" in LINKS


@pytest.mark.parametrize("page", [*sorted(DOCS.glob("*.md")), DOCS.parent / "README.md"], ids=lambda page: page.name)
def test_each_command_that_a_page_shows_has_the_options_it_is_shown_with(page: Path) -> None:
    for words in _command_lines(page.read_text()):
        command: click.Command = root_command()
        known = set(_options(command))
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in known, f"{' '.join(words)}: no option {word}"
            elif isinstance(command, click.Group) and (inner := command.get_command(click.Context(command), word)):
                command = inner
                known |= set(_options(command))


def _command_lines(text: str) -> Iterator[list[str]]:
    """The words of each l2tpctl in a page's blocks that are typed as they stand, without what a pipe leads to."""
    fences = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    fenced = [block for language, block in fences if language in ("", "sh", "console")]
    indented = re.findall(r"^    site\w+# .*", text, re.MULTILINE)
    for block in (*fenced, *indented):
        for line in re.findall(r"\bl2tpctl ([^|;&>#\n]*)", block.replace("\\\n", " ")):
            yield shlex.split(line.replace("'", ""))


def _options(command: click.Command) -> list[str]:
    return [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]


def _fields(schema: Any) -> set[str]:
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties", {}))
    for part in [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), schema.get("items")]:
        found |= _fields(part)
    return found
