"""Commands on another host over ssh, by a real sshd: what they print, files, streams, signals, and what goes wrong."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from l2tpv3.capture import pcapng
from l2tpv3.linux.readable import wait_readable
from tests.hosts import Host
from tests.points import in_turn
from tests.sshd import Sshd
from tests.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.root

COOKIE = "0123456789abcdef"
SITE = """\
[tunnel.t]
remote = "10.99.0.1"
datapath = "user"
[tunnel.t.session.lan]
address = "10.9.0.2/24"
tx-cookie = "@tx.cookie"
rx-cookie = "fedcba9876543210"
"""


@pytest.fixture
def near(pair: tuple[Host, Host], sshd: Sshd) -> Iterator[Host]:
    yield pair[0]
    for name in json.loads(sshd.host.ctl("--json").stdout)["tunnels"]:
        sshd.host.ctl("tunnel", "del", name["name"])


def site(folder: Path) -> Path:
    file = folder / "site.toml"
    file.write_text(SITE)
    (folder / "tx.cookie").write_text(f"{COOKIE}\n")
    for one in (file, folder / "tx.cookie"):
        one.chmod(0o600)
    return file


LINES = [
    ["--json"],
    ["--brief"],
    ["tunnel", "show", "t"],
    ["session", "show", "t", "lan", "--show-secrets"],
    ["session", "set", "t", "lan", "--mtu", "1300"],
    ["session", "set", "t", "lan", "--description", "it's $(reboot) `x` \\ \"q\" 'ü'"],
    ["peer", "t", "--as", "vyos"],
    ["ip-l2tp", "show", "tunnel"],
    ["tunnel", "show", "nobody"],
    ["tunnel", "show", "nobody", "--json"],
    ["tunnel", "add", "t", "--remote", "10.99.0.1"],
    ["tunnel", "set", "t", "--encap", "smoke"],
    ["confirm"],
    ["plan", "--file", "nowhere.toml"],
    ["import", "--from", "iproute2", "nowhere.sh"],
    ["session", "add", "t", "x", "--tx-cookie", "@nowhere"],
    ["log", "-n", "x"],
    ["tunnel", "frob"],
]
"""Commands that do and say the same on the host itself. Each run of the tests has some of them."""


def test_commands_do_what_they_do_on_the_host_itself(near: Host, sshd: Sshd, tmp_path: Path) -> None:
    """On a netdev that sends nothing by itself, so that counters and what was heard are the same a moment later."""
    there = sshd.host
    there.run(["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"])
    assert sshd.run(near, "apply", "-f", str(site(tmp_path)))[0] == 0
    for words in in_turn(LINES, of=4):
        over = sshd.run(near, *words)
        here = there.ctl(*words, check=False)
        assert over[0] == here.returncode, (words, over)
        assert over[1:] == (here.stdout, here.stderr), words


def test_files_are_read_here_with_the_secrets_that_they_name(near: Host, sshd: Sshd, tmp_path: Path) -> None:
    file = site(tmp_path)
    seen = subprocess.Popen(  # what others see while it runs, and before
        ["sh", "-c", "while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'; done"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        code, out, err = sshd.run(near, "apply", "-f", "site.toml", cwd=tmp_path)
    finally:
        os.killpg(seen.pid, signal.SIGKILL)
    assert COOKIE not in seen.communicate(timeout=PATIENCE_S)[0]
    assert code == 0 and not out and "+ session t/lan" in err
    assert COOKIE in sshd.host.ctl("session", "show", "t", "lan", "--show-secrets").stdout
    assert sshd.run(near, "plan", "-f", "/dev/stdin", stdin=SITE.replace("@", f"@{tmp_path}/").encode())[2] == (
        "nothing to do: everything is as wanted\n"
    )
    file.write_text(SITE + "mtu = 3\nfrob = 1\n")
    (tmp_path / "tx.cookie").unlink()
    code, out, err = sshd.run(near, "check", "site.toml", cwd=tmp_path)
    assert code == 1 and [line.split(": ")[0] for line in err.splitlines()] == [
        f"site.toml:{line}" for line in (6, 8, 9)
    ]
    assert "can't read 'tx.cookie': No such file" in err


def test_files_are_written_here(near: Host, sshd: Sshd, tmp_path: Path) -> None:
    sshd.run(near, "apply", "-f", str(site(tmp_path)))
    for name, mode in (("export", 0o600), ("metrics", 0o644)):
        written = tmp_path / name
        assert sshd.run(near, name, "-o", str(written))[0] == 0
        assert written.stat().st_mode & 0o777 == mode
    assert COOKIE in (tmp_path / "export").read_text()
    assert "l2tpv3_session" in (tmp_path / "metrics").read_text()
    old = (tmp_path / "export").read_text()
    assert sshd.run(near, "export", "nobody", "-o", str(tmp_path / "export"))[0] == 3
    assert (tmp_path / "export").read_text() == old


def test_a_capture_flows_and_ends_by_ctrl_c_with_what_it_has_to_say(near: Host, sshd: Sshd, tmp_path: Path) -> None:
    sshd.run(near, "apply", "-f", str(site(tmp_path)))
    file = tmp_path / "lan.pcapng"
    capturing = sshd.start(near, "capture", "t", "lan", "--side", "inner", "-w", str(file))
    assert capturing.stderr is not None and b"Ctrl-C ends it" in capturing.stderr.readline()
    eventually(lambda: file.stat().st_size or sshd.host.ping("10.9.0.9", "-W", "0.1", check=False))
    capturing.send_signal(signal.SIGINT)
    assert b"packets captured" in capturing.stderr.read()
    assert capturing.wait(PATIENCE_S) == 0
    assert len(list(pcapng.packets([file.read_bytes()]))) > 0


def far_processes(sshd: Sshd, word: str) -> list[str]:
    found = sshd.host.run(["pgrep", "-f", word], check=False).stdout.split()
    mine = {os.getpid()}
    namespace = Path("/run/netns", sshd.host.netns).stat().st_ino
    return [pid for pid in found if int(pid) not in mine and _netns(pid) == namespace]


def _netns(pid: str) -> int:
    try:
        return Path("/proc", pid, "ns/net").stat().st_ino
    except OSError:
        return 0


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_both_ends_end(near: Host, sshd: Sshd, end: signal.Signals) -> None:
    following = sshd.start(near, "events", "--json")
    assert following.stdout is not None
    sshd.host.ctl("tunnel", "add", "t", "--remote", near.v4, "--datapath", "user")
    numbers = itertools.count()
    while not wait_readable([following.stdout], 0.5):  # it listens when it has told of a change
        assert following.poll() is None
        sshd.host.ctl("tunnel", "set", "t", "--description", str(next(numbers)))
    assert far_processes(sshd, "run-sent")
    following.send_signal(end)
    following.communicate(timeout=PATIENCE_S)
    eventually(lambda: not far_processes(sshd, "run-sent"))
    if end == signal.SIGINT:
        assert following.returncode == 0


def without(sshd: Sshd, line: str, folder: Path) -> dict[str, str]:
    """An environment with ssh's configuration without a line, or with another one in its place."""
    key, _, _ = line.partition(" ")
    kept = [one for one in sshd.config.read_text().splitlines() if one.split()[0] != key]
    config = folder / "config"
    config.write_text("\n".join([*kept, f"  {line}", ""]))
    return {"L2TPV3_SSH": f"ssh -F {config}"}


def test_what_ssh_says_is_one_sentence(near: Host, sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    unknown = without(sshd, f"UserKnownHostsFile {tmp_path}/empty", tmp_path)
    program = sshd.url.partition("?")[0]
    for name, line in (("old", "l2tpctl: no such command 'run-sent'"), ("new", "l2tpctl run-sent protocol 9 99.0")):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{line}" >&2\nexit 1\n')
        (tmp_path / name).chmod(0o755)
    cases: list[tuple[str, dict[str, str], int, str]] = [
        ("", unknown, 2, "the host key is not known here; `ssh Far-Host` shows it"),
        ("", {"L2TPV3_SSH": "/nowhere/ssh"}, 2, "can't run '/nowhere/ssh': No such file or directory"),
        (f"ssh://root@{sshd.host.v4}:23", {}, 2, "Connection refused; see that sshd runs there"),
        (f"ssh://nobody-here@{sshd.name}", {}, 5, "it does not let us in: nobody-here@"),
        (f"{program}?program=/nowhere/l2tpctl", {}, 2, "can't be run there"),
        (f"{program}?program=/bin/true", {}, 2, "there is no l2tpctl that answers"),
        (f"{program}?sudo&program=/bin/true", {}, 2, "l2tpctl"),
        (f"{program}?program={tmp_path}/old", {}, 2, "is too old for it; install version"),
        (f"{program}?program={tmp_path}/new", {}, 2, "of another version (l2tpctl run-sent protocol 9 99.0)"),
        ("ssh://-oProxyCommand=reboot", {}, 1, "can't be a host or user"),
        (f"{program}?frob", {}, 1, "is not known behind an ssh:// URL"),
        ("ssh://a:secret@b", {}, 1, "can't be the URL of a host"),
    ]
    for url, environment, status, words in cases:
        settings = near.environment | {"L2TPV3_SSH": sshd.environment["L2TPV3_SSH"]} | environment
        code, out, err = sshd.run(near, "tunnel", "show", url=url, env=settings)
        assert (code, out) == (status, ""), (url, err)
        assert err.startswith("l2tpctl: ") and err.count("\n") == 1 and words in err, (url, err)
    (tmp_path / "known").write_text(f"{sshd.host.v4} {(sshd.folder / 'user_key.pub').read_text()}")
    changed = near.environment | without(sshd, f"UserKnownHostsFile {tmp_path}/known", tmp_path)
    code, _, err = sshd.run(near, "--json", env=changed)
    assert code == 2 and "is not the one that is known here" in json.loads(err)["error"]["problem"]


def test_names_in_hosts_toml_and_completion(near: Host, sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "l2tpv3").mkdir()
    (tmp_path / "l2tpv3" / "hosts.toml").write_text(f'[host.siteb]\nurl = "{sshd.url}"\n')
    sshd.run(near, "tunnel", "add", "siteb-first", "--remote", "10.99.0.1")
    settings = near.environment | {"L2TPV3_SSH": sshd.environment["L2TPV3_SSH"], "XDG_CONFIG_HOME": str(tmp_path)}
    assert "siteb-first" in sshd.run(near, "tunnel", "show", url="siteb", env=settings)[1]
    line = "l2tpctl --host siteb tunnel show site"
    asking = {"_L2TPCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "5"}
    assert sshd.run(near, env=settings | asking)[1] == "siteb-first\n"
