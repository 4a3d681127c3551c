"""Reads files that a command names, to be sent with it: files of wanted state, and of the secrets that those name."""

from __future__ import annotations

import contextlib
import os
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from l2tpv3.config.document import FILE_MAX
from l2tpv3.config.nesting import too_deep
from l2tpv3.config.secrets import COOKIE, CREDENTIAL, credential_file
from l2tpv3.errors import InvalidValueError
from l2tpv3.linux.read_file import read_file, readable_by_all
from l2tpv3.linux.sent_files import SentFile
from l2tpv3.model.fields import SECRETS
from l2tpv3.model.ids import SECRET_FILE_MAX

_MOST = 1 << 16


def read_to_send(path: str | os.PathLike[str], limit_bytes: int = _MOST) -> SentFile:
    """A file as it is now. That it can't be read is for the far end to say, as it knows what it is about."""
    try:
        return SentFile(content=read_file(path, limit_bytes), readable_by_all=readable_by_all(path))
    except OSError as error:
        return SentFile(failure=(error.errno or 0, error.strerror or "it can't be read"))
    except ValueError:
        return SentFile(failure=(0, "not a file's name"))


def read_stated(paths: Iterable[str], *, secrets: bool = True) -> dict[str, SentFile]:
    """Files by the paths that reading them asks for. secrets: they are wanted state, and may name files of secrets."""
    found: dict[str, SentFile] = {}
    for text in paths:
        file = Path(text)
        found[str(file)] = sent = read_to_send(file, FILE_MAX)
        for path in _secret_files(file, sent) if secrets else ():
            found[str(path)] = read_to_send(path, SECRET_FILE_MAX)
    return found


def _secret_files(file: Path, sent: SentFile) -> Iterator[Path]:
    """The files that a file's secrets are in. What can't be read as TOML names none: the far end says what is wrong."""
    try:
        text = sent.content.decode("utf-8-sig")
        content = {} if too_deep(text) is not None else tomllib.loads(text)
    except (ValueError, RecursionError):
        return
    for value in _secrets(content):
        if value.startswith(CREDENTIAL):
            with contextlib.suppress(InvalidValueError):  # the far end says so
                yield credential_file(value.removeprefix(CREDENTIAL), COOKIE)
        elif value.startswith("@"):
            yield file.parent / value[1:]


def _secrets(table: object) -> Iterator[str]:
    """The texts of all keys, however deep, whose values are secrets."""
    if isinstance(table, list):
        for one in table:
            yield from _secrets(one)
    elif isinstance(table, dict):
        for key, value in table.items():
            if key in SECRETS and isinstance(value, str):
                yield value
            else:
                yield from _secrets(value)
