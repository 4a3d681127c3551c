"""Links as real netdevs: made, found, changed, removed. What this machine's kernel may lack runs on Debian's."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from l2tpv3.errors import ConflictError, InvalidValueError, L2tpError, MissingError
from l2tpv3.links.backends.base import LinkBackends
from l2tpv3.model.links.spec import LinkSpec, derived_mac
from tests.hosts import Host
from tests.waiting import eventually

maker_of = LinkBackends(Path("/run/test"))


class Bench:
    """A host with NICs n0..n3, whose other ends w0..w3 are on the wire of another host."""

    def __init__(self, netns: Callable[[str], Host]) -> None:
        self.host, self.wire = netns("h"), netns("w")
        lines = [f"link add n{n} type veth peer name w{n} netns {self.wire.netns}" for n in range(4)]
        self.host.ip_batch([*lines, *(f"link set n{n} up" for n in range(4))])
        self.wire.ip_batch([f"link set w{n} up" for n in range(4)])

    def spec(self, name: str, type_: str, **words: Any) -> LinkSpec:
        place = {"over-netns": self.host.netns} | {key.replace("_", "-"): value for key, value in words.items()}
        return LinkSpec.from_words({"name": name, "type": type_, **place})

    def make(self, name: str, type_: str, **words: Any) -> LinkSpec:
        spec = self.spec(name, type_, **words)
        maker_of(spec).check(spec, below(spec), mark(spec))
        maker_of(spec).make(spec, below(spec), mark(spec), own_mac(spec))
        return spec

    def change(self, old: LinkSpec, **words: Any) -> LinkSpec:
        new = LinkSpec.from_words(old.to_words() | {key.replace("_", "-"): value for key, value in words.items()})
        maker_of(new).check(new, below(new), mark(new))
        maker_of(new).change(old, new, below(old) | below(new), mark(new), own_mac(new))
        return new

    def links(self, host: Host | None = None) -> dict[str, Any]:
        return {one["ifname"]: one for one in json.loads((host or self.host).ip("-d", "-j", "link"))}


def below(spec: LinkSpec) -> dict[str, str]:
    return {name: name for name in spec.over}


def mark(spec: LinkSpec) -> str:
    return f"l2tpv3 link/{spec.name} /run/test"


def own_mac(spec: LinkSpec) -> str | None:
    return spec.mac or (derived_mac("test", spec.name) if spec.options.own_mac else None)


@pytest.fixture
def bench(netns: Callable[[str], Host]) -> Bench:
    return Bench(netns)


pytestmark = pytest.mark.root

HERE: list[tuple[str, str, dict[str, Any]]] = [
    ("br0", "bridge", {"over": "n0,n1", "stp": "off", "priority": 100, "address": "10.9.0.1/24"}),
    ("ve0", "alias", {"over": "n0", "address": "10.9.0.1/24,fd09::1/64"}),
    ("mv0", "macvlan", {"over": "n0", "mode": "private", "mtu": 1400}),
    ("mv1", "macvlan", {"over": "n0", "mode": "source", "source-mac": "02:00:00:00:00:07"}),
    ("mv2", "macvlan", {"over": "n0", "mode": "passthru", "up": "off"}),
]
DEBIAN: list[tuple[str, str, dict[str, Any]]] = [
    ("bond0", "bond", {"over": "n0,n1", "primary": "n1", "miimon-ms": 50}),
    ("bond1", "bond", {"over": "n0,n1", "mode": "802.3ad", "hash": "layer2+3", "min-links": 1}),
    ("bond2", "bond", {"over": "n0,n1", "mode": "xor", "arp-interval-ms": 100, "arp-target": "10.9.0.2,10.9.0.3"}),
    ("iv0", "ipvlan", {"over": "n0", "mode": "l3s", "flag": "private"}),
    ("v10", "vlan", {"over": "n0", "id": 10, "protocol": "802.1ad"}),
    ("br1", "bridge", {"over": "n0,n1", "vlan-filtering": "on", "vlan": "n0=10u+20-22,n1=5"}),
]


def _each(cases: list[tuple[str, str, dict[str, Any]]], *marks: pytest.MarkDecorator) -> list[Any]:
    return [pytest.param(*case, id=f"{case[0]}-{case[1]}", marks=marks) for case in cases]


@pytest.mark.parametrize(("name", "type_", "words"), _each(HERE) + _each(DEBIAN, pytest.mark.kernel_l2tp))
def test_what_is_made_is_seen_and_goes_without_a_trace(
    bench: Bench, name: str, type_: str, words: dict[str, Any]
) -> None:
    before = bench.links()
    spec = bench.make(name, type_, **{key.replace("-", "_"): value for key, value in words.items()})
    seen = maker_of(spec).find(spec, mark(spec))
    assert seen is not None
    assert seen.netdev is not None
    netdev = seen.netdev
    assert (netdev.ifname, netdev.up, netdev.alias) == (name, spec.up, mark(spec))
    assert set(seen.over) == set(spec.over)
    assert set(spec.addresses) <= set(netdev.addresses)
    assert spec.mtu in (None, netdev.mtu)
    if (mac := own_mac(spec)) is not None:
        assert netdev.mac == mac
    wanted = spec.to_words()
    assert {word: value for word, value in seen.words.items() if word in words} == {
        word: wanted[word] for word in seen.words if word in words
    }
    assert "tx_bytes" in seen.counters
    maker_of(spec).remove(spec, mark(spec))
    maker_of(spec).remove(spec, mark(spec))  # what is gone may be removed
    assert maker_of(spec).find(spec, mark(spec)) is None
    after = bench.links()
    assert {one: (link.get("master"), "UP" in link["flags"]) for one, link in after.items()} == {
        one: (link.get("master"), "UP" in link["flags"]) for one, link in before.items()
    }


@pytest.mark.kernel_l2tp
def test_a_members_vlans_are_those_asked_for_and_change_in_place(bench: Bench) -> None:
    spec = bench.make("br1", "bridge", over="n0,n1", vlan_filtering="on", vlan="n0=10u+20-22,n1=5")

    def vlans() -> dict[str, list[tuple[int, bool]]]:
        listed = json.loads(bench.host.run(["bridge", "-j", "vlan"]).stdout)
        return {
            one["ifname"]: [
                (number, "PVID" in vlan.get("flags", []))
                for vlan in one["vlans"]
                for number in range(vlan["vlan"], vlan.get("vlanEnd", vlan["vlan"]) + 1)
            ]
            for one in listed
        }

    assert vlans()["n0"] == [(10, True), (20, False), (21, False), (22, False)]
    assert vlans()["n1"] == [(5, False)]
    spec = bench.change(spec, vlan="n0=10+20u")
    assert vlans()["n0"] == [(10, False), (20, True)]
    assert vlans()["n1"] == [(1, True)]
    off = bench.change(spec, vlan=[], vlan_filtering="off")
    seen = maker_of(off).find(off, mark(off))
    assert seen is not None and seen.words["vlan-filtering"] is False


def test_an_alias_exchanges_the_nic_behind_it_and_keeps_its_own_face(bench: Bench) -> None:
    spec = bench.make("ve0", "alias", over="n0", address="10.9.0.1/24")
    # Both NICs lead to the same network.
    bench.wire.ip_batch(["link add sw type bridge", "link set sw up", "addr add 10.9.0.2/24 dev sw"])
    bench.wire.ip_batch([f"link set w{n} master sw" for n in range(2)])
    assert bench.wire.ping("10.9.0.1")
    before = bench.links()["ve0"]
    swapped = bench.change(spec, over="n1")
    assert bench.wire.ping("10.9.0.1")
    after = bench.links()
    assert (after["ve0"]["ifindex"], after["ve0"]["address"]) == (before["ifindex"], before["address"])
    assert "master" not in after["n0"]
    assert after["n1"]["master"] == "ve0"
    detached = bench.change(swapped, over=[])
    assert not bench.wire.ping("10.9.0.1", "-W", "0.2", check=False)
    seen = maker_of(detached).find(detached, mark(detached))
    assert seen is not None
    assert seen.netdev is not None
    assert seen.over == ()


def test_members_that_are_isolated_hear_only_the_others(bench: Bench, netns: Callable[[str], Host]) -> None:
    """Split horizon in a hub: n1 and n2 are its pseudowires, n0 its LAN."""
    bench.make("br0", "bridge", over="n0,n1,n2", isolated="n1,n2")
    assert bench.links()["br0"]["linkinfo"]["info_data"]["stp_state"] == 0
    one, two = netns("one"), netns("two")
    bench.wire.ip_batch([f"link set w1 netns {one.netns}", f"link set w2 netns {two.netns}"])
    for number, host in enumerate((bench.wire, one, two)):
        host.ip_batch([f"addr add 10.9.0.{number + 1}/24 dev w{number}", f"link set w{number} up"])
    assert one.ping("10.9.0.1")
    assert two.ping("10.9.0.1")
    assert not two.ping("10.9.0.2", "-W", "0.2", check=False)


def test_stp_runs_where_a_loop_is_possible(bench: Bench) -> None:
    spec = bench.make("br0", "bridge", over="n0")
    assert bench.links()["br0"]["linkinfo"]["info_data"]["stp_state"] == 0
    spec = bench.change(spec, over="n0,n1")
    assert bench.links()["br0"]["linkinfo"]["info_data"]["stp_state"] == 1
    bench.change(spec, stp="off")
    assert bench.links()["br0"]["linkinfo"]["info_data"]["stp_state"] == 0


def test_a_link_is_renamed_addressed_and_set_down_in_place(bench: Bench) -> None:
    spec = bench.make("mv0", "macvlan", over="n0", address="10.9.0.1/24,10.9.1.1/24")
    index = bench.links()["mv0"]["ifindex"]
    changed = bench.change(spec, ifname="card", address="10.9.1.1/24,10.9.2.1/24", mtu=1300, up="off")
    seen = maker_of(changed).find(changed, mark(changed))
    assert seen is not None
    assert seen.netdev is not None
    assert (seen.netdev.ifindex, seen.netdev.ifname, seen.netdev.mtu, seen.netdev.up) == (index, "card", 1300, False)
    assert [str(one) for one in seen.netdev.addresses if one.version == 4] == ["10.9.1.1/24", "10.9.2.1/24"]


def test_a_card_lives_in_a_namespace_of_its_own_and_is_found_after_it_moved(
    bench: Bench, netns: Callable[[str], Host]
) -> None:
    guest, other = netns("g"), netns("o")
    spec = bench.make("mv0", "macvlan", over="n0", netns=guest.netns, address="10.9.0.1/24")
    bench.wire.ip("addr", "add", "10.9.0.2/24", "dev", "w0")
    assert bench.wire.ping("10.9.0.1")
    assert guest.ip("link", "set", "mv0", "name", "eth0", "netns", other.netns) == ""
    seen = maker_of(spec).find(spec, mark(spec))
    assert seen is not None
    assert seen.netdev is not None
    assert (seen.netdev.netns, seen.netdev.ifname) == (other.netns, "eth0")
    maker_of(spec).remove(spec, mark(spec))
    assert "eth0" not in bench.links(other)


REFUSED: list[tuple[str, dict[str, Any], list[str], type[L2tpError], str]] = [
    ("macvlan", {"over": "gone"}, [], MissingError, "no netdev gone"),
    ("bridge", {"over": "n0", "ifname": "n3"}, [], ConflictError, "netdev n3 exists already"),
    ("bridge", {"over": "n0"}, ["addr add 10.9.0.1/24 dev n0"], ConflictError, "10.9.0.1/24"),
    ("bridge", {"over": "n0"}, ["link add bb type bridge", "link set n0 master bb"], ConflictError, "a member of bb"),
    ("macvlan", {"over": "n0"}, ["link add bb type bridge", "link set n0 master bb"], ConflictError, "a member of bb"),
    ("bridge", {"over": "n0"}, ["link add mm link n0 type macvlan"], ConflictError, "in use by mm"),
    ("macvlan", {"over": "n0", "mtu": 9000}, [], InvalidValueError, "the MTU of n0"),
]


@pytest.mark.parametrize(("type_", "words", "given", "error", "complaint"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_can_not_work_is_refused_before_anything_is_touched(
    bench: Bench, type_: str, words: dict[str, Any], given: list[str], error: type[L2tpError], complaint: str
) -> None:
    bench.host.ip_batch(given)
    # The kernel tells of a carrier up to a second after it is there.
    eventually(lambda: all(bench.links()[f"n{n}"]["operstate"] == "UP" for n in range(4)))
    before = bench.host.ip("-d", "link")
    with pytest.raises(error, match=complaint):
        bench.make("x", type_, **words)
    assert bench.host.ip("-d", "link") == before


def test_a_link_that_fails_half_way_leaves_nothing(bench: Bench) -> None:
    spec = bench.spec("br0", "bridge", over="n0,lo")  # lo can't be a member
    before = bench.links().keys()
    with pytest.raises(L2tpError):
        maker_of(spec).make(spec, below(spec), mark(spec), own_mac(spec))
    assert bench.links().keys() == before
    assert "master" not in bench.links()["n0"]


def test_one_that_was_killed_before_it_was_marked_is_found(bench: Bench) -> None:
    spec = bench.make("mv0", "macvlan", over="n0")
    spare = f"l2link{zlib.crc32(mark(spec).encode()):08x}"
    bench.host.ip_batch(["link set mv0 down", f"link set mv0 name {spare} alias ''"])
    seen = maker_of(spec).find(spec, mark(spec))
    assert seen is not None
    assert seen.netdev is not None
    assert seen.netdev.ifname == spare
    maker_of(spec).remove(spec, mark(spec))
    assert spare not in bench.links()


@pytest.mark.kernel_l2tp
def test_a_bond_fits_its_smallest_member_and_makes_none_larger(bench: Bench) -> None:
    bench.host.ip("link", "set", "n1", "mtu", "1400")
    spec = bench.make("bond0", "bond", over="n0")
    assert bench.links()["bond0"]["mtu"] == 1500
    both = dataclasses.replace(spec, over=("n0", "n1"))
    maker_of(both).change(spec, both, {"n0": "n0", "n1": "n1"}, mark(both), own_mac(both))
    assert {bench.links()[name]["mtu"] for name in ("bond0", "n0", "n1")} == {1400}
    maker_of(both).remove(both, mark(both))
    spec = bench.make("bond0", "bond", over="n0,n1")
    assert {bench.links()[name]["mtu"] for name in ("bond0", "n0", "n1")} == {1400}


@pytest.mark.kernel_l2tp
def test_lacp_takes_no_member_that_tells_no_duplex(bench: Bench) -> None:
    """As l2tp_eth's netdevs; neither at once, nor one that comes when the bond is there."""
    bench.host.ip("link", "add", "d0", "type", "dummy")
    with pytest.raises(InvalidValueError, match=r"link bond0: --mode: 802\.3ad .* the driver of d0 tells none"):
        bench.make("bond0", "bond", over="n0,d0", mode="802.3ad")
    assert "bond0" not in bench.links()
    spec = bench.make("bond0", "bond", over="n0", mode="802.3ad")
    with pytest.raises(InvalidValueError, match="the driver of d0 tells none"):
        maker_of(spec).change(
            spec, dataclasses.replace(spec, over=("n0", "d0")), {"n0": "n0", "d0": "d0"}, mark(spec), None
        )
    assert "master" not in bench.links()["d0"]
    bench.make("bond1", "bond", over="d0", mode="xor")
