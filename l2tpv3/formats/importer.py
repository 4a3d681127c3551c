"""Imports tunnels from the files of any other tool that is known."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from l2tpv3.config.document import FILE_MAX
from l2tpv3.config.problem import ConfigError, Problem
from l2tpv3.errors import InvalidValueError
from l2tpv3.formats.draft import Warnings, finish
from l2tpv3.formats.names import IMPORT_FORMATS
from l2tpv3.formats.recognise import recognise
from l2tpv3.linux.read_file import read_file
from l2tpv3.model.desired import Desired

_MODULES = {
    "iproute2": "iproute2.script",
    "networkd": "networkd.import_",
    "vyos": "vyos.import_",
    "ql2tpd": "ql2tpd.import_",
    "openwrt": "openwrt",
    "routeros": "routeros.import_",
}


def import_files(
    format_: str, paths: Iterable[str | os.PathLike[str]], *, warn: Callable[[Problem], None] | None = None
) -> list[Desired]:
    """The tunnels of files, and the bridges over them, read as one: networkd's files belong together.

    format_: one of IMPORT_FORMATS. Raises ConfigError with all that is wrong; `warn` is called with what is only left
    out, when nothing is. What the files leave to their tool's defaults is stated: no cookies, for instance.
    """
    texts: list[tuple[Path, str]] = []
    problems = []
    for file in dict.fromkeys(Path(path) for path in paths):
        try:
            text = read_file(file, FILE_MAX).decode("utf-8-sig")  # some editors begin with a byte order mark
            texts.append((file, text))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            problems.append(Problem(file, 0, "", f"can't read it: {reason}", "give a readable text file"))
    if problems:
        raise ConfigError(problems)
    return import_texts(format_, texts, warn=warn)


def import_from(
    format_: str, text: str, source: str | os.PathLike[str], *, warn: Callable[[Problem], None] | None = None
) -> list[Desired]:
    """Import one text, as import_files does files. source: the file that messages name; it is not read.

    Raises what that does.
    """
    return import_texts(format_, [(Path(source), text)], warn=warn)


def import_texts(
    format_: str, texts: list[tuple[Path, str]], *, warn: Callable[[Problem], None] | None = None
) -> list[Desired]:
    """Import texts, as import_files does files. Each has the file that messages name; no file is read.

    Raises InvalidValueError for an unknown format or no text, ConfigError with all problems of the texts.
    """
    if format_ not in IMPORT_FORMATS:
        raise InvalidValueError("--from", f"{format_!r} is unknown", f"give one of {', '.join(IMPORT_FORMATS)}")
    if not texts:
        raise InvalidValueError("import", "no file is given", "name one")
    complaints = Warnings()
    drafts = import_module(f"l2tpv3.formats.{_MODULES[format_]}").read(texts, complaints)
    if not drafts:
        for file, text in texts:
            if found := recognise(text, format_):
                raise ConfigError([Problem(file, 0, "", *found)])  # what else was complained of follows from it
    return finish(drafts, complaints, [file for file, _ in texts], warn)
