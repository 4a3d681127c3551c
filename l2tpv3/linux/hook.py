"""Hooks: programs of the administrator's that are run when something happens. They lie in one folder, which is root's.

Who may change a tunnel only names one of them: what can be run is for those to say who can write to that folder.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from l2tpv3.errors import L2tpError, MissingError, NotPermittedError, RefusedError, from_errno

_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def find_hook(folder: Path, name: str) -> Path:
    """The program of that name in the folder. Raises MissingError, NotPermittedError where others may have written it.

    name: that of a file, as model.ids.is_name has it.
    """
    path = folder / name
    for place, kind in ((folder, stat.S_ISDIR), (path, stat.S_ISREG)):
        try:
            found = place.stat()
        except FileNotFoundError as error:
            remedy = f"`install -D PROGRAM {path}` makes it"
            raise MissingError(f"hook {name}", f"there is no {place}", remedy) from error
        except OSError as error:
            raise from_errno(f"hook {name}", f"look at {place}", error.errno or 0) from error
        if not kind(found.st_mode):
            expected = "file" if place is path else "directory"
            raise RefusedError(f"hook {name}", f"{place} is no {expected}", "move it away, and put a program there")
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & _OTHERS_MAY_WRITE:
            remedy = f"`chown root {place} && chmod go-w {place}`, once you know what it does"
            raise NotPermittedError(f"hook {name}", f"others than root can write to {place}", remedy)
    if not found.st_mode & stat.S_IXUSR:
        raise NotPermittedError(f"hook {name}", f"{path} is not executable", f"`chmod +x {path}`")
    return path


def hook_problem(folder: Path, name: str) -> str:
    """Why the hook of that name can't be run, with what to do about it; "" where it can."""
    try:
        find_hook(folder, name)
    except L2tpError as error:
        return f"{error.problem}: {error.remedy}"
    return ""
