"""New cookies at both ends of a session from one command, while packets pass."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import Host
from tests.sshd import L2TPCTL, Sshd
from tests.waiting import PATIENCE_S, eventually

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]


def cookies(host: Host) -> tuple[str, str]:
    """What t/s sends, and what it expects."""
    shown = json.loads(host.ctl("session", "show", "t", "s", "--json", "--show-secrets").stdout)
    (session,) = shown["sessions"]
    return session["tx_cookie"]["hex"], session["rx_cookie"]["hex"]


def discards(host: Host) -> int:
    """The packets with a wrong cookie."""
    shown = json.loads(host.ctl("session", "show", "t", "s", "--json").stdout)
    count: int = shown["sessions"][0]["counters"]["rx_cookie_discards"]
    return count


def rotate(a: Host, sshd: Sshd, *words: str) -> tuple[int, str]:
    environment = a.environment | {"L2TPV3_SSH": sshd.environment["L2TPV3_SSH"]}
    command = ["ip", "netns", "exec", a.netns, L2TPCTL, "session", "rotate-cookie", "t", "s", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.returncode, done.stderr


@pytest.fixture
def joined(pair: tuple[Host, Host]) -> Iterator[tuple[Host, Host]]:
    """The session t/s, at one end on the user datapath, at the other one on ebpf."""
    a, b = pair
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--datapath", "user", "--udp-checksum", "off")
    a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
    tunnel, session = a.ctl("peer", "t").stdout.splitlines()
    b.ctl(*tunnel.split()[1:], "--datapath", "ebpf")
    b.ctl(*session.split()[1:], "--ifname", "l2s", "--address", "10.9.0.2/24")
    yield pair
    for host in pair:
        host.ctl("rollback", check=False)
        host.ctl("tunnel", "del", "t", check=False)


def test_new_cookies_at_both_ends_without_a_lost_packet(joined: tuple[Host, Host], sshd: Sshd, tmp_path: Path) -> None:
    a, b = joined
    a.ping("10.9.0.2")
    before, dropped = cookies(a), discards(a) + discards(b)
    answers = tmp_path / "answers"
    with answers.open("w") as file:
        command = ["ip", "netns", "exec", a.netns, "ping", "-i", "0.01", "10.9.0.2"]
        packets = subprocess.Popen(command, stdout=file)
    eventually(lambda: "icmp_seq=20 " in answers.read_text())
    code, said = rotate(a, sshd, "--host", sshd.url)
    seen = len(answers.read_text().splitlines())
    eventually(lambda: len(answers.read_text().splitlines()) > seen + 20)
    packets.send_signal(signal.SIGINT)
    packets.wait(PATIENCE_S)
    numbers = [int(one) for one in re.findall(r"icmp_seq=(\d+)", answers.read_text())]
    assert code == 0, said
    assert numbers == [*range(1, len(numbers) + 1)]
    after = cookies(a)
    assert not {*before} & {*after} and cookies(b) == after[::-1] and {len(one) for one in after} == {16}
    assert discards(a) + discards(b) == dropped
    for host in joined:
        assert "nothing waits" in host.ctl("confirm", check=False).stderr


def test_what_fails_leaves_both_ends_with_their_cookies(joined: tuple[Host, Host], sshd: Sshd) -> None:
    a, b = joined
    before = cookies(a)
    code, said = rotate(a, sshd)
    assert code == 1 and "it is not known how to reach" in said
    code, said = rotate(a, sshd, "--host", sshd.url, "--peer-session", "nope")
    assert code == 3 and "no such session" in said
    b.ctl("session", "add", "t", "u", "--ifname", "l2u")
    code, said = rotate(a, sshd, "--host", sshd.url, "--peer-session", "u")
    assert code == 4 and "is not the other end" in said
    b.ctl("session", "del", "t", "u")
    assert cookies(a) == before
