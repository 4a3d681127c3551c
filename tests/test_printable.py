"""What others chose is shown such that a terminal obeys nothing of it, and a program reads the same."""

from __future__ import annotations

import json

import pytest

from l2tpv3.cli.output.table import pairs, table
from l2tpv3.config.problem import Problem
from l2tpv3.errors import L2tpError, RefusedError
from l2tpv3.metrics.host import labels
from l2tpv3.printable import printable, printable_json, printable_lines
from l2tpv3.store.actor import acting_for, caller

_NASTY = [
    "\x1b[31mred", "bell\a", "\x9b31m", "\x7f", "a\nforged line", "\r", "\x00", "\u202egnp.exe", "\u2028", "\u200b",
    "x\udcff\udcfe", "\ud800", "\U000e0041", "\x85", "\t",
]  # fmt: skip


@pytest.mark.parametrize("nasty", _NASTY, ids=ascii)
def test_nothing_that_is_shown_has_a_character_that_does_not_print(nasty: str) -> None:
    assert printable(nasty).isprintable()
    assert str(RefusedError("netdev " + nasty, nasty, nasty)).isprintable()
    assert L2tpError(nasty, nasty, nasty).problem.isprintable()
    for shown in (table(["A"], [[nasty]]), pairs([("note", "a note " + nasty)])):
        assert all(line.isprintable() for line in shown.rstrip("\n").split("\n"))
    assert labels(ifname=nasty).isprintable()
    labels(ifname=nasty).encode()


@pytest.mark.parametrize("nasty", _NASTY, ids=ascii)
def test_json_says_the_same_and_is_safe_to_look_at(nasty: str) -> None:
    text = printable_json(json.dumps({"ifname": nasty, nasty: 1}, ensure_ascii=False, indent=2))
    assert json.loads(text) == {"ifname": nasty, nasty: 1}
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode()


def test_what_prints_stays_as_it_is() -> None:
    for text in ("plain", "Zürich → 東京", "it's \\x1b in words", ""):
        assert printable(text) == text
        assert printable_json(f'"{text}"') == f'"{text}"'
    assert printable("x\udcff\x1b") == r"x\xff\x1b"
    assert printable("\u202e") == r"\u202e"
    assert printable_lines("one\ntwo\x1b") == "one\ntwo\\x1b"


def test_a_problem_with_a_file_is_one_line() -> None:
    from pathlib import Path

    assert str(Problem(Path("a\x1b.toml"), 1, "k\a", "no \udcff", "")).isprintable()


@pytest.mark.parametrize("nasty", [f"{one}2026-01-01 10:00:00+00:00  root (uid 0)  - tunnel t" for one in _NASTY])
def test_the_environment_forges_no_line_of_the_audit_log(nasty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "\x00" not in nasty and "\ud800" not in nasty:  # which an environment can't have
        monkeypatch.setenv("SUDO_USER", nasty)
        monkeypatch.setenv("SUDO_UID", "1000")
        assert caller().isprintable()
        assert caller().endswith(" (uid 1000)")
        caller().encode()
        monkeypatch.setenv("SUDO_UID", nasty)
        assert caller().isprintable()
        assert len(caller()) < 2000
    with acting_for(nasty):
        assert caller().isprintable()


def test_a_long_user_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "x" * 100_000)
    assert len(caller()) < 300
