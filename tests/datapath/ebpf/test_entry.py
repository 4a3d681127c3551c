"""A session in the map: the key as packets have it, values there and back."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.datapath.ebpf import session_entry
from l2tpv3.datapath.ebpf.session_entry import Entry, key
from l2tpv3.model.spec import Encap, SessionSpec, Sublayer, TunnelSpec, parse_address
from tests.properties import MANY

U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
COOKIES = st.sampled_from([0, 4, 8]).flatmap(lambda size: st.binary(min_size=size, max_size=size))
ENTRIES = st.builds(Entry, U32, U32, U16, U16, COOKIES, U64, U64, U64, U64, U64)


def tunnel(local: str, remote: str, encap: Encap) -> TunnelSpec:
    """A tunnel whose two ports are different."""
    addresses = [parse_address(one, "address") for one in (local, remote)]
    return TunnelSpec(
        name="t", local=addresses[0], remote=addresses[1], encap=encap, local_port=0x1111, remote_port=0x2222
    )


def packet(source: bytes, target: bytes, ports: bytes, number: int, protocol: int) -> bytes:
    """As the receiving program puts it together of what a packet has, in that order."""
    return source + target + ports + number.to_bytes(4, "big") + protocol.to_bytes(4, sys.byteorder)


@pytest.mark.parametrize(
    ("local", "remote"), [("10.99.0.1", "10.99.0.2"), ("fd99::1", "2001:db8::2")], ids=["IPv4", "IPv6"]
)
def test_a_key_is_what_the_peers_packets_have(local: str, remote: str) -> None:
    one, other = (parse_address(address, "address").packed for address in (local, remote))
    size = session_entry.key_bytes(parse_address(local, "address").version)
    over_udp = key(tunnel(local, remote, Encap.UDP), 0xA0B0C0D0)
    assert over_udp == packet(other, one, bytes.fromhex("22221111"), 0xA0B0C0D0, 17)
    over_ip = key(tunnel(local, remote, Encap.IP), 0xA0B0C0D0)
    assert over_ip == packet(other, one, bytes(4), 0xA0B0C0D0, 115)
    assert len(over_udp) == len(over_ip) == size
    assert size == {4: 20, 6: 44}[parse_address(local, "address").version]


@pytest.mark.parametrize(
    ("encap", "cookie", "sublayer", "expected"),
    [
        # RFC 3931: 4.1.2.1 flags and reserved, session id; 4.1.1.1 session id alone; 4.6.1 the sublayer
        (Encap.UDP, b"", Sublayer.NONE, 8),
        (Encap.UDP, bytes(4), Sublayer.NONE, 12),
        (Encap.UDP, bytes(8), Sublayer.DEFAULT, 20),
        (Encap.IP, b"", Sublayer.NONE, 4),
        (Encap.IP, bytes(8), Sublayer.NONE, 12),
        (Encap.IP, bytes(4), Sublayer.DEFAULT, 12),
    ],
)
def test_bytes_before_the_frame(encap: Encap, cookie: bytes, sublayer: Sublayer, expected: int) -> None:
    local, remote = "10.0.0.1", "10.0.0.2"
    session = SessionSpec(name="s", ifname="pw", rx_cookie=cookie, sublayer=sublayer)
    made = Entry.of(tunnel(local, remote, encap), session, lower=7, tasks=3)
    assert (made.header, made.rest) == (expected, expected - (8 if encap is Encap.UDP else 4))


def test_what_is_expected_counts_not_what_is_sent() -> None:
    session = SessionSpec(
        name="s", ifname="pw", session_id=1, peer_session_id=2, rx_cookie=b"1234", tx_cookie=b"12345678"
    )
    made = Entry.of(tunnel("10.0.0.1", "10.0.0.2", Encap.UDP), session, lower=7, tasks=3)
    assert (made.lower, made.tasks, made.header, made.cookie) == (7, 3, 8 + 4 + 4, b"1234")


@MANY
@given(ENTRIES)
def test_there_and_back(one: Entry) -> None:
    assert Entry.unpack(one.pack()) == one


@MANY
@given(ENTRIES)
def test_fields_are_where_the_programs_look_for_them(one: Entry) -> None:
    value = one.pack()

    def at(place: int, size: int) -> int:
        return int.from_bytes(value[place : place + size], sys.byteorder)

    assert len(value) == 64
    assert (at(session_entry.LOWER, 4), at(session_entry.TASKS, 4)) == (one.lower, one.tasks)
    assert (at(session_entry.HEADER, 2), at(session_entry.REST, 2)) == (one.header, one.rest)
    assert at(session_entry.COOKIE_LENGTH, 4) == len(one.cookie)
    assert value[session_entry.COOKIE : session_entry.COOKIE + len(one.cookie)] == one.cookie
    sent = (at(session_entry.TX_PACKETS, 8), at(session_entry.TX_BYTES, 8), at(session_entry.TX_ERRORS, 8))
    assert sent == (one.tx_packets, one.tx_bytes, one.tx_errors)
    assert (at(session_entry.RX_PACKETS, 8), at(session_entry.RX_BYTES, 8)) == (one.rx_packets, one.rx_bytes)


@MANY
@given(ENTRIES, ENTRIES)
def test_counts_are_kept_and_nothing_else(one: Entry, other: Entry) -> None:
    both = one.with_counts(other)
    assert (both.lower, both.tasks, both.header, both.cookie) == (one.lower, one.tasks, one.header, one.cookie)
    assert both.pack()[session_entry.TX_PACKETS :] == other.pack()[session_entry.TX_PACKETS :]
