"""Which of the capabilities that something takes (capabilities(7)) this process lacks, and what to do about it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

_NUMBERS: Final = {
    "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21, "CAP_BPF": 39,
}  # fmt: skip


def lacking(*names: str) -> list[str]:
    """The capabilities of these that are not in the effective set."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", text, re.MULTILINE)
    held = int(found[1], 16) if found else ~0
    return [name for name in names if not held >> _NUMBERS[name] & 1]


def remedy(*names: str) -> str:
    """The remedy for an error of a process that lacks these capabilities. Root is told which ones are lacking."""
    missing = lacking(*names)
    if os.geteuid():
        return f"run as root, or with {' and '.join(names)}"
    if missing:
        options = " ".join(f"--cap-add {name.removeprefix('CAP_')}" for name in missing)
        return f"root has no {' and no '.join(missing)} here: in a container, start it with {options}"
    return "a user namespace (a rootless container) does not permit it: do it on the host"
