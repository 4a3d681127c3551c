"""The rules of a network namespace's packet filter that drop packets or change them, as `nft list ruleset` has them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final, NamedTuple

from l2tpv3.linux.netns import inside
from l2tpv3.printable import printable

_PATH: Final = "/usr/sbin:/sbin"
_PATIENCE_S: Final = 5.0
_MOST: Final = 3
_COUNTED: Final = re.compile(r"counter packets (\d+) bytes \d+")
_REFUSES: Final = re.compile(r"\b(drop|reject)\b")
_CHANGES: Final = re.compile(r"\b(masquerade|snat|dnat|redirect)\b")
_HOOK: Final = re.compile(r"\bhook (\w+)")
IN: Final = frozenset({"ingress", "prerouting", "input"})
OUT: Final = frozenset({"output", "postrouting", "egress"})
"""The hooks that packets to this host, and those that it sends, pass by."""


class Rule(NamedTuple):
    """A rule, or the policy of a chain, that drops or changes packets. text: with its chain and that one's hook.

    hook: "" of a chain that only others call. changes: it changes addresses or ports (NAT), and drops nothing. packets:
    how many it has counted; None without a counter.
    """

    text: str
    hook: str
    changes: bool
    packets: int | None


def rules(netns: str | None, family: str = "") -> tuple[Rule, ...]:
    """The rules of a network namespace, or of one family of its tables. Raises OSError, L2tpError."""
    program = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{_PATH}")
    if program is None:
        raise FileNotFoundError(2, "`nft` is not installed")
    with inside(netns):
        try:
            done = subprocess.run(
                [program, "list", "ruleset", *([family] if family else [])],
                capture_output=True, check=False, text=True, errors="replace", timeout=_PATIENCE_S,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise OSError(f"`nft list ruleset` did not end within {_PATIENCE_S:g} s") from error
    return tuple(read_rules(done.stdout))


def read_rules(ruleset: str) -> Iterator[Rule]:
    """Take apart what `nft list ruleset` prints."""
    table = chain = hook = ""
    for line in map(str.strip, ruleset.splitlines()):
        if line.startswith("table "):
            table = line.rstrip(" {")
        elif line.startswith("chain "):
            chain, hook = line.rstrip(" {"), ""
        elif (found := _HOOK.search(line)) is not None and line.startswith("type "):
            hook = found.group(1)
            if "policy drop" in line:
                yield Rule(_text(table, chain, line), hook, changes=False, packets=None)
        elif _REFUSES.search(line) or _CHANGES.search(line):
            counted = _COUNTED.search(line)
            packets = int(counted.group(1)) if counted is not None else None
            yield Rule(_text(table, chain, line), hook, not _REFUSES.search(line), packets)


def _text(table: str, chain: str, line: str) -> str:
    return printable(f"nft, {table}, {chain}: {line}")


def suspects(netns: str | None, hooks: frozenset[str]) -> tuple[str, ...]:
    """Lines about rules that may have dropped packets at these hooks, or what was tried to find them.

    Those that have counted something come first; else those without a counter.
    """
    try:
        found = rules(netns)
    except OSError as error:
        return (f"the rules were not looked at: {error.strerror or error}",)
    near = [one for one in found if not one.changes and (one.hook in hooks or not one.hook)]
    counted = [one.text for one in near if one.packets]
    candidates = [f"may be: {one.text}" for one in near if one.packets is None]
    lines = (*counted[:_MOST], *candidates[:_MOST])
    return lines or ("`nft list ruleset` has no rule that drops on this way",)


def counted_drops(netns: str | None, family: str) -> dict[str, int]:
    """By rule that drops, and has a counter, of tables of a family: its text without the numbers, what it has counted.

    Nothing where the rules can't be read. Raises L2tpError where the network namespace is not there.
    """
    try:
        found = rules(netns, family)
    except OSError:
        return {}
    return {
        _COUNTED.sub("counter", one.text): one.packets for one in found if not one.changes and one.packets is not None
    }


def changing(netns: str | None, port: int) -> tuple[str, ...]:
    """Lines about rules of NAT that name this UDP port; none where it can't be told."""
    try:
        found = rules(netns)
    except OSError:
        return ()
    return tuple(one.text for one in found if one.changes and re.search(rf"\b{port}\b", one.text))[:_MOST]
