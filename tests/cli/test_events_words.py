"""What an event of a change says of it: what it was before, and what it is now."""

from __future__ import annotations

from typing import Any

from l2tpv3.cli.commands.events import _documents, _what_changed
from l2tpv3.watch.diff import ChangeDetector
from tests.cli.command_line import CommandLine


def test_a_change_says_what_changed(siteb: CommandLine) -> None:
    manager, history = siteb.manager, ChangeDetector()
    known: dict[tuple[str, ...], dict[str, Any]] = _documents(manager)

    def said() -> list[str]:
        events = history.happened(manager.tunnels(), manager.links.all())
        return [_what_changed(known, one) for one in events if one.data["change"] == "changed"]

    said()
    siteb.ok("session set siteb lan --mtu 1300")
    (words,) = said()
    assert "mtu 65473 → 1300" in words and "condition" not in words and words.startswith(" (")
    siteb.ok("session set siteb lan --down --mtu 1301")
    (words,) = said()
    assert "condition up → down" in words and "mtu 1300 → 1301" in words, "the last event is what comes before"
    siteb.ok("session add siteb more")
    assert said() == [" (session-count 1 → 2)"]
