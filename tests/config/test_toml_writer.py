"""What is written reads back as the same."""

from __future__ import annotations

import dataclasses
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.config import dump, load
from l2tpv3.errors import InvalidValueError
from l2tpv3.model import ids
from l2tpv3.model.desired import Desired, DesiredSession, DesiredTunnel
from l2tpv3.model.spec import Egress, Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec
from tests.properties import SOME

IDS = st.integers(1, 2**32 - 1)
PORTS = st.integers(1, 65535)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)
COOKIES = st.sampled_from([b"", b"abcd", b"\0\xff345678"])
TEXTS = st.text(min_size=1, max_size=20).filter(str.isprintable) | st.sampled_from(['"', "\\", "#", "'''", "a\u00e9"])
INTERFACES = st.sampled_from(["10.0.0.1/24", "2001:db8::1/64", "fe80::1/64"]).map(ip_interface)


def _is_ifname(text: str) -> bool:
    try:
        return bool(ids.parse_ifname(text, ""))
    except InvalidValueError:
        return False


def _is_netns(text: str) -> bool:
    try:
        ids.check_netns(text, "")
    except InvalidValueError:
        return False
    return True


BRIDGES = TEXTS.filter(_is_ifname)
NETNS = TEXTS.filter(_is_netns)


@st.composite
def pairs(draw: st.DrawFn) -> list[tuple[TunnelSpec, list[SessionSpec]]]:
    """Tunnels with sessions, free of clashes."""
    names = draw(st.lists(NAMES, unique=True, max_size=3))
    return [(draw(_tunnels(name, number)), draw(_sessions(number))) for number, name in enumerate(names)]


def _tunnels(name: str, number: int) -> st.SearchStrategy[TunnelSpec]:
    ends = st.sampled_from([("192.0.2.1", None), ("192.0.2.1", "192.0.2.2"), ("fe80::1%eth0", "fe80::2%eth0")])
    return st.builds(
        lambda ends, **fields: TunnelSpec(
            name=name,
            tunnel_id=number + 1,
            local_port=1701 + number,
            remote=ip_address(ends[0]),
            local=ends[1] and ip_address(ends[1]),
            **fields,
        ),
        ends,
        encap=st.sampled_from(Encap),
        peer_tunnel_id=IDS,
        remote_port=PORTS,
        udp_checksum=st.booleans(),
        datapath=st.sampled_from(["auto", "kernel", "user"]),
        netns=st.none() | NETNS,
    )


@st.composite
def _sessions(draw: st.DrawFn, tunnel: int) -> list[SessionSpec]:
    found = []
    for number, name in enumerate(draw(st.lists(NAMES, unique=True, max_size=3))):
        sublayer = draw(st.sampled_from(Sublayer))
        bridge = draw(st.none() | BRIDGES)
        vlan = draw(st.none() | st.integers(1, 4094))
        session = SessionSpec(
            name=name,
            ifname=f"{tunnel}lan{number}\u00e9",
            session_id=tunnel * 10 + number + 1,
            peer_session_id=draw(IDS),
            tx_cookie=draw(COOKIES),
            rx_cookie=draw(COOKIES),
            sublayer=sublayer,
            sequencing=draw(st.sampled_from(Sequencing)) if sublayer is Sublayer.DEFAULT else Sequencing.NONE,
            reorder_timeout_ms=draw(st.integers(0, 60_000)),
            vlan=vlan,
            egress=draw(st.sampled_from(Egress)) if vlan else Egress.REMOVE,
            mtu=draw(st.none() | st.integers(68, 65535)),
            mac=draw(st.none() | st.just("02:00:5e:00:53:01")),
            netns=draw(st.none() | NETNS),
            addresses=() if bridge else tuple(draw(st.lists(INTERFACES, unique=True))),
            bridge=bridge,
            up=draw(st.booleans()),
        )
        found.append(session)
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written") / "written.toml"


def read_back(file: Path, text: str) -> list[Desired]:
    file.write_text(text, "utf-8")
    return load([file])


@SOME
@given(given_pairs=pairs())
def test_specs_are_stated_in_full(file: Path, given_pairs: list[tuple[TunnelSpec, list[SessionSpec]]]) -> None:
    read = read_back(file, dump(given_pairs))
    assert [
        (
            TunnelSpec.from_words({"name": tunnel.name, **tunnel.words}),
            [SessionSpec.from_words({"name": session.name, **session.words}) for session in tunnel.sessions],
        )
        for tunnel in read
        if isinstance(tunnel, DesiredTunnel)
    ] == given_pairs


@SOME
@given(data=st.data(), given_pairs=pairs())
def test_any_choice_of_words_reads_back(
    file: Path, data: st.DataObject, given_pairs: list[tuple[TunnelSpec, list[SessionSpec]]]
) -> None:
    wanted = [_some(data, DesiredTunnel.from_specs(*pair)) for pair in given_pairs]
    text = dump(wanted)
    assert read_back(file, text) == wanted
    assert dump(load([file])) == text


def _some(data: st.DataObject, tunnel: DesiredTunnel) -> DesiredTunnel:
    """The same with some words left out."""

    def some(words: DesiredTunnel | DesiredSession, *keep: str) -> dict[str, object]:
        left = data.draw(st.sets(st.sampled_from(sorted(words.words))))
        return {word: value for word, value in words.words.items() if word in keep or word not in left}

    # Without its encapsulation a tunnel over IP is one over UDP, without its ports it may have another's.
    keep = ("remote", "local", "encap", "local-port", "remote-port", "netns")
    # Without its VLAN a session has no tag that could be rewritten.
    sessions = tuple(dataclasses.replace(session, words=some(session, "vlan")) for session in tunnel.sessions)
    return dataclasses.replace(tunnel, words=some(tunnel, *keep), sessions=sessions)


def test_it_is_readable() -> None:
    tunnel = TunnelSpec(name="site.b", remote=ip_address("192.0.2.2"), tunnel_id=3, peer_tunnel_id=4)
    session = SessionSpec(
        name="lan",
        ifname="lan0",
        tx_cookie=bytes(range(8)),
        addresses=(ip_interface("10.0.0.1/24"), ip_interface("2001:db8::1/64")),
        up=False,
    )
    assert (
        dump([(tunnel, [session])])
        == """\
[tunnel."site.b"]
remote = "192.0.2.2"
encap = "udp"
id = 3
peer-id = 4
local-port = 1701
remote-port = 1701

[tunnel."site.b".session.lan]
ifname = "lan0"
id = 1
peer-id = 1
tx-cookie = "0001020304050607"
rx-cookie = "none"
sublayer = "default"
address = ["10.0.0.1/24", "2001:db8::1/64"]
up = false
"""
    )
    assert dump([]) == ""
