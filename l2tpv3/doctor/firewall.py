"""What a local firewall's counters tell of packets that it dropped, where `nft` is there to list them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import Final

from l2tpv3.linux.netns import inside
from l2tpv3.printable import printable

_PATH: Final = "/usr/sbin:/sbin"
_PATIENCE_S: Final = 5.0
_MOST: Final = 3
_COUNTED: Final = re.compile(r"counter packets ([1-9]\d*) bytes \d+")


def dropping_rules(netns: str | None) -> tuple[str, ...]:
    """Lines about rules of a network namespace that have dropped packets, or what was tried to find them."""
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{_PATH}")
    if program is None:
        return ("the rules were not looked at: `nft` is not installed",)
    try:
        with inside(netns):
            done = subprocess.run(
                [program, "list", "ruleset"],
                capture_output=True, check=False, text=True, errors="replace", timeout=_PATIENCE_S,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return (f"the rules were not looked at: `nft list ruleset` failed: {error}",)
    return dropping_lines(done.stdout) or ("`nft list ruleset` has no rule that counts what it drops",)


def dropping_lines(ruleset: str) -> tuple[str, ...]:
    """Of what `nft list ruleset` prints, the rules that counted packets and drop or refuse them, and such policies."""
    found: list[str] = []
    chain = ""
    for line in map(str.strip, ruleset.splitlines()):
        if line.startswith(("table ", "chain ")):
            chain = line.rstrip(" {")
        refuses = re.search(r"\b(drop|reject)\b", line)
        hooked = "hook input" in line or "hook prerouting" in line or "hook output" in line
        if refuses and (_COUNTED.search(line) or ("policy drop" in line and hooked)):
            found.append(printable(f"nft, {chain}: {line}"))
    return tuple(found[:_MOST])
