"""What clashes on record, and what is chosen for what a user leaves open."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from l2tpv3.errors import ConflictError, InvalidValueError, L2tpError, MissingError
from l2tpv3.model.links.record import LinkRecord, following_ports
from l2tpv3.model.links.spec import derived_mac
from l2tpv3.model.record import Records, SessionRecord, TunnelRecord
from l2tpv3.model.spec import SessionSpec, TunnelSpec, parse_address
from l2tpv3.resolve.links import check_links, machine_id, resolve_link

HOST_ID = "a host"


def tunnels(netns: str | None = None, **words: Any) -> Records:
    """Tunnel `t` with session `x`, netdev `lan0`."""
    remote = parse_address("192.0.2.2", "")
    record = TunnelRecord(spec=TunnelSpec(name="t", remote=remote, netns=netns), local=remote, datapath="m", reason="")
    session = SessionSpec.from_words({"name": "x", "ifname": "lan0", **words})
    return {"t": record.with_sessions((SessionRecord(spec=session, mtu=1400),))}


def settled(*many: dict[str, Any], there: Records | None = None) -> dict[str, LinkRecord]:
    there = tunnels() if there is None else there
    made: dict[str, LinkRecord] = {}
    for words in many:
        made[words["name"]] = resolve_link(words["name"], words, made.get(words["name"]), there, made, HOST_ID)
    check_links(there, made, made)
    return made


BR = {"name": "br0", "type": "bridge", "over": "eth0,t/x"}
MV = {"name": "mv0", "type": "macvlan", "over": "eth0"}

CLASHES: list[tuple[str, list[dict[str, Any]], type[L2tpError], str]] = [
    ("a member of two", [BR, BR | {"name": "br1", "over": "eth0"}], ConflictError, "eth0 is what link br1"),
    ("a session of two", [BR, {"name": "ve0", "type": "alias", "over": "t/x"}], ConflictError, "t/x is what link ve0"),
    (
        "by its netdev's name",
        [BR, {"name": "ve0", "type": "alias", "over": "lan0"}],
        ConflictError,
        "t/x is what link ve0",
    ),
    ("a bridge's NIC shared", [MV, BR], ConflictError, "eth0 is what link mv0"),
    ("a port's NIC", [MV, {"name": "p", "type": "port", "over": "eth0,t/x"}], ConflictError, "link mv0"),
    ("one netdev name", [BR, MV | {"over": "eth1", "ifname": "br0"}], ConflictError, "netdev of link mv0"),
    ("a session's name", [MV | {"ifname": "lan0"}], ConflictError, "netdev of session t/x"),
    ("no such session", [BR | {"over": "t/y"}], MissingError, "no session t/y"),
    ("no such tunnel", [BR | {"over": "u/x"}], MissingError, "no session u/x"),
    ("elsewhere", [BR | {"over-netns": "lab"}], InvalidValueError, "t/x is in the namespace of the caller"),
    ("a bridge that leaves", [BR | {"netns": "lab"}], InvalidValueError, "where its members are"),
    ("over a port", [{"name": "p", "type": "port", "over": "a,b"}, MV | {"over": "p"}], InvalidValueError, "is a port"),
]


@pytest.mark.parametrize(("links", "error", "complaint"), [one[1:] for one in CLASHES], ids=[one[0] for one in CLASHES])
def test_what_clashes_is_refused(links: list[dict[str, Any]], error: type[L2tpError], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        settled(*links)


def test_cards_share_a_nic_and_vlans_lie_on_anything() -> None:
    vlan = {"type": "vlan", "over": "eth0", "id": 7}
    settled(MV, MV | {"name": "mv1"}, vlan | {"name": "v7"}, vlan | {"name": "v8", "id": 8})
    settled(BR, vlan | {"name": "v7"}, vlan | {"name": "v8", "over": "br0"})


def test_a_session_joins_one_bridge_only() -> None:
    with pytest.raises(ConflictError, match="t/x is what bridge other"):
        settled(BR, there=tunnels(bridge="other"))
    settled(BR, there=tunnels(bridge="br0"))


def test_the_mac_is_derived_once_and_kept_until_one_is_given() -> None:
    first = resolve_link("mv0", MV, None, {}, {}, HOST_ID)
    assert first.mac == derived_mac(f"{machine_id()} a host", "mv0")
    moved = LinkRecord(spec=first.spec, mac="02:00:00:00:00:05")  # chosen on another machine, whose disk this was
    assert resolve_link("mv0", MV, moved, {}, {}, HOST_ID).mac == moved.mac
    given = resolve_link("mv0", MV | {"mac": "02:00:00:00:00:06"}, moved, {}, {}, HOST_ID)
    assert given.mac == "02:00:00:00:00:06"
    assert resolve_link("mv0", MV, given, {}, {}, HOST_ID).mac == first.mac
    assert resolve_link("v", {"type": "vlan", "over": "eth0", "id": 1}, None, {}, {}, HOST_ID).mac is None


def test_a_link_over_a_session_follows_it_into_its_namespace() -> None:
    made = settled({"name": "ve0", "type": "alias", "over": "t/x"}, there=tunnels("lab"))
    assert made["ve0"].resolved.home == "lab"


FOLLOWING = {"name": "p", "type": "port", "over": "eth0,t/x", "carrier": "follow"}


def test_a_port_can_follow_what_a_worker_carries() -> None:
    record = settled(FOLLOWING, there=_by("user"))["p"]
    (port,) = following_ports(_by("user"), {"p": record})
    assert (port.link, port.nic, port.session_ifname, port.key[0]) == ("p", "eth0", "lan0", None)
    stopped = dataclasses.replace(record, stopped="boot")
    assert following_ports(_by("user"), {"p": stopped}) == []
    alone = settled(FOLLOWING | {"carrier": "alone"}, there=_by("kernel"))
    assert following_ports(_by("kernel"), alone) == []


def test_a_port_can_not_follow_what_the_kernel_carries() -> None:
    with pytest.raises(InvalidValueError, match="tunnel t is the kernel's") as raised:
        settled(FOLLOWING, there=_by("kernel"))
    assert "`l2tpctl tunnel set t --datapath user`" in str(raised.value)


def test_a_port_can_not_follow_what_programs_carry() -> None:
    with pytest.raises(InvalidValueError, match="tunnel t is of the ebpf datapath, which tells") as raised:
        settled(FOLLOWING, there=_by("ebpf"))
    assert "`l2tpctl tunnel set t --datapath user`" in str(raised.value)


def _by(datapath: str) -> Records:
    return {"t": dataclasses.replace(tunnels()["t"], datapath=datapath)}
