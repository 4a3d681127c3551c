"""Tables and secrets: nothing is cut, coloured where nobody asked for it, or told that should not be."""

from __future__ import annotations

import sys

import pytest

from l2tpv3.cli.output import table
from tests.cli.command_line import CommandLine

SECRETS = ("0011223344556677", "8899aabb")


@pytest.mark.parametrize(
    "line",
    ["", "tunnel show", "tunnel show siteb", "session show", "session show siteb", "session show siteb lan",
     "session stats"],
)  # fmt: skip
@pytest.mark.parametrize("option", ["", "--json"])
def test_cookies_are_masked(siteb: CommandLine, line: str, option: str) -> None:
    result = siteb.ok(f"{line} {option}")
    assert not [secret for secret in SECRETS if secret in result.out + result.err]


@pytest.mark.parametrize("line", ["tunnel show siteb", "session show", "session show siteb lan"])
@pytest.mark.parametrize("option", ["", "--json"])
def test_cookies_are_shown_when_asked_for(siteb: CommandLine, line: str, option: str) -> None:
    shown = siteb.ok(f"{line} --show-secrets {option}").out
    assert all(secret in shown for secret in SECRETS)


def test_add_does_not_print_cookies(ctl: CommandLine) -> None:
    ctl.ok("tunnel add siteb --remote 127.0.0.2")
    result = ctl.ok("session add siteb lan --json", *_cookies())
    assert not [secret for secret in SECRETS if secret in result.out + result.err]


def _cookies() -> list[str]:
    return ["--tx-cookie", SECRETS[0], "--rx-cookie", SECRETS[1]]


def test_bad_cookie_is_not_repeated_in_the_error(siteb: CommandLine) -> None:
    result = siteb("session add siteb lan2 --tx-cookie 00112233445566")
    assert result.code == 1
    assert "00112233445566" not in result.err


def test_long_names_are_not_cut(ctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    name = "n" * 63
    ctl.ok(f"tunnel add {name} --remote 127.0.0.2")
    ctl.ok(f"session add {name} {name} --ifname abcdefghijklmno --address 2001:db8:1111:2222:3333:4444:5555:6666/64")
    row = ctl.ok("session show").table[0]
    assert (row["TUNNEL"], row["NAME"], row["IFNAME"]) == (name, name, "abcdefghijklmno")
    assert row["ATTACHED"] == "2001:db8:1111:2222:3333:4444:5555:6666/64"


def test_colour_only_on_a_terminal(siteb: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b" not in siteb.ok("tunnel show").out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert table.table(["CONDITION"], [["missing"]]).endswith("\x1b[31mmissing\x1b[0m\n")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in table.table(["CONDITION"], [["missing"]])


def test_columns_are_aligned(siteb: CommandLine) -> None:
    siteb.ok("tunnel add a-longer-name --remote 127.0.0.3 --local-port 1702")
    heads, *lines = siteb.ok("tunnel show").out.splitlines()
    assert {line.index("up") for line in lines} == {heads.index("CONDITION")}
    end = heads.index("ID") + len("ID")
    assert [line[:end][-1] for line in lines] == ["1", "2"] or [line[:end][-1] for line in lines] == ["2", "1"]


def test_what_something_else_made_is_marked(siteb: CommandLine) -> None:
    import dataclasses

    mine = siteb.manager.tunnel("siteb")
    other = dataclasses.replace(mine.spec, name="other", tunnel_id=77, local_port=5000, local=mine.local)
    siteb.datapath.add_tunnel(other)
    rows = siteb.ok("tunnel show").table
    assert [(row["NAME"], row["CONDITION"]) for row in rows] == [("siteb", "up"), ("memory:77", "up,foreign")]
    assert siteb.ok("tunnel show --json").json["tunnels"][1]["foreign"] is True
    assert "made by something else" in siteb.ok("").out
    for line in ("tunnel del memory:77", "tunnel set memory:77 --id 3", "session add memory:77 lan"):
        result = siteb(line)
        assert result.code == 4 and "something else made it" in result.err


@pytest.mark.usefixtures("here")
def test_what_is_shown_can_be_typed(ctl: CommandLine) -> None:
    """As an option's value, `on` and `inherit` too; and what the thing is called and how it is come first."""
    ctl.ok("tunnel add t --remote 127.0.0.2 --dscp inherit --df on")
    ctl.ok("session add t s --fragment on")
    tunnel = [line.split() for line in ctl.ok("tunnel show t").out.splitlines()]
    session = [line.split() for line in ctl.ok("session show t s").out.splitlines()]
    assert ["dscp", "inherit"] in tunnel and ["df", "on"] in tunnel and tunnel[1][0] == "condition"
    assert ["fragment", "on"] in session and ["clamp-mss", "off"] in session and session[2][0] == "condition"
    ctl.ok("session set t s --fragment off")
    assert ctl.ok("log -n 1").out.endswith("~ session t/s: fragment on → off: made anew\n")


def test_in_one_order_wherever_it_is_shown(siteb: CommandLine) -> None:
    import dataclasses

    mine = siteb.manager.tunnel("siteb")
    for number in (77, 5, 1000):
        spec = dataclasses.replace(mine.spec, name="other", tunnel_id=number, local_port=number, local=mine.local)
        siteb.datapath.add_tunnel(spec)
    siteb.ok("tunnel add a --remote 127.0.0.3 --local-port 5000 --id 3")
    names = [row["NAME"] for row in siteb.ok("tunnel show").table]
    assert names == ["a", "siteb", "memory:1000", "memory:5", "memory:77"]
    siteb.ok("--json")
    siteb.ok("ip-l2tp show tunnel")
