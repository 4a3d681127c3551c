"""What is told of addresses and MTUs that are taken as they are given, and of a change that changes nothing."""

from __future__ import annotations

import pytest

from tests.here import Here
from tests.hosts import Hosts

pytestmark = pytest.mark.root


@pytest.fixture
def host(hosts: Hosts) -> Here:
    """A host with a tunnel."""
    a, b = hosts.pair()
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
    return here


def test_an_address_that_another_netdev_has_is_told_of(host: Here) -> None:
    host.add_session("t", "one", {"address": ["10.9.0.1/24"]})
    added = host.host.ctl("session", "add", "t", "two", "--address", "10.9.0.1/24").stderr
    assert "l2tpeth0 has the address 10.9.0.1 too" in added
    assert "l2tpeth1 has the address 10.9.0.1 too" in host.session("t", "one").notes[0]
    host.set_session("t", "two", {"address": ["10.99.0.1/24"]})
    assert "u0 has the address 10.99.0.1 too" in host.session("t", "two").notes[0]


def test_an_mtu_that_cuts_frames_up_is_told_of_where_no_lan_needs_it(host: Here) -> None:
    added = host.host.ctl("session", "add", "t", "lan", "--mtu", "9000").stderr
    assert "one packet has room for 1438; `l2tpctl session set t lan --mtu auto`" in added
    host.host.ip("link", "add", "br0", "type", "bridge")
    host.set_session("t", "lan", {"mtu": 1500, "bridge": "br0"})
    assert not [note for note in host.session("t", "lan").notes if "many firewalls" in note]


@pytest.mark.parametrize("words", ["session set t lan", "tunnel set t", "link set br0"])
def test_a_change_of_nothing_says_so(host: Here, words: str) -> None:
    host.add_session("t", "lan", {})
    host.host.ctl("link", "add", "br0", "--type", "bridge")
    said = host.host.ctl(*words.split()).stderr
    assert f"nothing to change; `l2tpctl {words.split()[0]} set --help` lists the options" in said
