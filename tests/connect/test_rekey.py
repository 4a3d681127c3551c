"""New keys for both ends of an encrypted tunnel from one command, while packets pass."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.encryption.underlay import Wire, in_the_clear
from tests.hosts import UNDERLAY, Host
from tests.sshd import L2TPCTL, Sshd
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]

BLOCK = ["xfrm", "policy", "add", "src", "10.99.0.1", "dst", "10.99.0.2", "proto", "udp", "dir", "in"]


def shown(host: Host) -> dict[str, Any]:
    """What the host says of its tunnel t."""
    (tunnel,) = json.loads(host.ctl("tunnel", "show", "t", "--json").stdout)["tunnels"]
    found: dict[str, Any] = tunnel
    return found


def keys(host: Host) -> tuple[str, str]:
    """The public keys of this end and of its peer."""
    tunnel = shown(host)
    return tunnel["encryption"]["public_key"], tunnel["wanted"].get("peer-public-key", "")


def join(a: Host, b: Host, datapath: str) -> None:
    """Make the encrypted tunnel t at both ends. A ping passes when this returns."""
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--encrypt", "wireguard", "--datapath", datapath)
    a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
    tunnel, session = a.ctl("peer", "t").stdout.splitlines()
    b.ctl(*tunnel.split()[1:], "--datapath", datapath)
    b.ctl(*session.split()[1:], "--ifname", "l2s", "--address", "10.9.0.2/24")
    a.ctl("tunnel", "set", "t", "--peer-public-key", keys(b)[0])
    give_up = time.monotonic() + PATIENCE_S
    while not a.ping("10.9.0.2", check=False):
        assert time.monotonic() < give_up


@pytest.fixture
def joined(pair: tuple[Host, Host]) -> Iterator[Callable[[str], tuple[Host, Host]]]:
    def make(datapath: str) -> tuple[Host, Host]:
        join(*pair, datapath)
        return pair

    yield make
    for host in pair:
        host.ctl("rollback", check=False)
        host.ctl("tunnel", "del", "t", check=False)


def rekey(a: Host, sshd: Sshd, *words: str) -> tuple[int, str]:
    environment = a.environment | {"L2TPV3_SSH": sshd.environment["L2TPV3_SSH"]}
    command = ["ip", "netns", "exec", a.netns, L2TPCTL, "tunnel", "rekey", "t", "--host", sshd.url, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.returncode, done.stderr


def test_new_keys_at_both_ends_without_a_lost_packet(
    joined: Callable[[str], tuple[Host, Host]], sshd: Sshd, tmp_path: Path
) -> None:
    a, b = joined("user")
    before, inside = keys(a), shown(a)["encryption"]["local"]
    with Wire(a.netns, UNDERLAY) as wire:
        command = ["ip", "netns", "exec", a.netns, "ping", "-i", "0.01", "10.9.0.2"]
        with (tmp_path / "answers").open("w") as file:
            packets = subprocess.Popen(command, stdout=file)
        code, said = rekey(a, sshd)
        packets.send_signal(signal.SIGINT)
        packets.wait(PATIENCE_S)
        answers = [int(one) for one in re.findall(r"icmp_seq=(\d+)", (tmp_path / "answers").read_text())]
        assert not [one for kind, packet in wire.packets() if (one := in_the_clear(kind, packet))]
    assert code == 0, said
    assert len(answers) > 50 and answers == [*range(1, len(answers) + 1)]
    after = keys(a)
    assert not {*before} & {*after} and keys(b) == after[::-1]
    assert shown(a)["encryption"]["local"] == inside
    for host in (a, b):
        assert "nothing waits" in host.ctl("confirm", check=False).stderr


def test_what_fails_leaves_both_ends_with_their_keys(joined: Callable[[str], tuple[Host, Host]], sshd: Sshd) -> None:
    a, b = joined("user")
    before = keys(a)
    code, said = rekey(a, sshd, "--peer-name", "nope")
    assert code == 3 and "no such tunnel" in said
    b.ctl("tunnel", "add", "u", "--remote", a.v4, "--encrypt", "wireguard")
    code, said = rekey(a, sshd, "--peer-name", "u")
    b.ctl("tunnel", "del", "u")
    assert code == 4 and "is not the other end" in said
    b.ip(*BLOCK, "action", "block")
    try:
        code, said = rekey(a, sshd)
    finally:
        b.ip("xfrm", "policy", "flush")
    assert code == 2 and "the peer does not answer with its new key" in said
    assert keys(a) == before and keys(b) == before[::-1]
    for host in (a, b):
        assert "nothing waits" in host.ctl("confirm", check=False).stderr


def test_a_key_that_nobody_confirms_is_put_back(joined: Callable[[str], tuple[Host, Host]]) -> None:
    a, _ = joined("user")
    before = keys(a)
    a.ctl("rekey-facts", "t")
    command = ["ip", "netns", "exec", a.netns, L2TPCTL, "rekey-turn", "t", "2"]
    with subprocess.Popen(command, env=a.environment, stdout=subprocess.PIPE, text=True) as turn:
        assert turn.stdout is not None and turn.stdout.readline() == "ready\n"
        assert keys(a) == before
        turn.send_signal(signal.SIGINT)
        assert turn.stdout.readline() == "done\n"
    assert keys(a)[0] != before[0]
    give_up = time.monotonic() + PATIENCE_S
    while keys(a) != before:
        assert time.monotonic() < give_up
        time.sleep(0.1)
