"""check, plan, apply, confirm, rollback, export, adopt, down and log, as typed."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.cli.commands import apply
from l2tpv3.cli.commands.apply import STEPS_SHOWN
from l2tpv3.errors import RefusedError
from l2tpv3.host.base import Host
from l2tpv3.model.spec import SessionSpec, TunnelSpec
from tests.cli.command_line import CommandLine

SITE = """\
[tunnel.siteb]
remote = "127.0.0.2"

[tunnel.siteb.session.lan]
tx-cookie = "@tx"
rx-cookie = "8899aabb"

[tunnel.siteb.session.voice]
address = ["10.0.0.1/24"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A file, with a cookie in another file beside it."""
    (tmp_path / "tx").write_text("0011223344556677\n")
    (tmp_path / "tx").chmod(0o600)
    file = tmp_path / "site.toml"
    file.write_text(SITE)
    file.chmod(0o600)
    return file


@pytest.fixture(autouse=True)
def no_timer(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """What would wait in the background for a confirmation: these tests undo by hand."""
    started: list[float | None] = []

    @contextlib.contextmanager
    def expiring(confirm_s: float | None, host: Host) -> Iterator[None]:
        if confirm_s is not None and not host.undoes_unconfirmed:
            started.append(confirm_s)
        yield

    monkeypatch.setattr(apply, "expiring", expiring)
    return started


def test_check(ctl: CommandLine, site: Path) -> None:
    assert ctl.ok(f"check {site}").err == "good: 1 tunnel, 2 sessions\n"
    site.write_text(SITE.replace("8899aabb", "xyz").replace("10.0.0.1/24", "10.0.0.1/99"))
    result = ctl(f"check {site}")
    assert result.code == 1 and result.err.count("\n") == 2
    assert all(line.startswith(f"{site}:") for line in result.err.splitlines()), "as editors read it"


def test_plan_touches_nothing_and_apply_does_it(ctl: CommandLine, site: Path) -> None:
    planned = ctl(f"plan -f {site} --exit-code")
    assert (planned.code, planned.err) == (10, "3 steps\n")
    assert [line.split(":")[0] for line in planned.out.splitlines()] == [
        "+ tunnel siteb", "+ session siteb/lan", "+ session siteb/voice",
    ]  # fmt: skip
    assert ctl.manager.records() == {}
    applied = ctl.ok(f"apply -f {site}")
    assert (applied.out, applied.err) == ("", planned.out + "3 steps\n")
    assert ctl.manager.session("siteb", "lan").spec.tx_cookie.hex() == "0011223344556677"
    assert ctl.ok(f"apply -f {site}").err == "nothing to do: everything was as wanted\n"
    assert ctl.ok(f"plan -f {site} --exit-code").err == "nothing to do: everything is as wanted\n"


def test_json(ctl: CommandLine, site: Path) -> None:
    planned = ctl.ok(f"plan -f {site} --json").json
    assert planned["schema"] == "l2tpv3/plan/v1"
    assert [(one["sign"], one["tunnel"], one["session"]) for one in planned["steps"]] == [
        ("+", "siteb", None), ("+", "siteb", "lan"), ("+", "siteb", "voice"),
    ]  # fmt: skip
    assert ctl.ok(f"apply -f {site} --json").json == planned


def test_a_change_says_what_it_interrupts_and_why(ctl: CommandLine, site: Path) -> None:
    ctl.ok(f"apply -f {site}")
    site.write_text(SITE.replace('"127.0.0.2"', '"127.0.0.2"\nremote-port = 1702'))
    planned = ctl.ok(f"plan -f {site}")
    assert planned.out.splitlines() == [
        "~ tunnel siteb: remote-port 1701 → 1702: made anew with 2 sessions  [interrupts its traffic]"
    ]
    assert planned.err == "1 step\n"
    assert ctl.ok(f"apply -f {site}").err == planned.out + planned.err
    (step,) = ctl.ok(f"plan -f {site} --json").json["steps"] or [None]
    assert step is None


def test_a_session_that_changes_is_one_step(ctl: CommandLine, site: Path) -> None:
    """However many parts of it change, and whoever changes them."""
    ctl.ok(f"apply -f {site}")
    site.write_text(
        SITE.replace('address = ["10.0.0.1/24"]', 'address = ["10.0.0.2/24"]\nmtu = 1333\nreorder-timeout-ms = 9')
    )
    planned = ctl.ok(f"plan -f {site}")
    (line,) = planned.out.splitlines()
    assert re.fullmatch(
        r"~ session siteb/voice: reorder-timeout-ms 0 → 9, mtu \d+ → 1333, address 10.0.0.1/24 → 10.0.0.2/24", line
    )
    assert planned.err == "1 step\n"


def test_what_is_in_no_file_stays_unless_pruned(ctl: CommandLine, site: Path) -> None:
    ctl.ok("tunnel add other --remote 127.0.0.3 --local-port 5000")
    ctl.ok(f"apply -f {site}")
    assert "other" in ctl.manager.records()
    assert "- tunnel other: removed" in ctl.ok(f"apply -f {site} --prune").err
    assert list(ctl.manager.records()) == ["siteb"]
    assert ctl("plan --prune").code == 3


def test_a_step_that_fails_leaves_all_as_it_was(ctl: CommandLine, site: Path) -> None:
    ctl.ok("tunnel add other --remote 127.0.0.3 --local-port 5000")
    site.write_text(SITE.replace('address = ["10.0.0.1/24"]', 'bridge = "br7"'))
    result = ctl(f"apply -f {site}")
    assert result.code == 3 and "br7" in result.err
    assert list(ctl.manager.records()) == ["other"]


def test_confirm(ctl: CommandLine, site: Path, no_timer: list[float | None]) -> None:
    said = ctl.ok(f"apply -f {site} --confirm 600").err
    assert said.endswith("3 steps\n`l2tpctl confirm` within 600 s keeps it; else it is undone\n")
    assert no_timer == ([] if ctl.remote else [600.0]), "over the network the service sees to it"
    assert re.search(r"\d+ s left", ctl("tunnel del siteb").err)
    assert ctl.results.pop()[1].code == 4  # the seconds differ from run to run
    assert ctl.ok("confirm").err == "confirmed\n"
    for line in ("confirm", "rollback"):
        assert ctl(line).code == 3


def test_rollback(ctl: CommandLine, site: Path) -> None:
    ctl.ok(f"apply -f {site} --confirm 600")
    assert ctl.ok("rollback").err == "- tunnel siteb: removed, with 2 sessions  [interrupts its traffic]\n1 step\n"
    assert ctl.manager.records() == {}
    ctl.ok(f"apply -f {site}")
    assert ctl.ok(f"apply -f {site} --confirm 600").err == "nothing to do: everything was as wanted\n"
    assert ctl(f"apply -f {site} --confirm soon").code == 1


def test_export_is_what_apply_takes(ctl: CommandLine, site: Path, tmp_path: Path) -> None:
    ctl.ok(f"apply -f {site}")
    ctl.ok("tunnel add other --remote ::1 --local-port 5000 --transient")
    ctl.ok("session add other lan --sublayer none --mtu 1300 --mac 02:00:00:00:00:01 --down --sequencing none")
    exported = ctl.ok("export")
    assert exported.err == "l2tpctl: note: the cookies in it are in clear\n"
    assert 'tx-cookie = "0011223344556677"' in exported.out
    assert "tunnel.other" not in ctl.ok("export siteb").out
    assert ctl("export siteb nope").code == 3
    ctl.ok(f"export -o {tmp_path / 'all.toml'}")
    assert (tmp_path / "all.toml").read_text() == exported.out
    before = ctl.manager.records()
    ctl.ok("tunnel del siteb")
    ctl.ok("tunnel del other")
    ctl.ok(f"apply -f {tmp_path / 'all.toml'}")
    assert {name: (one.spec, [it.spec for it in one.sessions]) for name, one in ctl.manager.records().items()} == {
        name: (one.spec, [it.spec for it in one.sessions]) for name, one in before.items()
    }


def test_adopt(siteb: CommandLine) -> None:
    mine = siteb.manager.tunnel("siteb")
    other = dataclasses.replace(mine.spec, name="other", tunnel_id=77, local_port=5000, local=mine.local)
    siteb.datapath.add_tunnel(other)
    spec = dataclasses.replace(mine.sessions[0].spec, session_id=9, ifname="pw9", name="x")
    siteb.datapath.add_session(other, spec)
    assert siteb.ok("adopt memory:77 other --sublayer none").err == "tunnel other: adopted with 1 session\n"
    assert siteb.manager.session("other", "pw9").spec.sublayer.value == "none"
    for line, code in (("adopt memory:77", 3), ("adopt siteb", 4), ("adopt nope", 3)):
        assert siteb(line).code == code
    other = dataclasses.replace(other, tunnel_id=78, local_port=5001)
    siteb.datapath.add_tunnel(other)
    assert siteb("adopt memory:78 siteb").code == 4
    assert siteb("adopt memory:78 a/b").code == 1
    assert siteb("adopt memory:78 --sublayer maybe").code == 1
    assert siteb.ok("adopt memory:78").err == "tunnel t78: adopted with 0 sessions\n"


def test_down_and_restore(siteb: CommandLine) -> None:
    assert siteb.ok("down").err == (
        "- tunnel siteb: removed, with 1 session  [interrupts its traffic]\n1 step\n"
        "it stays on record: `l2tpctl restore` brings it back\n"
    )
    assert siteb.ok("session stats").err == "not running: siteb/lan; `l2tpctl status` says why\n"
    assert "it is not running; `l2tpctl tunnel show siteb` says why" in siteb.ok("session show siteb lan").out
    assert siteb.ok("down").err == "nothing was running\n"
    assert siteb.ok("tunnel show").table[0]["CONDITION"] == "missing"
    assert siteb.ok("restore").err == "tunnel siteb: restored\n"
    assert siteb.ok("tunnel show").table[0]["CONDITION"] == "up"


def test_what_changes_on_record_alone_is_listed(siteb: CommandLine, site: Path) -> None:
    siteb.ok("down")
    siteb.ok("tunnel add other --remote 127.0.0.3")
    site.write_text('[tunnel.other]\nremote = "127.0.0.3"\n')
    told = "- tunnel siteb: removed, with 1 session; it was stopped"
    planned = siteb.ok(f"plan -f {site} --prune")
    assert (planned.out, planned.err) == (f"{told}\n", "only the record changes, nothing that runs\n")
    assert siteb.ok(f"apply -f {site} --prune").err == planned.out + planned.err
    assert siteb.manager.audit(1)[0].what == f"apply: {told}"


def test_log(siteb: CommandLine) -> None:
    siteb.ok("tunnel del siteb")
    lines = siteb.ok("log").out.splitlines()
    entries = siteb.ok("log --json").json["entries"]
    for _ in range(2):
        siteb.results.pop()  # it tells the time and, over the network, the client
    assert len(lines) == len(entries) == 3 and "- tunnel siteb" in lines[-1]
    assert "anyone" in lines[0] if siteb.remote else "uid" in lines[0]
    assert [one["what"] for one in siteb.ok("log -n 1 --json").json["entries"]] == [entries[-1]["what"]]
    siteb.results.pop()
    assert siteb.ok("log -n 0").out == ""
    assert siteb("log -n x").code == 1


def test_steps_are_told_until_one_fails_and_then_all_is_as_it_was(
    ctl: CommandLine, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = ctl.datapath.add_session

    def refuse_voice(tunnel: TunnelSpec, session: SessionSpec, **how: Any) -> None:
        if session.name == "voice":
            raise RefusedError("session siteb/voice", "the kernel says no", "ask it why", errno=16)
        add(tunnel, session, **how)

    monkeypatch.setattr(ctl.datapath, "add_session", refuse_voice)
    result = ctl(f"apply -f {site}")
    assert result.code == 2
    assert [line.split(":")[0] for line in result.err.splitlines()] == [
        "+ tunnel siteb", "+ session siteb/lan", "+ session siteb/voice", "l2tpctl",
    ]  # fmt: skip
    assert result.err.endswith("l2tpctl: session siteb/voice: the kernel says no; ask it why\n")
    assert ctl(f"apply -f {site} --json").code == 2
    assert ctl.manager.tunnels() == []


def test_many_steps_are_told_in_few_lines(ctl: CommandLine, tmp_path: Path) -> None:
    sessions = "\n".join(f"session.s{number}.id = {number + 1}" for number in range(60))
    path = tmp_path / "many.toml"
    path.write_text(f'[tunnel.siteb]\nremote = "127.0.0.2"\n{sessions}\n')
    lines = ctl.ok(f"apply -f {path}").err.splitlines()
    assert lines[0].startswith("+ tunnel siteb") and lines[-1] == "61 steps" and len(lines) == STEPS_SHOWN + 2
    assert lines[-2] == f"+ {61 - STEPS_SHOWN} more made; --verbose prints each"
    path.write_text(path.read_text().replace("session.s7.id = 8\n", ""))
    assert ctl.ok(f"apply -f {path} --prune").err.splitlines()[0].startswith("- session siteb/s7")
    ctl.ok("down")
    assert len(ctl.ok(f"apply -f {path} --verbose").err.splitlines()) == 61
    assert len(ctl.ok(f"plan -f {path} --prune").err.splitlines()) == 1
