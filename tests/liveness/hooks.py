"""A hook that writes down what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest


def noting_hook(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make hook `note` below `folder`, and have it found there. Gives the file that it writes a line into each time."""
    hook, said = folder / "hooks" / "note", folder / "said"
    hook.parent.mkdir(mode=0o755)
    hook.write_text(f'#!/bin/sh\necho "$@" >>{said}\n')
    hook.chmod(0o755)
    monkeypatch.setenv("L2TPV3_CONFIG_DIR", str(folder))
    return said
