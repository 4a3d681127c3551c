"""The reference page knows every option and every field."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


def _fields(schema: Any) -> set[str]:
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties", {}))
    for part in [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values(), schema.get("items")]:
        found |= _fields(part)
    return found
