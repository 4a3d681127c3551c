"""Optional packages: the command that installs them beside this installation."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit


def install_command(extra: str) -> str:
    """The command that installs the packages of an extra of pyproject.toml (`api`, `remote`, `scapy`).

    l2tpv3 is installed from its source, never by its name alone: a package index may have another program of that
    name. Where pip noted the source folder (direct_url.json, PEP 610) and it is still there, the command names it;
    else it has to be run in that folder.
    """
    folder = _source_folder()
    what = f"{folder}[{extra}]" if folder else f".[{extra}]"
    where = "" if folder else ", in the folder of l2tpv3's source,"
    # quoted in any case: the brackets are a pattern to zsh, and to bash where a file matches
    quoted = f"'{what}'" if "'" not in what else shlex.quote(what)
    return f"`{shlex.quote(sys.executable)} -m pip install {quoted}`{where}"


def _source_folder() -> Path | None:
    """The folder that this installation was made from, if it is known and still holds a pyproject.toml."""
    try:
        noted = json.loads(distribution("l2tpv3").read_text("direct_url.json") or "{}")
        url = urlsplit(noted.get("url", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return None
    folder = Path(unquote(url.path))
    return folder if url.scheme == "file" and (folder / "pyproject.toml").is_file() else None
