"""Both ends from one command: two hosts with a real sshd at one, on the user datapath."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.encryption.underlay import Wire, is_wireguard
from tests.hosts import UNDERLAY, Host
from tests.sshd import L2TPCTL, Sshd
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

USER = ("--datapath", "user", "--peer-datapath", "user")


@pytest.fixture
def a(pair: tuple[Host, Host], sshd: Sshd) -> Iterator[Host]:
    yield pair[0]
    for host in pair:
        host.ctl("rollback", check=False)
        for tunnel in tunnels(host):
            host.ctl("tunnel", "del", tunnel)


def tunnels(host: Host) -> list[str]:
    return [one["name"] for one in json.loads(host.ctl("--json").stdout)["tunnels"]]


def start(a: Host, sshd: Sshd, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    environment = a.environment | {"L2TPV3_SSH": sshd.environment["L2TPV3_SSH"]}
    command = ["ip", "netns", "exec", a.netns, L2TPCTL, *words]
    return subprocess.Popen(
        command, env=environment, cwd=cwd, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(a: Host, sshd: Sshd, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
    running = start(a, sshd, *words, cwd=cwd)
    out, err = running.communicate(timeout=PATIENCE_S)
    return running.returncode, out, err


def connect(a: Host, sshd: Sshd, *words: str, cwd: Path | None = None) -> tuple[int, str, str]:
    return run(a, sshd, "connect", "siteb", "--host", sshd.url, *USER, *words, cwd=cwd)


def test_both_ends_from_one_command_and_away_again(a: Host, sshd: Sshd, tmp_path: Path) -> None:
    b = sshd.host
    (tmp_path / "click.py").write_text("from pathlib import Path\nPath(__file__).with_name('was run').touch()\n")
    code, out, err = connect(a, sshd, "--plan")
    assert code == 0 and not tunnels(a) and not tunnels(b) and not err
    code, out, err = connect(
        a, sshd, "--address", "10.9.0.1/24", "--peer-address", "10.9.0.2/24", "--peer-name", "sitea", cwd=tmp_path
    )
    assert not (tmp_path / "was run").exists(), "the folder that the user is in is no place for modules"
    assert code == 0, err
    assert out.startswith("here:\n+ tunnel siteb: ") and f"at {sshd.name}:\n+ tunnel sitea: " in out
    assert "bytes pass both ways" in err and err.index("at Far-Host: confirmed") < err.index("here: confirmed")
    assert a.ping("10.9.0.2")
    for host in (a, b):
        assert "nothing waits" in host.ctl("confirm", check=False).stderr
    assert connect(a, sshd)[0] == 4, "there is one already"
    code, _, err = run(a, sshd, "disconnect", "siteb")
    assert code == 0 and not tunnels(a) and not tunnels(b), err
    assert run(a, sshd, "disconnect", "siteb")[0] == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--mtu 99999", "--mtu: 99999 is out of range; give 68 to 65535, or auto"),
        ("--encrypt wiregard", "'wiregard' is unknown"),
        ("--local here", "'here' is not an IP address"),
        ("--peer-ifname a/b", "'a/b' is not a netdev's name"),
    ],
)
def test_values_that_cannot_be_meant_are_told_before_the_far_end_is_asked(
    a: Host, sshd: Sshd, words: str, says: str
) -> None:
    code, _, err = run(a, sshd, "connect", "siteb", "--host", "ssh://[::1]:1", *words.split())
    assert code == 1 and says in err, err


def test_disconnect_removes_what_was_connected_and_nothing_else(a: Host, sshd: Sshd) -> None:
    b = sshd.host
    a.ctl("tunnel", "add", "own", "--remote", "10.99.0.77", "--datapath", "user")
    for name in ("own", "../../siteb"):
        assert run(a, sshd, "disconnect", name, "--here")[0] == 3
    assert connect(a, sshd)[0] == 0
    is_ = json.loads(b.ctl("tunnel", "show", "siteb", "--json").stdout)["tunnels"][0]
    b.ctl("tunnel", "del", "siteb")
    another = ["--id", str(is_["id"]), "--peer-id", str(is_["peer_id"]), "--datapath", "user"]
    b.ctl("tunnel", "add", "siteb", "--remote", "10.99.0.77", *another)
    a.ctl("session", "add", "siteb", "second")
    code, _, err = run(a, sshd, "disconnect", "siteb")
    assert code == 4 and "at Far-Host: tunnel siteb: it is not as it was connected" in err
    code, _, err = run(a, sshd, "disconnect", "siteb", "--here")
    assert code == 4 and "here: tunnel siteb: it is not as it was connected" in err
    assert tunnels(a) == ["own", "siteb"] and tunnels(b) == ["siteb"]
    a.ctl("session", "del", "siteb", "second")
    assert run(a, sshd, "disconnect", "siteb", "--here")[0] == 0
    assert tunnels(a) == ["own"] and tunnels(b) == ["siteb"]


def test_ports_that_another_program_has_are_not_drawn(a: Host, sshd: Sshd) -> None:
    holding = "import socket, sys; s = socket.socket(2, 2); s.bind(('', 1701)); print(flush=True); sys.stdin.read()"
    with contextlib.ExitStack() as stack:
        for host in (a, sshd.host):
            command = ["ip", "netns", "exec", host.netns, sys.executable, "-c", holding]
            program = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            assert program.stdin is not None and program.stdout is not None and program.stdout.readline()
            stack.callback(program.stdin.close)
        assert connect(a, sshd)[0] == 0
    for host in (a, sshd.host):
        shown = json.loads(host.ctl("tunnel", "show", "siteb", "--json").stdout)["tunnels"][0]
        assert shown["local_port"] == shown["remote_port"] == 1702


def test_encrypted_and_with_frames_of_full_size(a: Host, sshd: Sshd) -> None:
    b = sshd.host
    with Wire(a.netns, UNDERLAY) as wire:
        code, _, err = connect(a, sshd, "--encrypt", "wireguard", "--mtu", "1500", "--address", "10.9.0.1/24")
        assert code == 0 and "frames of up to 1514 bytes pass both ways" in err, err
        packets = [packet for kind, packet in wire.packets() if kind == 0x0800 and packet[9] == 17]
    assert packets and all(map(is_wireguard, packets))
    shown = [json.loads(host.ctl("tunnel", "show", "siteb", "--json").stdout)["tunnels"][0] for host in (a, b)]
    assert all(one["encryption"]["handshake"] for one in shown)
    assert run(a, sshd, "disconnect", "siteb")[0] == 0
    assert not tunnels(a) and not tunnels(b)


BLOCK = ["src", "10.99.0.1", "dst", "10.99.0.2", "proto", "udp", "dport", "1701", "dir", "in"]


@pytest.mark.parametrize(
    ("bad", "good", "said"),
    [
        (
            ["xfrm", "policy", "add", *BLOCK, "action", "block"],
            ["xfrm", "policy", "del", *BLOCK],
            "no frame that is sent here arrives there",
        ),
        (
            ["link", "set", UNDERLAY, "mtu", "1400"],
            ["link", "set", UNDERLAY, "mtu", "1500"],
            "small frames pass, but those of full size, 1452 bytes, do not arrive there",
        ),
    ],
)
def test_what_does_not_pass_frames_is_put_back_at_both_ends(
    a: Host, sshd: Sshd, bad: list[str], good: list[str], said: str
) -> None:
    b = sshd.host
    b.ip(*bad)
    try:
        code, _, err = connect(a, sshd, "--mtu", "1438")
    finally:
        b.ip(*good)
    assert code == 2 and said in err.splitlines()[-1], err
    assert "here: as it was before" in err and "at Far-Host: as it was before" in err
    assert not tunnels(a) and not tunnels(b)


def test_an_end_that_refuses_leaves_the_other_as_it_was(a: Host, sshd: Sshd) -> None:
    b = sshd.host
    for words in (("--bridge", "nowhere"), ("--peer-bridge", "nowhere")):
        code, _, err = connect(a, sshd, *words)
        assert code == 3 and "nowhere" in err, err
        assert not tunnels(a) and not tunnels(b)
    code, _, err = run(a, sshd, "connect", "siteb", "--host", "https://localhost:1", *USER)
    assert code == 1 and "both ends are made over ssh" in err


def test_an_end_that_is_cut_off_goes_back_by_itself(a: Host, sshd: Sshd) -> None:
    b = sshd.host
    connecting = start(a, sshd, "connect", "siteb", "--host", sshd.url, *USER, "--confirm", "15")
    assert connecting.stderr is not None
    while "here: applied" not in (line := connecting.stderr.readline()):
        assert line, "it ended before"
    a.ip("link", "set", UNDERLAY, "down")
    time.sleep(0.1)
    connecting.send_signal(signal.SIGKILL)
    connecting.communicate(timeout=PATIENCE_S)
    a.ip("link", "set", UNDERLAY, "up")
    give_up = time.monotonic() + PATIENCE_S
    while (tunnels(a) or tunnels(b)) and time.monotonic() < give_up:
        time.sleep(1)
    assert not tunnels(a) and not tunnels(b)


def test_an_end_that_somebody_confirmed_meanwhile_is_said_to_stay(a: Host, sshd: Sshd) -> None:
    b = sshd.host
    b.ip("xfrm", "policy", "add", *BLOCK, "action", "block")
    connecting = start(a, sshd, "connect", "siteb", "--host", sshd.url, *USER)
    assert connecting.stderr is not None
    while "here: applied" not in (line := connecting.stderr.readline()):
        assert line, "it ended before"
    b.ctl("confirm")
    connecting.send_signal(signal.SIGINT)
    said = connecting.communicate(timeout=PATIENCE_S)[1]
    b.ip("xfrm", "policy", "del", *BLOCK)
    assert connecting.returncode == 130 and "here: as it was before" in said
    assert "at Far-Host: tunnel siteb: stays, as it was confirmed there meanwhile" in said
    assert "at Far-Host: as it was before" not in said and "at Far-Host: its state is not known" in said
    assert not tunnels(a) and tunnels(b) == ["siteb"]


def test_nobody_has_to_read_what_is_told(a: Host, sshd: Sshd) -> None:
    connecting = start(a, sshd, "connect", "siteb", "--host", sshd.url, *USER)
    assert connecting.stderr is not None
    assert "at Far-Host: applied" in connecting.stderr.readline()
    connecting.stderr.close()
    connecting.stderr = None
    connecting.communicate(timeout=PATIENCE_S)
    for host in (a, sshd.host):
        assert tunnels(host) == ["siteb"] and "nothing waits" in host.ctl("confirm", check=False).stderr


def test_ctrl_c_puts_both_ends_back(a: Host, sshd: Sshd) -> None:
    connecting = start(a, sshd, "connect", "siteb", "--host", sshd.url, *USER)
    assert connecting.stderr is not None
    while "here: applied" not in (line := connecting.stderr.readline()):
        assert line, "it ended before"
    connecting.send_signal(signal.SIGINT)
    said = connecting.communicate(timeout=PATIENCE_S)[1]
    assert connecting.returncode == 130, said
    assert "here: as it was before" in said and "at Far-Host: as it was before" in said
    assert not tunnels(a) and not tunnels(sshd.host)
