"""Writes a file for its owner alone, so that a crash leaves either the old content or the new one."""

from __future__ import annotations

import os
from pathlib import Path

from l2tpv3.errors import file_error


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file's content, mode 0600, and wait until it is on the disk (fsync(2)).

    Raises what file_error gives: NotPermittedError or RefusedError.
    """
    new = path.with_name(path.name + ".new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise file_error(path, "write this file", error) from error


def remove_durably(path: Path) -> None:
    """Remove a file, if it is there, and wait until that is on the disk. Raises what write_durably does."""
    try:
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        raise file_error(path, "remove this file", error) from error


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
