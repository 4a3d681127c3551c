"""The machinery that the other tests stand on."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hosts import UNDERLAY, Host, Hosts, runs

pytestmark = pytest.mark.root


def test_a_pair_reach_each_other_over_both_families(underlay: tuple[Host, Host]) -> None:
    a, b = underlay
    assert a.ping(b.v4)
    assert b.ping(a.v6)


def test_a_pair_has_the_mtu_asked_for(link_pair: Callable[..., tuple[Host, Host]]) -> None:
    a, b = link_pair(("x", "y"), mtu=1400)
    for host in (a, b):
        assert "mtu 1400" in host.ip("link", "show", UNDERLAY)


def test_a_host_on_its_own_has_loopback_and_nothing_else(netns: Callable[[str], Host]) -> None:
    host = netns("alone")
    assert host.ping("127.0.0.1")
    assert not host.ping("10.99.0.2", check=False)


def test_a_failing_command_tells_its_output(netns: Callable[[str], Host]) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        netns("a").run(["sh", "-c", "echo said >&2; exit 3"])
    assert caught.value.returncode == 3
    assert "said" in caught.value.stderr


def test_closing_removes_namespaces_processes_and_files() -> None:
    hosts = Hosts()
    a, b = hosts.pair()
    stubborn = a.start(["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"])
    hidden = a.run(["sh", "-c", "setsid sleep 100 >/dev/null 2>&1 & echo $!"]).stdout.strip()
    hosts.close()
    assert stubborn.poll() is not None
    assert not runs(int(hidden))
    assert not a.folder.exists()
    assert not [host.netns for host in (a, b) if Path("/run/netns", host.netns).exists()]


@pytest.mark.parametrize("mark", [None, "L2TPV3_TEST_RUN=1"])
def test_closing_spares_who_only_visits_a_namespace(mark: str | None) -> None:
    """As other test processes do, and the commands of other runs: a search for a netdev enters all namespaces."""
    hosts = Hosts()
    (host,) = hosts.add("a")
    own = ["env", "-u", "L2TPV3_TEST_RUN"] if mark is None else ["unshare", "--mount", "env", mark]
    enter = ["nsenter", f"--net=/run/netns/{host.netns}", "sh", "-c", "echo there; exec sleep 100"]
    visitor = subprocess.Popen([*own, *enter], stdout=subprocess.PIPE, text=True)
    try:
        assert visitor.stdout is not None and visitor.stdout.readline() == "there\n"
        hosts.close()
        assert visitor.poll() is None
    finally:
        visitor.kill()
        visitor.communicate()
