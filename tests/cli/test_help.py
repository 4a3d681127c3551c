"""--help of each command: what it is, every option of the reference, examples."""

from __future__ import annotations

import pytest

from l2tpv3.cli import link_options
from l2tpv3.cli.app import command
from l2tpv3.cli.click_classes import SECTIONS
from tests.cli.command_line import CommandLine

TUNNEL_OPTIONS = (
    "--remote --local --encap --id --peer-id --local-port --remote-port --udp-checksum --datapath --netns"
)  # fmt: skip
SESSION_OPTIONS = (
    "--id --peer-id --ifname --tx-cookie --rx-cookie --sublayer --sequencing --reorder-timeout-ms --vlan --egress"
    " --mtu --mac --netns --address --bridge --up --down"
)
LINK_OPTIONS = " ".join(f"--{word}" for word in link_options.OPTIONS if word != "up") + " --up --type"
OPTIONS = {
    "": "--host --token-file --ca --cert --key --brief --condition --json --version --install-completion"
    " --show-completion",
    "status": "--brief --condition --json",
    "tunnel": "",
    "tunnel add": TUNNEL_OPTIONS + " --transient --json",
    "tunnel show": "--brief --condition --json --show-secrets",
    "tunnel set": TUNNEL_OPTIONS + " --json",
    "tunnel del": "",
    "session": "",
    "session add": SESSION_OPTIONS + " --json",
    "session show": "--brief --condition --json --show-secrets",
    "session set": SESSION_OPTIONS + " --json",
    "session del": "",
    "session stats": "--json --watch",
    "link": "",
    "link add": LINK_OPTIONS + " --down --transient --json",
    "link show": "--brief --condition --json",
    "link set": LINK_OPTIONS + " --down --json",
    "link del": "",
    "link stats": "--json --watch",
    "fleet": "",
    "fleet check": "",
    "fleet render": "--show-secrets",
    "fleet plan": "--partial",
    "fleet apply": "--confirm --partial",
    "fleet status": "--json",
    "fleet doctor": "--listen --json",
    "token": "",
    "token add": "--scope --expires",
    "token show": "--json",
    "token del": "",
    "serve": "--unix --listen --tls-cert --tls-key --client-ca --client --others --host-name --insecure-plain-http"
    " --fleet --limit --log-format",
    "peer": "--as",
    "mtu": "--no-probe --timeout --json",
    "hosts": "--listen --json",
    "torch": "--interval --count --once --json",
    "top": "--sort --interval --once --json",
    "ping": "--host --peer --count --interval --json",
    "doctor": "--listen --no-probe --drops --both --wait --watch --json",
    "capture": "--write --side --filter --count --seconds --snaplen",
    "events": "--type --counters --json",
    "metrics": "--output",
    "restore": "--wait",
    "watch": "",
    "import": "--from",
    "ip-l2tp": "--datapath",
}


@pytest.mark.parametrize("command", OPTIONS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(ctl: CommandLine, command: str, option: str) -> None:
    result = ctl.ok(f"{command} {option}")
    assert result.err == ""
    assert result.out.startswith(f"Usage: l2tpctl {command}".rstrip())
    words = result.out.split()
    assert [option for option in OPTIONS[command].split() if option not in words] == []
    examples = result.out.partition("Examples:\n")[2]
    assert f"  l2tpctl {command}".rstrip() in examples


@pytest.mark.parametrize("command", ["", "tunnel", "session", "link"])
def test_every_command_is_listed_with_its_first_sentence_whole(ctl: CommandLine, command: str) -> None:
    listed = ctl.ok(f"{command} --help").out.partition("Commands:\n" if command else "Set up:\n")[2]
    listed = listed.partition("\nExamples:\n")[0]
    lines = [line for line in listed.splitlines() if line.startswith("  ")]
    names = [line.split()[0] for line in lines]
    below = [other.split()[-1] for other in OPTIONS if other.rpartition(" ")[0] == command and other]
    assert set(below) <= set(names)
    assert [line for line in lines if line.endswith("...")] == []


def test_aliases_are_told(ctl: CommandLine) -> None:
    for group in ("tunnel", "session", "link", "token"):
        shown = ctl.ok(f"{group} --help").out
        assert "`ls`" in shown and "`rm`" in shown


@pytest.mark.parametrize("command", OPTIONS)
def test_no_help_is_wider_than_a_terminal(ctl: CommandLine, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert [line for line in ctl.ok(f"{command} --help").out.splitlines() if len(line) > 80] == []


def test_every_command_has_its_place_in_the_sections() -> None:
    root = command()
    commands = {name: root.get_command(None, name) for name in root.list_commands(None)}
    shown = [name for name, one in commands.items() if one is not None and not one.hidden]
    assert sorted(shown) == sorted(name for names in SECTIONS.values() for name in names)
