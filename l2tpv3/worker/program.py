"""Which program a worker runs: told by a digest of its source files, as they were when it started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - a worker does without pathlib
_PARTS: Final = (
    "worker",
    "datapath/user",
    "links/relay",
    "linux",
    "wire",
    "worker_process.py",
    "model/bfd_rules.py",
    "model/failover_rules.py",
)
"""The packages and modules of l2tpv3 that a worker imports from, but for what is values alone."""


def digest() -> str:
    """32 hex digits of the source files that workers are made from, as they are now.

    Files that can't be read count as empty: a worker must start with or without them.
    """
    import hashlib

    whole = hashlib.sha256()
    for name in sorted(_sources()):
        try:
            with open(f"{_PACKAGE}/{name}", "rb") as file:  # noqa: PTH123
                text = file.read()
        except OSError:
            text = b""
        whole.update(b"%s %d\n%s" % (name.encode(), len(text), text))
    return whole.hexdigest()[:32]


def _sources() -> Iterator[str]:
    """The paths of the source files, from the package's folder on."""
    for package in _PARTS:
        if package.endswith(".py"):
            yield package
        for folder, _, names in os.walk(f"{_PACKAGE}/{package}"):
            inner = folder.removeprefix(f"{_PACKAGE}/")
            yield from (f"{inner}/{name}" for name in names if name.endswith(".py"))
