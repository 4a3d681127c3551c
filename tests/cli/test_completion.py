"""Shell completion: what each shell is offered, and that nothing ever complains into a line being typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine
from tests.hosts import Hosts

L2TPCTL = Path(sys.executable).with_name("l2tpctl")


@pytest.fixture
def paths(siteb: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The record that `siteb` wrote is this host's, for child processes too."""
    monkeypatch.setenv("L2TPV3_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("L2TPV3_RUNTIME_DIR", str(tmp_path / "run"))
    siteb.ok("tunnel add sitec --remote 127.0.0.3 --local-port 1702")
    siteb.ok("session add siteb wan")
    siteb.ok("session add sitec other")
    siteb.ok("token add laptop")
    siteb.ok("link add br0 --type bridge --over eth1,siteb/lan")
    siteb.ok("link add br-v5 --type vlan --over br0 --id 5")
    siteb.ok("link add card --type macvlan --over eth0")
    yield tmp_path


def offered(line: str) -> list[str]:
    """What bash is offered for the last word of `line`, by the protocol between it and l2tpctl."""
    words = line.split(" ")
    asked = {"_L2TPCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run([L2TPCTL], env=os.environ | asked, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("l2tpctl tu", "tunnel"),
        ("l2tpctl tunnel ", "add show set rename rekey del"),
        ("l2tpctl session s", "show set stats"),
        ("l2tpctl tunnel show ", "siteb sitec"),
        ("l2tpctl tunnel del siteb", "siteb"),
        ("l2tpctl session show siteb ", "lan wan"),
        ("l2tpctl session set sitec ", "other"),
        ("l2tpctl session stats siteb w", "wan"),
        ("l2tpctl session del nope ", ""),
        ("l2tpctl token ", "add show del"),
        ("l2tpctl token rm la", "laptop"),
        ("l2tpctl serve --others ", "nothing read"),
        ("l2tpctl capture siteb ", "lan wan"),
        ("l2tpctl capture siteb lan --side ", "inner outer"),
        ("l2tpctl events --type ", "link session tunnel worker"),
        ("l2tpctl peer s", "siteb sitec"),
        ("l2tpctl session add siteb x --bridge br0", "br0"),
        ("l2tpctl session set siteb lan --bridge n", "none"),
        ("l2tpctl peer siteb --as i", "iproute2"),
        ("l2tpctl tunnel add x --encap ", "ip udp"),
        ("l2tpctl tunnel add x --datapath ", "auto ebpf kernel user"),
        ("l2tpctl session add siteb x --sequencing ", "both none recv send"),
        ("l2tpctl link ", "add show set del stats"),
        ("l2tpctl link add x --type ", "alias bond bridge ipvlan macvlan port vlan vnic"),
        ("l2tpctl link show br", "br-v5 br0"),
        ("l2tpctl link stats c", "card"),
        ("l2tpctl link add x --type ipvlan --mode ", "l2 l3 l3s"),
        (
            "l2tpctl link add x --mode ",
            "802.3ad active-backup bridge l2 l3 l3s passthru private round-robin source vepa xor",
        ),
        ("l2tpctl link set card --mode ", "bridge passthru private source vepa"),
        ("l2tpctl link add x --hash ", "layer2 layer2+3 layer3+4"),
        ("l2tpctl link add x --mtu ", "auto"),
        ("l2tpctl link add x --over site", "siteb/lan siteb/wan sitec/other"),
        ("l2tpctl link add x --over siteb/lan,siteb/", "siteb/lan,siteb/wan"),
        ("l2tpctl link add x --over br", "br-v5 br0"),
        ("l2tpctl link add x --over a0,b0 --isolated ", "a0 b0"),
        ("l2tpctl link set br0 --isolated eth1,", "eth1,siteb/lan"),
        ("l2tpctl link set nope --primary ", ""),
        ("l2tpctl restore l", "link"),
        ("l2tpctl restore link c", "card"),
        ("l2tpctl tunnel add x --rem", "--remote --remote-name --remote-port"),
    ],
)
def test_offers(paths: Path, line: str, words: str) -> None:
    assert offered(line) == words.split()


@pytest.mark.root
def test_offers_namespaces(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    assert offered(f"l2tpctl tunnel add x --netns {host.netns}") == [host.netns]


@pytest.mark.root
def test_offers_bridges_and_netdevs(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    host.ip_batch(["link add br7 type bridge"])
    asked = ["_L2TPCTL_COMPLETE=complete_bash", "COMP_WORDS=l2tpctl session add t s --bridge br", "COMP_CWORD=6"]
    # `ip netns exec` mounts a /sys of that namespace
    assert host.run(["env", *asked, L2TPCTL]).stdout.split() == ["br7"]
    asked = ["_L2TPCTL_COMPLETE=complete_bash", "COMP_WORDS=l2tpctl tunnel set t --bind-device ", "COMP_CWORD=5"]
    assert {"br7", "none"} <= {*host.run(["env", *asked, L2TPCTL]).stdout.split()}


@pytest.mark.root
def test_offers_netdevs(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    host.ip_batch(["link add n7 type veth peer name w7"])
    asked = ["_L2TPCTL_COMPLETE=complete_bash", "COMP_WORDS=l2tpctl link add x --over w7,", "COMP_CWORD=5"]
    assert host.run(["env", *asked, L2TPCTL]).stdout.split() == ["w7,n7"]


def test_silent_when_it_can_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "l2tpv3.db").write_text("this is no database" * 100)
    monkeypatch.setenv("L2TPV3_STATE_DIR", str(tmp_path))
    assert offered("l2tpctl tunnel show ") == []
    monkeypatch.setenv("L2TPV3_STATE_DIR", "/does/not/exist")
    assert offered("l2tpctl tunnel show ") == []


def test_in_a_real_bash(paths: Path) -> None:
    """The script that --show-completion prints for the shell that runs it, sourced, and asked as Tab would."""
    script = f"""
      PATH={L2TPCTL.parent}:$PATH
      eval "$(l2tpctl --show-completion)"
      complete -p l2tpctl
      COMP_WORDS=(l2tpctl tunnel show site) COMP_CWORD=3
      _l2tpctl_completion l2tpctl
      printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["complete -o default -F _l2tpctl_completion l2tpctl", "siteb", "sitec"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_zsh_and_fish_protocols(paths: Path, shell: str) -> None:
    asked = {"_L2TPCTL_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "l2tpctl tunnel show site"}
    asked["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    done = subprocess.run([L2TPCTL], env=os.environ | asked, capture_output=True, text=True, check=True)
    assert "siteb" in done.stdout and "sitec" in done.stdout and done.stderr == ""


@pytest.mark.parametrize(
    ("shell", "file"),
    [("bash", ".bash_completions/l2tpctl.sh"), ("zsh", ".zfunc/_l2tpctl"),
     ("fish", ".config/fish/completions/l2tpctl.fish")],
)  # fmt: skip
def test_install(tmp_path: Path, shell: str, file: str) -> None:
    """As on a machine where the shell can't be told from the processes: the user names it."""
    for _ in range(2):
        done = subprocess.run(
            [L2TPCTL, "--install-completion", shell],
            env=os.environ | {"HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "_L2TPCTL_COMPLETE" in (tmp_path / file).read_text()
    for settings in tmp_path.glob(".*shrc"):
        lines = settings.read_text().split("\n")
        assert [line for line in lines if line and lines.count(line) > 1] == []
    if shutil.which(shell):
        subprocess.run([shell, "-n", tmp_path / file], check=True)
