"""Files of desired tunnels, sessions and links: TOML with the command line's words. docs/files.md has the format."""

from __future__ import annotations

from pathlib import Path

from l2tpv3.config.load import DATAPATHS, config_files, load
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.config.toml_writer import dump
from l2tpv3.model.source import Source
from l2tpv3.paths import CONFIG_DIR

__all__ = [
    "CONFIG_DIR",
    "DATAPATHS",
    "ConfigError",
    "Problem",
    "Source",
    "config_files",
    "dump",
    "load",
    "schema_path",
]


def schema_path() -> Path:
    """The JSON schema of the format, for editors; it ships in the package."""
    return Path(__file__).parents[1] / "schemas" / "config.v1.json"
