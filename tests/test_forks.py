"""`l2tpctl` in a fork does what the program does that is started anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forks import FORKS
from tests.hosts import Host

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["--version"], ""),
        (["tunnel", "show", "nowhere"], ""),
        (["--no-such-option"], ""),
        (["plan", "-f", "-"], '[tunnel.siteb]\nremote = "127.0.0.2"\ndatapath = "user"\n'),
    ],
)
def test_it_prints_and_ends_as_the_program_does(netns: Callable[[str], Host], words: list[str], stdin: str) -> None:
    host = netns("a")
    real = host.run([Path(sys.executable).with_name("l2tpctl"), *words], check=False, stdin=stdin)
    forked = host.ctl(*words, check=False, stdin=stdin)
    assert (forked.returncode, forked.stdout, forked.stderr) == (real.returncode, real.stdout, real.stderr)


def test_it_is_a_process_of_its_own_each_time(netns: Callable[[str], Host]) -> None:
    """What one command chooses at random, the next does not choose again."""
    host = netns("a")
    host.ctl("tunnel", "add", "t", "--remote", "127.0.0.2", "--datapath", "user")
    chosen = []
    for _ in range(2):
        host.ctl("session", "add", "t", "s")
        chosen.append(host.ctl("session", "show", "t", "s", "--json", "--show-secrets").stdout)
        host.ctl("session", "del", "t", "s")
    assert chosen[0] != chosen[1]


def test_what_takes_too_long_is_killed(netns: Callable[[str], Host]) -> None:
    host = netns("a")
    with pytest.raises(subprocess.TimeoutExpired):
        FORKS.run(["watch"], netns=host.netns, environment=host.environment, timeout_s=1)
    assert host.ctl("tunnel", "show").returncode == 0
