"""Fixtures of the tests of other tools' words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine


@pytest.fixture
def ctl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """l2tpctl with nothing on record."""
    return CommandLine(tmp_path, capsys)
