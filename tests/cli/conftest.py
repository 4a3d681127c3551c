"""Fixtures of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine


@pytest.fixture
def ctl(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """l2tpctl with nothing on record."""
    return CommandLine(tmp_path, capsys)


@pytest.fixture
def siteb(ctl: CommandLine) -> CommandLine:
    """l2tpctl with tunnel `siteb` (to 127.0.0.2, which needs no network) and session `lan` in it."""
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    ctl.ok("session add siteb lan --tx-cookie 0011223344556677 --rx-cookie 8899aabb")
    return ctl
