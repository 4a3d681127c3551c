"""What is shown fits the terminal, down to 80 columns and less; what is piped has every column."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from l2tpv3.cli.commands.session_stats import counters_table, rates_table
from l2tpv3.cli.output import width
from l2tpv3.cli.selection import find_sessions
from tests.cli.command_line import CommandLine

LOOKS = (
    "",
    "status --brief",
    "tunnel show",
    "tunnel show --brief",
    "tunnel show siteb",
    "tunnel show a-customer.with-a-long.name",
    "tunnel show siteb --brief",
    "session show",
    "session show siteb --brief",
    "session show siteb lan",
    "session stats",
    "link show",
    "link show --brief",
    "link show br1",
    "link stats",
)


def _terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """Have standard output be a terminal of so many columns, without colours."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture
def crowded(siteb: CommandLine) -> CommandLine:
    """Tunnels over IPv4 and IPv6, long names, many addresses, links, and things that are not there."""
    siteb.ok("session add siteb voice --address 10.123.123.1/24 --address 2001:db8:1111:2222:3333:4444:5555:6666/64")
    siteb.ok("session add siteb port --bridge br0 --ifname customer-4711-x --mtu 1500")
    if os.geteuid() == 0:  # the test's own network, which reaches nothing so far
        subprocess.run(["ip", "route", "replace", "2001:db8:1111:2222::/64", "dev", "lo"], check=True)
    name, v6 = "a-customer.with-a-long.name", "2001:db8:1111:2222:3333:4444:5555:7777"
    siteb.ok(f"tunnel add {name} --remote {v6} --local ::1 --id 4000000001 --transient")
    siteb.ok(f"session add {name} another-long.name-of-a-session --id 4000000002 --down --sequencing both")
    siteb.ok("link add br1 --type bridge --over eth1,eth2 --address 192.0.2.100/24 --address 2001:db8:aaaa:bbbb::1/64")
    siteb.manager.down()
    siteb.manager.restore("siteb")
    return siteb


@pytest.mark.parametrize("columns", [60, 80])
def test_nothing_is_wider_than_the_terminal(
    crowded: CommandLine, columns: int, monkeypatch: pytest.MonkeyPatch, here: None
) -> None:
    _terminal(monkeypatch, columns)
    for line in LOOKS:
        shown = crowded.ok(line).out
        assert shown and [one for one in shown.splitlines() if len(one) > columns] == [], shown
    sessions = find_sessions(crowded.manager, None, None)
    tables = [rates_table(sessions, sessions, 1.0, "12:34:56"), counters_table(sessions, columns)]
    assert [one for text in tables for one in text.splitlines() if len(one) > columns] == []


def test_ordinary_tables_stay_tables_in_80_columns(
    siteb: CommandLine, monkeypatch: pytest.MonkeyPatch, here: None
) -> None:
    whole = {line: siteb.ok(line).out for line in ("", "tunnel show", "session show")}
    _terminal(monkeypatch, 80)
    for line, text in whole.items():
        narrow = siteb.ok(line).out
        assert "CONDITION" in narrow and "siteb" in narrow
        assert len(text.splitlines()) <= len(narrow.splitlines()) <= len(text.splitlines()) + 2


def test_a_pipe_gets_every_column(crowded: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    assert "TX-COOKIE" in crowded.ok("session show").out and "no room" not in crowded.ok("tunnel show").out


def test_what_is_left_out_is_named_and_colours_take_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    _terminal(monkeypatch, 30)
    heads, rows = ("NAME", "CONDITION", "SPARE", "LAST"), [("x", "\x1b[32mup\x1b[0m", "a" * 12, "z")]
    text = width.fitted_table(heads, rows, spare=("SPARE",))
    assert text.splitlines()[0].split() == ["NAME", "CONDITION", "LAST"] and text.endswith("no room for: spare\n")
    blocks = width.fitted_table(heads, [("x" * 18, "up", "a", "z")] * 2, spare=("SPARE",))
    assert blocks.splitlines()[:2] == [f"name       {'x' * 18}", "condition  up"] and "\n\n" in blocks
    assert width.fitted_pairs([("note", "many words " * 5)]).splitlines()[1].startswith("      ")
