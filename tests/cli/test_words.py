"""Words that people try: other programs' names of commands, several names at once, slips in names, JSON anywhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from l2tpv3.cli.typed import Typed
from tests.cli.command_line import CommandLine


def test_the_status_by_any_name(siteb: CommandLine) -> None:
    for line in ("show", "status", "ls", "list"):
        assert siteb.ok(line).out == siteb.ok("").out != ""
        assert siteb.ok(f"{line} --json").json == siteb.ok("--json").json
        assert siteb.ok(f"{line} siteb").out.startswith("tunnel siteb\n")


@pytest.mark.parametrize("group", ["tunnel", "session", "link"])
def test_a_group_alone_is_its_list(siteb: CommandLine, group: str) -> None:
    if group == "link":
        siteb.ok("link add br1 --type bridge --over eth1")
    shown = siteb.ok(f"{group} show")
    for line in (group, f"{group} list", f"{group} ls"):
        assert siteb.ok(line) == shown
    for line in (f"-j {group}", f"{group} -j", f"--json {group} list", f"{group} --json show"):
        assert siteb.ok(line).json == siteb.ok(f"{group} show --json").json


def test_the_version(siteb: CommandLine) -> None:
    assert siteb.ok("version").out == siteb.ok("--version").out == siteb.ok("-j version").out
    assert siteb.ok("version").out.startswith("l2tpctl ")


def test_help_is_a_word_too(siteb: CommandLine) -> None:
    for command in ("", "tunnel", "tunnel add", "session stats", "plan", "ip-l2tp"):
        assert siteb.ok(f"help {command}").out == siteb.ok(f"{command} --help").out
    assert siteb("help bogus").code == 1


TYPED: dict[str, tuple[str, bool]] = {
    "": ("", False),
    "--json": ("--json", True),
    "-j": ("--json", True),
    "-j tunnel show": ("tunnel show --json", True),
    "--host x -j tunnel": ("--host x tunnel show --json", True),
    "--host -j tunnel": ("--host -j tunnel show", False),
    "tunnel -j show siteb": ("tunnel show --json siteb", True),
    "tunnel show siteb -j": ("tunnel show siteb -j", True),
    "tunnel show -- -j": ("tunnel show -- -j", False),
    "tunnel --help": ("tunnel --help", False),
    "-j ip-l2tp show tunnel": ("-j ip-l2tp show tunnel", False),
    "ip-l2tp -j": ("ip-l2tp -j", False),
    "help": ("--help", False),
    "version": ("--version", False),
    "--bogus": ("--bogus", False),
    "-- tunnel": ("-- tunnel", False),
}


@pytest.mark.parametrize("line", TYPED)
def test_how_it_is_taken(line: str) -> None:
    typed = Typed.of(line.split())
    assert (" ".join(typed.argv), typed.json) == TYPED[line]


def test_errors_are_json_wherever_it_stands(siteb: CommandLine) -> None:
    for line in ("-j tunnel show nosuch", "tunnel show nosuch -j", "-j tunnel add", "-j plan -f /no"):
        result = siteb(line)
        assert result.code and json.loads(result.err)["schema"] == "l2tpv3/error/v1"


def test_json_of_what_has_none_is_refused(siteb: CommandLine) -> None:
    for line in ("-j ip-l2tp show tunnel", "-j peer siteb"):
        assert siteb(line).code == 1


def test_several_are_deleted_at_once_or_none(siteb: CommandLine) -> None:
    siteb.ok("session add siteb voice")
    siteb.ok("tunnel add sitec --remote 127.0.0.3 --local-port 1702")
    siteb.ok("link add br1 --type bridge --over eth1")
    siteb.ok("link add br2 --type bridge --over eth2")
    for line, left in (
        ("session del siteb lan nosuch", 2),
        ("session remove siteb lan voice lan", 0),
        ("tunnel del siteb nosuch", 2),
        ("tunnel remove siteb sitec", 0),
        ("link rm br1 nosuch", 2),
        ("link delete br1 br2", 0),
    ):
        result, kind = siteb(line), line.split()[0]
        assert result.code == (3 if left else 0), result
        documents: dict[str, Any] = siteb.ok(f"{kind} show --json").json
        assert len(documents[f"{kind}s"]) == left


SLIPS = [
    ("tunnel show steib", "siteb"),
    ("tunnel show SiteB", "siteb"),
    ("tunnel set sietb --id 7", "siteb"),
    ("tunnel del site", "siteb"),
    ("session show siteb lna", "lan"),
    ("session show sitbe lan", "siteb"),
    ("session set siteb LAN --mtu 1300", "lan"),
    ("session add sitb x", "siteb"),
    ("session del siteb lann", "lan"),
    ("session stats siteb la", "lan"),
    ("restore sitb", "siteb"),
    ("peer sitbe", "siteb"),
    ("export sitebb", "siteb"),
    ("link show brr1", "br1"),
    ("link set rb1 --stp on", "br1"),
    ("link del br11", "br1"),
    ("restore link br2", "br1"),
]


def test_slips_in_names_are_noticed(siteb: CommandLine) -> None:
    siteb.ok("link add br1 --type bridge --over eth1")
    for line, meant in SLIPS:
        result = siteb(line)
        assert result.code == 3 and f"did you mean {meant}? " in result.err, result


def test_a_name_like_no_other_has_no_suggestion(siteb: CommandLine) -> None:
    assert "did you mean" not in siteb("tunnel show qqq").err


FILTERS: list[tuple[str, list[str]]] = [
    ("tunnel show 'site?'", ["siteb", "sitec"]),
    ("tunnel show '*c'", ["sitec"]),
    ("tunnel show --condition up", ["siteb", "sitec"]),
    ("tunnel show --condition down", []),
    ("session show 'site*' 'l*'", ["lan"]),
    ("session show siteb --condition down", ["off"]),
    ("session show siteb lan --condition down", []),
    ("session stats 'siteb' 'o*'", ["off"]),
    ("link show 'br*' --condition up", ["br1"]),
    ("link show --condition missing", []),
]


def test_filters(siteb: CommandLine) -> None:
    siteb.ok("session add siteb off --down")
    siteb.ok("tunnel add sitec --remote 127.0.0.3 --local-port 1702")
    siteb.ok("link add br1 --type bridge --over eth1")
    for line, shown in FILTERS:
        (found,) = (found for found in siteb.ok(f"{line} --json").json.values() if isinstance(found, list))
        assert [one["name"] for one in found] == shown
        text = siteb.ok(line)
        assert bool(text.out) == bool(shown) and bool(text.err) != bool(shown)
        if " stats " not in line:
            brief = siteb.ok(f"{line} --brief").out
            assert len(brief.splitlines()) == (len(shown) + 1 if shown else 0)


def test_a_pattern_that_matches_nothing(siteb: CommandLine) -> None:
    for line in ("tunnel show 'x*'", "session show 'x*'", "session show siteb 'x*'", "link show 'x*'"):
        assert siteb(line).code == 3


def test_what_is_no_condition(siteb: CommandLine) -> None:
    for line in (
        "--condition bogus",
        "status --condition bogus",
        "tunnel show --condition UP",
        "link ls --condition x",
    ):
        assert siteb(line).code == 1


def test_the_status_in_brief(siteb: CommandLine) -> None:
    siteb.ok("session add siteb off --down")
    for line in ("--brief", "status --brief"):
        assert siteb.ok(line).out.splitlines()[1].split() == [
            *("siteb", "up", "-", "127.0.0.2", "2:", "1", "up,", "1", "down"),
        ]
    only = siteb.ok("--condition down").out
    assert "off" in only and "lan" not in only
    assert siteb.ok("--condition missing").err == "nothing is missing\n"
    assert siteb("--brief tunnel show").code == 1
    assert siteb.ok("tunnel show siteb --brief").out.splitlines()[-1].split() == [
        "sessions",
        "2:",
        "1",
        "up,",
        "1",
        "down",
    ]
