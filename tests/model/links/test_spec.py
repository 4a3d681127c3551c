"""What can be wanted of a link, in words, and what is refused before anything is touched."""

from __future__ import annotations

import json
from typing import Any

import pytest

from l2tpv3.errors import InvalidValueError
from l2tpv3.links.kinds.bond import Bond
from l2tpv3.model.links.options import BridgeOptions, LinkType, MemberVlans
from l2tpv3.model.links.spec import COMMON, LinkSpec, derived_mac

GOOD: list[dict[str, Any]] = [
    {"name": "br0", "type": "bridge", "over": "eth0,siteb/lan", "isolated": "siteb/lan", "address": "10.0.0.1/24"},
    {"name": "br1", "type": "bridge", "vlan-filtering": "on", "over": ["eth0"], "vlan": ["eth0=10u+20-29+5"]},
    {"name": "a-bridge-with-a-long-name", "ifname": "br2", "type": "bridge", "stp": "on", "forward-delay-ms": 15000},
    {"name": "bond0", "type": "bond", "mode": "802.3ad", "over": "eth0,eth1", "lacp-rate": "slow", "min-links": 1},
    {"name": "bond1", "type": "bond", "over": "a/x,b/x", "arp-interval-ms": "200", "arp-target": "10.0.0.1,10.0.0.2"},
    {"name": "bond2", "type": "bond", "over": "eth0,eth1", "primary": "eth1", "miimon-ms": 50},
    {"name": "ve0", "type": "alias"},
    {"name": "mv0", "type": "macvlan", "over": "eth0", "netns": "lab", "mac": "02-00-00-00-00-01", "mtu": 1400},
    {"name": "mv1", "type": "macvlan", "over": "eth0", "mode": "source", "source-mac": "02:00:00:00:00:02"},
    {"name": "iv0", "type": "ipvlan", "over": "eth0", "mode": "l3s", "flag": "vepa", "up": "off"},
    {"name": "v10", "type": "vlan", "over": "eth0", "id": 10, "protocol": "802.1ad", "over-netns": "/run/netns/x"},
    {"name": "vn0", "type": "vnic", "over": "eth0", "netns": "lab"},
    {"name": "a-cable-across-the-sea", "type": "port", "over": "eth3,siteb/lan"},
]

BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "x", "type": "port", "over": "eth0"}, "--over"),
    ({"name": "x", "type": "port", "over": "eth0,eth1", "address": "10.0.0.1/24"}, "no netdev of its own"),
    ({"name": "x"}, "needs a type"),
    ({"name": "x", "type": "wormhole"}, "no type of link"),
    ({"name": "x", "type": "macvlan"}, "--over"),
    ({"name": "x", "type": "macvlan", "over": "eth0,eth1"}, "over 1 only"),
    ({"name": "x", "type": "bridge", "over": "eth0,eth0"}, "twice"),
    ({"name": "x", "type": "bridge", "over": "eth0,x"}, "itself"),
    ({"name": "x", "type": "bridge", "over": "eth0", "isolated": "eth1"}, "eth1 is not a member"),
    ({"name": "x", "type": "bond", "over": "eth0", "primary": "eth1"}, "eth1 is not a member"),
    ({"name": "x", "type": "bridge", "over": "eth0", "vlan": "eth0=10"}, "without VLAN filtering"),
    ({"name": "x", "type": "bridge", "vlan-filtering": "on", "over": "eth0", "vlan": "eth0=10u+11u"}, "VLANs"),
    ({"name": "x", "type": "bridge", "vlan-filtering": "on", "over": "eth0", "vlan": "eth0=4095"}, "VLANs"),
    ({"name": "x", "type": "bridge", "vlan-filtering": "on", "over": "eth0", "vlan": "eth0=20-10"}, "VLANs"),
    ({"name": "x", "type": "bridge", "forward-delay-ms": 1000}, "out of range"),
    ({"name": "x", "type": "bond", "arp-target": "10.0.0.1"}, "--arp-target"),
    ({"name": "x", "type": "bond", "mode": "802.3ad", "arp-target": "10.0.0.1", "arp-interval-ms": 9}, "LACP"),
    ({"name": "x", "type": "bond", "mode": "balance-everything"}, "round-robin, xor"),
    ({"name": "x", "type": "macvlan", "over": "e", "mode": "source"}, "--source-mac"),
    ({"name": "x", "type": "macvlan", "over": "e", "source-mac": "02:00:00:00:00:02"}, "--mode source"),
    ({"name": "x", "type": "vlan", "over": "eth0"}, "needs its number"),
    ({"name": "x", "type": "vlan", "over": "eth0", "id": 4095}, "out of range"),
    ({"name": "x", "type": "vlan", "over": "eth0", "id": True}, "out of range"),
    ({"name": "x", "type": "ipvlan", "over": "eth0", "stp": "on"}, "an ipvlan has no such option"),
    ({"name": "sixteen-letters.", "type": "alias"}, "too long for a netdev"),
    ({"name": "x", "type": "alias", "over": "a/b/c"}, "not a name"),
    ({"name": "x", "type": "alias", "mtu": 40}, "out of range"),
    ({"name": "x", "type": "alias", "mac": "01:00:00:00:00:00"}, "unicast"),
    ({"name": "x", "type": "alias", "address": ["fe80::x/64"]}, "not an address"),
    ({"name": "x", "type": "alias", "over-netns": "a/b"}, "can't name a namespace"),
]


@pytest.mark.parametrize("words", GOOD, ids=lambda words: str(words["name"]))
def test_words_and_spec_say_the_same(words: dict[str, Any]) -> None:
    spec = LinkSpec.from_words(words)
    said = json.loads(json.dumps(spec.to_words()))
    assert LinkSpec.from_words(said) == spec
    for word, value in words.items():
        told = said[word]
        given = value.split(",") if isinstance(told, list) and isinstance(value, str) else value
        if isinstance(told, bool):
            given = given == "on"
        if word not in ("mac", "vlan"):
            assert str(told) == str(given), word


@pytest.mark.parametrize(("words", "complaint"), BAD, ids=lambda value: value if isinstance(value, str) else "")
def test_what_can_not_be_meant_is_refused_with_the_link_named(words: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidValueError, match=complaint.replace("(", "\\(")) as caught:
        LinkSpec.from_words(words)
    assert str(words["name"]) in str(caught.value)


def test_a_members_vlans_read_back_as_they_are_written() -> None:
    vlans = MemberVlans.parse("siteb/lan=7+10u+20-29", "--vlan")
    assert vlans == MemberVlans("siteb/lan", ((7, 7), (20, 29)), 10)
    assert str(vlans) == "siteb/lan=10u+7+20-29"


def test_no_word_of_a_type_hides_one_that_all_have() -> None:
    for words in GOOD:
        assert not set(LinkSpec.from_words(words).options.words) & {*COMMON, "name", "type"}
    assert {words["type"] for words in GOOD} == set(LinkType)


def test_a_derived_address_is_stable_local_unicast_and_of_one_machine_and_name() -> None:
    one = derived_mac("machine", "mv0")
    assert one == derived_mac("machine", "mv0")
    assert len({one, derived_mac("machine", "mv1"), derived_mac("other", "mv0")}) == 3
    assert int(one[:2], 16) & 0b11 == 0b10


def test_a_link_is_where_it_is_over_unless_told() -> None:
    there = LinkSpec(name="b", options=BridgeOptions(), over_netns="lab")
    assert there.home == "lab"
    assert LinkSpec(name="b", options=BridgeOptions(), over_netns="lab", netns="x").home == "x"


def test_a_bond_that_asks_hosts_tells_no_miimon() -> None:
    """The driver takes one of the two; what it tells of the other is not what is wanted, and not wrong."""
    told = Bond().words({"bond_mode": 1, "bond_miimon": 0, "bond_arp_interval": 200, "bond_min_links": 0})
    assert (told["miimon-ms"], told["arp-interval-ms"]) == (None, 200)
    assert Bond().words({"bond_mode": 1, "bond_miimon": 100, "bond_arp_interval": 0})["miimon-ms"] == 100
