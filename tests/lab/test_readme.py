"""The README's commands run as they are printed and in their order, on two hosts, by each datapath."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import Host, Hosts
from tests.points import is_full

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
ADDRESSES = {"siteA": "192.0.2.1", "siteB": "198.51.100.1"}
DATAPATHS: list[Any] = ["user", "ebpf"]
if is_full():  # in the guest each command takes seconds, and there are some forty
    DATAPATHS.append(pytest.param("kernel", marks=[pytest.mark.kernel_l2tp, pytest.mark.timeout(1200)]))
_BLOCK = re.compile(r"^```(console|toml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENDLESS = re.compile(r"--watch \d")


@dataclass(frozen=True)
class Line:
    """A line to type at a host, or a file to write there."""

    site: str
    command: str = ""
    file: str = ""


def _lines() -> Iterator[Line]:
    """What the README has to be typed, in order. A TOML file is for the first host, its name in its first line."""
    for kind, text in _BLOCK.findall(README):
        if kind == "toml":
            yield Line("siteA", file=text)
            continue
        for line in text.splitlines():
            site, prompt, command = line.partition("# ")
            assert prompt and site in ADDRESSES, f"not a line to type: {line}"
            yield Line(site, command)


@pytest.fixture
def sites(hosts: Hosts) -> dict[str, Host]:
    """The README's two hosts: a router between them, eth1 towards a LAN of their own."""
    router, *ends = hosts.add("r", *ADDRESSES)
    for number, host in enumerate(ends):
        gateway = str(ip_address(ADDRESSES[host.name]) + 1)
        host.ip_batch([
            f"link add eth0 type veth peer r{number} netns {router.netns}", "link set eth0 up",
            f"addr add {ADDRESSES[host.name]}/24 dev eth0", "link add eth1 type veth peer lan1", "link set lan1 up",
            f"route add default via {gateway} onlink dev eth0",
        ])  # fmt: skip
        router.ip_batch([f"link set r{number} up", f"addr add {gateway}/24 dev r{number}"])
    router.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    return {host.name: host for host in ends}


def _type(line: Line, sites: dict[str, Host], folder: Path, datapath: str) -> str:
    """Run one line in a shell. `ssh root@ADDRESS` is a shell on the other host; /etc/l2tpv3 a folder of the test's."""
    host, etc = sites[line.site], folder / line.site
    command = line.command.replace("/etc/l2tpv3", str(etc))
    if datapath == "ebpf":  # is used only where it is asked for
        command = command.replace("tunnel add siteb", f"tunnel add siteb --datapath {datapath}")
    endless = _ENDLESS.search(command) is not None
    if endless:  # until what reads it has seen enough
        command = f"{{ {command}\n}} | head -n 2"
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = [f"PATH={path}", f"L2TPV3_CONFIG_DIR={etc}", "COLUMNS=80"]
    done = host.run(["env", *variables, "bash", "-euo", "pipefail", "-c", command], check=False, timeout_s=300)
    said = f"{line.site}# {line.command}\n{done.stdout}{done.stderr}"
    assert done.returncode == (141 if endless else 0), said
    assert "internal error" not in done.stderr and "bash: " not in done.stderr, said
    return said


def _stand_in_for_ssh(folder: Path, sites: dict[str, Host]) -> None:
    """A program `ssh` that runs a command on the host that has the address."""
    cases = []
    for name, host in sites.items():
        variables = f"L2TPV3_STATE_DIR={host.state_dir} L2TPV3_RUNTIME_DIR={host.runtime_dir}"
        (other,) = {*ADDRESSES.values()} - {ADDRESSES[name]}
        variables += f' SSH_CONNECTION="{other} 999 {ADDRESSES[name]} 22"'
        place = f"root@{ADDRESSES[name]} | {ADDRESSES[name]}"
        cases.append(f'{place}) shift; exec ip netns exec {host.netns} env {variables} sh -c "$*";;')
    options = "while :; do case $1 in -T) shift;; -[olp]) shift 2;; --) shift; break;; *) break;; esac; done\n"
    program = folder / "ssh"
    program.write_text("#!/bin/sh\n" + options + "case $1 in\n" + "\n".join(cases) + "\nesac\nexit 255\n")
    program.chmod(0o755)


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("datapath", DATAPATHS)
def test_every_command_runs_as_printed(sites: dict[str, Host], tmp_path: Path, datapath: str) -> None:
    _stand_in_for_ssh(tmp_path, sites)
    ran = 0
    for line in _lines():
        if line.file:
            name = Path(line.file.splitlines()[0].removeprefix("# ")).name
            (tmp_path / line.site).mkdir(exist_ok=True)
            (tmp_path / line.site / name).write_text(line.file.replace("/etc/l2tpv3", str(tmp_path / line.site)))
        else:
            said = _type(line, sites, tmp_path, datapath)
            ran += 1
            assert "tunnel add" not in line.command or f", {datapath} datapath" in said, said
    assert ran > 20


def test_the_packet_in_the_picture_is_full() -> None:
    picture = next(line for line in README.splitlines() if "cookie 8" in line)
    assert sum(map(int, re.findall(r" (\d+)(?: bytes)? │", picture))) == 1500


def test_what_it_links_to_is_there() -> None:
    pages = {ROOT / "README.md", *(ROOT / "docs").glob("*.md")}
    for page in pages:
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(#[^)]*)?\)", page.read_text()):
            there = page.parent / target if target else page
            assert there.exists(), f"{page.name}: {target}"
            if anchor:
                heads = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
                names = {re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads}
                assert anchor[1:] in names, f"{page.name}: {target}{anchor}"


def test_its_installation_brings_what_is_shipped() -> None:
    install = README.partition("## Install")[2].partition("\n## ")[0]
    project = (ROOT / "pyproject.toml").read_text()
    for page in re.findall(r'"share/man/(man\d/[^"]+)"', project):
        folder = page.partition("/")[0]
        assert f"ln -sf /opt/l2tpv3/share/man/{page} /usr/local/share/man/{folder}/" in install
    for extra in re.findall(r"'\.\[(.*)\]'", install)[0].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)
    checked = subprocess.run(["bash", "-n", "-c", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))])
    assert checked.returncode == 0
