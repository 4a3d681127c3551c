"""What goes wrong: one line that says which object, which value and what to do; the exit codes; no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from l2tpv3.cli import main
from l2tpv3.host.manager import Manager
from tests.cli.command_line import CommandLine
from tests.hosts import Host, Hosts

L2TPCTL = [sys.executable, "-c", "from l2tpv3.cli import program; program()"]


def is_one_line(text: str) -> bool:
    return text.startswith("l2tpctl: ") and text.count("\n") == 1 and text.endswith("\n") and "Traceback" not in text


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("bogus", "no such command 'bogus'"),
        ("tunnel bogus", "no such command 'bogus'"),
        ("tunnel shwo", "'show'"),
        ("tunnel show --bogus", "--bogus"),
        ("tunnel show a b", "b"),
        ("tunnel add", "NAME"),
        ("tunnel add x", "--remote"),
        ("tunnel add x --remote", "--remote"),
        ("tunnel add x --remote 999.1.1.1", "999.1.1.1"),
        ("tunnel add x --remote no/name", "no/name"),
        ("tunnel add x --remote 224.0.0.1", "224.0.0.1"),
        ("tunnel add x --remote 127.0.0.2 --local ::1", "::1"),
        ("tunnel add x --remote 127.0.0.2 --encap gre", "gre"),
        ("tunnel add x --remote 127.0.0.2 --id 0", "--id: 0"),
        ("tunnel add x --remote 127.0.0.2 --id 4294967296", "4294967296"),
        ("tunnel add x --remote 127.0.0.2 --id one", "'one'"),
        ("tunnel add x --remote 127.0.0.2 --peer-id -1", "--peer-id"),
        ("tunnel add x --remote 127.0.0.2 --local-port 65536", "65536"),
        ("tunnel add x --remote 127.0.0.2 --udp-checksum maybe", "maybe"),
        ("tunnel add x --remote 127.0.0.9 --datapath magic", "magic"),
        ("tunnel add a/b --remote 127.0.0.2", "a/b"),
        ("session add siteb x --tx-cookie 123", "--tx-cookie"),
        ("session add siteb x --rx-cookie @/does/not/exist", "/does/not/exist"),
        ("session add siteb x --ifname abcdefghijklmnop", "abcdefghijklmnop"),
        ("session add siteb x --mtu 67", "67"),
        ("session add siteb x --mtu big", "'big' is not a whole number; give 68 to 65535, or auto"),
        ("tunnel add x --remote 127.0.0.2 --ttl 0", "--ttl: 0 is out of range; give 1 to 255"),
        ("tunnel add x --remote 127.0.0.2 --dscp EF", "'EF' is not a whole number; give 0 to 63, or inherit"),
        ("tunnel add x --remote 127.0.0.2 --df maybe", "'maybe' is unknown; give one of off, on, inherit"),
        ("tunnel add x --remote 127.0.0.2 --encrypt wiregard", "'wiregard' is unknown; give one of none, wireguard"),
        ("tunnel add x --remote 127.0.0.2 --encrypt wireguard --peer-public-key foo", "shows at the peer"),
        ("invite x", "--remote"),
        ("session add siteb x --mac 01:00:00:00:00:00", "01:00:00:00:00:00"),
        ("session add siteb x --address 10.0.0.1/99", "10.0.0.1/99"),
        ("session add siteb x --sublayer none --sequencing both", "--sequencing both"),
        ("session add siteb x --bridge br0 --address 10.0.0.1/24", "bridge"),
        ("session stats --watch soon", "soon"),
        ("session stats --watch 0", "--watch"),
        ("peer siteb --as smoke", "smoke"),
    ],
)
def test_invalid_values(siteb: CommandLine, line: str, says: str) -> None:
    result = siteb(line)
    assert result.code == 1
    assert result.out == ""
    if "--json" not in line:
        assert is_one_line(result.err), result.err
    assert says in result.err


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("tunnel set siteb --local-port 65536", "local-port"),
        ("tunnel set siteb --local ::1", "local"),
        ("session set siteb lan --egress rewrite", "egress"),
        ("link add x --type vlan --over siteb/lan --id 4095", "id"),
        ("session set siteb lan --ifname a/b", "ifname"),
    ],
)
def test_json_says_which_value_was_wrong(siteb: CommandLine, line: str, field: str | None) -> None:
    assert (
        json.loads(siteb(f"{line} --json" if field else line.replace("peer", "--json peer")).err)["error"]["field"]
        == field
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sesion show", "usage: no such command 'sesion'; did you mean 'session'? `l2tpctl --help` shows how"),
        (
            "tunnel add x --remtoe ::1",
            "tunnel add: no such option: --remtoe; did you mean --remote or --remote-name or --remote-port? "
            "`l2tpctl tunnel add --help` shows how",
        ),
        (
            "session set siteb lan --address",
            "session set: option '--address' requires an argument; `l2tpctl session set --help` shows how",
        ),
        (
            "tunnel show --host http://127.0.0.1:1",
            "tunnel show: no such option: --host; it stands before the command: `l2tpctl --host VALUE tunnel show ...`",
        ),
    ],
)
def test_what_was_mistyped_is_told_with_what_may_have_been_meant(siteb: CommandLine, line: str, says: str) -> None:
    result = siteb(line)
    assert (result.code, result.err) == (1, f"l2tpctl: {says}\n")


@pytest.mark.parametrize(
    "line",
    ["tunnel show nope", "tunnel set nope --id 3", "tunnel del nope", "session add nope lan", "session show nope",
     "session show siteb nope", "session set siteb nope --mtu 1300", "session del siteb nope", "session stats nope",
     "peer nope", "restore nope", "session add siteb x --bridge nobr", "tunnel add x --remote 127.0.0.2 --netns nope",
     "mtu nope", "tunnel rekey nope", "session rotate-cookie siteb nope",
     "ip-l2tp del tunnel tunnel_id 99", "ip-l2tp del session tunnel_id 1 session_id 99"],
)  # fmt: skip
def test_not_found(siteb: CommandLine, line: str) -> None:
    result = siteb(line)
    assert (result.code, result.out) == (3, "")
    assert is_one_line(result.err)


@pytest.mark.parametrize(
    "line",
    ["tunnel add siteb --remote 127.0.0.3", "tunnel add x --remote 127.0.0.3 --id 1",
     "tunnel add x --remote 127.0.0.2 --local-port 1701 --remote-port 1701",
     "session add siteb lan", "session add siteb x --id 1", "session add siteb x --ifname l2tpeth0"],
)  # fmt: skip
def test_exists_or_conflicts(siteb: CommandLine, line: str) -> None:
    before = siteb.ok("--json").json
    result = siteb(line)
    assert (result.code, result.out) == (4, "")
    assert is_one_line(result.err)
    assert siteb.ok("--json").json == before


@pytest.mark.usefixtures("here")
def test_unexpected_error_is_one_line(
    ctl: CommandLine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(Manager, "tunnels", broken)
    result = ctl("tunnel show")
    assert result.code == 2
    assert is_one_line(result.err)
    assert "ZeroDivisionError: two lines" in result.err
    monkeypatch.setenv("L2TPV3_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["tunnel", "show"], manager=ctl.manager)


@pytest.mark.usefixtures("here")
def test_interrupted(ctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Manager, "tunnels", interrupted)
    result = ctl("tunnel show")
    assert (result.code, result.out, result.err) == (130, "", "")


def test_reader_that_went_away() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*L2TPCTL, "--help"], stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.root
def test_the_codes_for_real(hosts: Hosts) -> None:
    """Each by a real cause, in a namespace without any route, over the user datapath."""
    (host,) = hosts.add("a")
    assert exit_of(host, "tunnel add x --remote 192.0.2.2 --datapath user") == (2, "unreachable")
    assert exit_of(host, "tunnel add x --remote no/name") == (1, "'no/name'")
    assert exit_of(host, "tunnel add x --remote 127.0.0.2 --local 192.0.2.1") == (2, "192.0.2.1")
    assert exit_of(host, "tunnel show x") == (3, "no such tunnel")
    host.ctl("tunnel", "add", "x", "--remote", "127.0.0.2", "--datapath", "user")
    assert exit_of(host, "tunnel add x --remote 127.0.0.3") == (4, "exists already")
    assert exit_of(host, "session add x lan --ifname lo") == (4, "netdev lo")
    host.ctl("tunnel", "del", "x")


def exit_of(host: Host, line: str) -> tuple[int, str]:
    """The exit code, and which of the needles stderr, one line, has (all of stderr when it has none)."""
    done = host.ctl(*line.split(), check=False)
    assert done.stdout == ""
    assert is_one_line(done.stderr), done.stderr
    needles = ("unreachable", "'no/name'", "192.0.2.1", "no such tunnel", "netdev lo", "exists already")
    return done.returncode, next((needle for needle in needles if needle in done.stderr.lower()), done.stderr)


@pytest.mark.root
@pytest.mark.parametrize("datapath", ["user", "auto"])
@pytest.mark.parametrize("mode", [0o700, 0o500])
def test_not_permitted(hosts: Hosts, datapath: str, mode: int) -> None:
    """Without any capability: once where the record can't be written, once where only the network is forbidden."""
    (host,) = hosts.add("a")
    host.folder.chmod(mode)
    powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    words = ["tunnel", "add", "x", "--remote", "127.0.0.2", "--datapath", datapath]
    done = host.run([*powerless, *L2TPCTL, *words], check=False)
    assert done.returncode == 5, done
    assert is_one_line(done.stderr), done.stderr
    assert host.workers() == []


def test_an_error_about_a_session_names_its_tunnel(siteb: CommandLine) -> None:
    for line in (
        "session add siteb x --mtu 7",
        "session add siteb x --bridge nosuch",
        "session add siteb x --ifname l2tpeth0",
        "session set siteb lan --mtu 7",
        "session set siteb lan --bridge nosuch",
        "session set siteb lan --sequencing maybe",
    ):
        result = siteb(line)
        name = "siteb/x" if " add " in line else "siteb/lan"
        assert result.code and result.err.startswith(f"l2tpctl: session {name}: "), result.err


def test_only_clear_cookies_are_warned_of(siteb: CommandLine) -> None:
    assert "in clear" in siteb.ok("export").err
    siteb.ok("session set siteb lan --tx-cookie none --rx-cookie none")
    assert siteb.ok("export").err == ""
