"""Network namespaces on demand: there with the first that goes into them, gone with the last, never somebody else's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from l2tpv3.linux.netns import inside, is_named, standing_in
from l2tpv3.linux.netns_mount import make_netns, unname_netns
from tests.hosts import Host

pytestmark = pytest.mark.root


@pytest.fixture
def spaces(underlay: tuple[Host, Host]) -> tuple[Host, str, str]:
    """A host with a tunnel, and two names that no namespace has yet."""
    a, b = underlay
    names = f"{a.netns}-red", f"{a.netns}-blue"
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--datapath", "user")
    return a, *names


def addresses(netns: str) -> dict[str, list[str]]:
    """The IPv4 addresses in a namespace, by netdev."""
    said = subprocess.run(["ip", "-n", netns, "-j", "-4", "addr"], check=True, stdout=subprocess.PIPE).stdout
    return {one["ifname"]: [each["local"] for each in one["addr_info"]] for one in json.loads(said)}


def names() -> set[str]:
    """The names that `ip netns` knows."""
    return {path.name for path in Path("/run/netns").iterdir()}


def test_it_is_there_with_the_first_session_and_gone_with_the_last(spaces: tuple[Host, str, str]) -> None:
    host, red, _ = spaces
    host.ctl("session", "add", "t", "one", "--netns", red, "--ifname", "pw1", "--address", "10.9.0.1/24")
    host.ctl("session", "add", "t", "two", "--netns", red, "--ifname", "pw2", "--address", "10.9.1.1/24")
    assert addresses(red) == {"lo": ["127.0.0.1"], "pw1": ["10.9.0.1"], "pw2": ["10.9.1.1"]}
    host.ctl("session", "del", "t", "one")
    assert red in names()
    host.ctl("session", "del", "t", "two")
    assert red not in names()
    log = host.ctl("log").stdout
    assert log.count(f"+ network namespace {red}: made") == 1


def test_a_link_has_one_too_and_a_session_may_follow_it(spaces: tuple[Host, str, str]) -> None:
    host, red, blue = spaces
    host.ctl("link", "add", "card", "--type", "macvlan", "--over", "u0", "--netns", red, "--address", "10.7.0.1/24")
    host.ctl("session", "add", "t", "one", "--netns", red)
    assert addresses(red)["card"] == ["10.7.0.1"]
    host.ctl("link", "set", "card", "--netns", blue)
    assert addresses(blue)["card"] == ["10.7.0.1"] and "card" not in addresses(red)
    host.ctl("session", "del", "t", "one")
    assert {red, blue} & names() == {blue}
    host.ctl("link", "del", "card")
    assert not {red, blue} & names()


def test_a_plan_says_so_and_touches_nothing(spaces: tuple[Host, str, str], tmp_path: Path) -> None:
    host, red, _ = spaces
    file = tmp_path / "wanted.toml"
    file.write_text(f'[link.card]\ntype = "macvlan"\nover = ["u0"]\nnetns = "{red}"\n')
    steps = json.loads(host.ctl("plan", "-f", str(file), "--json").stdout)["steps"]
    assert [(one["sign"], one["netns"], one["link"]) for one in steps] == [("+", red, None), ("+", None, "card")]
    assert red not in names()


def test_somebody_elses_of_that_name_stays(spaces: tuple[Host, str, str]) -> None:
    host, red, blue = spaces
    subprocess.run(["ip", "netns", "add", red], check=True)
    host.ctl("session", "add", "t", "one", "--netns", red)
    host.ctl("session", "add", "t", "two", "--netns", blue)
    subprocess.run(["ip", "netns", "del", blue], check=True)
    subprocess.run(["ip", "netns", "add", blue], check=True)
    host.ctl("tunnel", "del", "t")
    assert {red, blue} <= names()


def test_one_that_somebody_uses_stays_until_nobody_does(spaces: tuple[Host, str, str]) -> None:
    host, red, blue = spaces
    for number, name in enumerate((red, blue)):
        host.ctl("session", "add", "t", f"s{number}", "--netns", name)
    subprocess.run(["ip", "-n", red, "link", "add", "mine", "type", "bridge"], check=True)
    inside_blue = subprocess.Popen(["ip", "netns", "exec", blue, "sleep", "60"])
    try:
        host.ctl("session", "del", "t", "s0")
        host.ctl("session", "del", "t", "s1")
        assert {red, blue} <= names()
    finally:
        inside_blue.kill()
        inside_blue.wait()
    host.ctl("tunnel", "del", "t")
    assert {red, blue} & names() == {red}


def test_down_takes_it_away_and_restore_makes_it_again(spaces: tuple[Host, str, str]) -> None:
    host, red, _ = spaces
    host.ctl("session", "add", "t", "one", "--netns", red, "--ifname", "pw1", "--address", "10.9.0.1/24")
    host.ctl("down")
    assert red not in names()
    assert host.ctl("restore", "--namespaces").stderr == f"network namespace {red}: restored\n"
    assert addresses(red) == {"lo": ["127.0.0.1"]}, "restore brings back what down has stopped"
    host.ctl("restore")
    assert addresses(red)["pw1"] == ["10.9.0.1"]
    subprocess.run(["ip", "netns", "del", red], check=True)
    assert host.ctl("restore", "--namespaces").stderr == f"network namespace {red}: restored\n"
    assert addresses(red) == {"lo": ["127.0.0.1"]}
    host.ctl("restore")
    assert addresses(red)["pw1"] == ["10.9.0.1"]


def test_restore_makes_only_what_was_made_here(spaces: tuple[Host, str, str]) -> None:
    """Another program's will come; it may even come with something in it."""
    host, red, _ = spaces
    subprocess.run(["ip", "netns", "add", red], check=True)
    host.ctl("session", "add", "t", "one", "--netns", red)
    subprocess.run(["ip", "netns", "del", red], check=True)
    done = host.ctl("restore", check=False)
    assert done.returncode and red in done.stderr and red not in names()


def test_a_change_that_fails_leaves_none(spaces: tuple[Host, str, str]) -> None:
    host, red, blue = spaces
    host.ctl("session", "add", "t", "one", "--id", "7")
    done = host.ctl("session", "add", "t", "two", "--id", "7", "--netns", red, check=False)
    assert done.returncode and red not in names()
    done = host.ctl("tunnel", "add", "u", "--remote", "192.0.2.9", "--netns", blue, check=False)
    assert f"`ip netns add {blue}` makes it" in done.stderr and blue not in names()


def test_what_is_left_of_one_killed_half_way_is_in_nobodys_way(spaces: tuple[Host, str, str]) -> None:
    """`ip netns add` too makes the file first, and then mounts the namespace on it."""
    host, red, _ = spaces
    Path(f"/run/netns/{red}").touch()
    host.ctl("session", "add", "t", "one", "--netns", red)
    assert "lo" in addresses(red)


def test_it_is_seen_outside_of_a_mount_namespace_of_ones_own(spaces: tuple[Host, str, str]) -> None:
    """All of the above runs by `ip netns exec`, which makes one; and without."""
    _, red, _ = spaces
    furnished: list[bool] = []
    make_netns(red, lambda: furnished.append(True))
    assert is_named(red) and furnished
    unname_netns(red)
    unname_netns(red)
    assert not is_named(red) and red not in names()


def test_what_stands_in_is_empty_and_nobody_elses(spaces: tuple[Host, str, str]) -> None:
    _, red, blue = spaces
    with standing_in(lambda name: name == red):
        with inside(red):
            assert Path("/proc/thread-self/net/dev").read_text().count(":") == 1, "its loopback"
        with pytest.raises(Exception, match="No such file"), inside(blue):
            pass
        assert not is_named(red)
