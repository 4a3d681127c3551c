"""`l2tpctl --version`, told without the tree of commands, which would take ten times as long to make."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def version_line() -> str:
    """What `--version` prints, without its newline."""
    try:
        return f"l2tpctl {version('l2tpv3')}"
    except PackageNotFoundError:
        return "l2tpctl, not installed: run from its source"
