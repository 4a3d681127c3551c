"""What of a tunnel IPsec encrypts, and how long its packets come to be."""

from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address
from typing import Any

import pytest

from l2tpv3.errors import ConflictError, InvalidValueError
from l2tpv3.model import ids
from l2tpv3.model.fields import ENCRYPTION_WORDS, TUNNEL
from l2tpv3.model.ipsec import inner_mtu, selector
from l2tpv3.model.mtu import session_mtu
from l2tpv3.model.record import TunnelRecord, resolved
from l2tpv3.model.spec import Encap, Encrypt, Sublayer, TunnelSpec
from l2tpv3.resolve.allocate import resolve_tunnel
from l2tpv3.resolve.conflicts import check_tunnels
from tests.resolve.test_allocate import no_lookup

KEY = b"correct-horse"


def _esp_length(inner: int, version: int, *, in_udp: bool) -> int:
    """The length of an ESP packet in transport mode, put together by the figures of RFC 4303 and RFC 4106."""
    header = {4: 20, 6: 40}[version]
    plain = (inner - header) + 2  # pad length, next header
    padded = -(-plain // 4) * 4
    return header + (8 if in_udp else 0) + 4 + 4 + 8 + padded + 16  # UDP, SPI, sequence number, IV, ICV


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("in_udp", [0, 1])
def test_the_longest_packet_fits_and_one_byte_more_does_not(version: int, in_udp: int) -> None:
    for route_mtu in range(1280, 1504):
        longest = inner_mtu(route_mtu, version, in_udp=bool(in_udp))
        assert _esp_length(longest, version, in_udp=bool(in_udp)) <= route_mtu
        assert _esp_length(longest + 1, version, in_udp=bool(in_udp)) > route_mtu


@pytest.mark.parametrize(
    ("version", "in_udp", "encap", "mtu"),
    [
        (4, 0, Encap.UDP, 1404), (4, 1, Encap.UDP, 1396), (4, 0, Encap.IP, 1416), (4, 1, Encap.IP, 1408),
        (6, 0, Encap.UDP, 1384), (6, 1, Encap.UDP, 1376), (6, 0, Encap.IP, 1396), (6, 1, Encap.IP, 1388),
    ],
)  # fmt: skip
def test_mtus_are_those_of_the_documentation(version: int, in_udp: int, encap: Encap, mtu: int) -> None:
    inner = inner_mtu(1500, version, in_udp=bool(in_udp))
    assert session_mtu(inner, encap, version, 8, Sublayer.DEFAULT, tagged=False) == mtu


def _spec(name: str = "t", **words: Any) -> TunnelSpec:
    given = {"remote": IPv4Address("192.0.2.2"), "encrypt": Encrypt.IPSEC, "pre_shared_key": KEY}
    return TunnelSpec(**{"name": name, **given, **words})


def _record(name: str = "t", **words: Any) -> TunnelRecord:
    return TunnelRecord(spec=_spec(name, **words), local=IPv4Address("192.0.2.1"), datapath="user", reason="")


def test_a_datapath_is_told_nothing_of_it() -> None:
    record = _record(ike_id="a", peer_ike_id="b", esp_in_udp=True)
    plain = TunnelSpec(name="t", remote=record.spec.remote, local=record.local, datapath="user")
    assert resolved(record) == plain


def test_reqids_are_those_of_packets_and_none_that_strongswan_counts_up_to() -> None:
    one, other = selector(_spec()), selector(_spec(local_port=1702))
    assert one.reqid != other.reqid and one.reqid == selector(_spec("u")).reqid
    assert all(0x8000_0000 <= some.reqid <= 0xFFFF_FFFF for some in (one, other))


def test_the_key_is_in_no_text_of_it() -> None:
    record = _record()
    assert "correct" not in repr(record) + repr(record.spec) + str(record.spec.to_words(secrets=False))
    assert record.spec.to_words()["pre-shared-key"] == "correct-horse"
    assert TunnelSpec.from_words(record.spec.to_words()) == record.spec


@pytest.mark.parametrize(
    "text", ["short", "with space", "qu'ote-it", 'qu"ote-it', "back\\slash", "what?ever", "ümläutää", "@x"]
)
def test_what_can_be_no_key_is_not_quoted(text: str) -> None:
    with pytest.raises(InvalidValueError, match="not a pre-shared key") as refused:
        ids.parse_pre_shared_key(text, "--pre-shared-key")
    assert text not in str(refused.value).replace("@FILE", "")


def test_a_key_is_drawn_once() -> None:
    words = {"remote": "192.0.2.2", "encrypt": "ipsec"}
    first = resolve_tunnel("t", words, None, lambda _: 1, lambda _: 0, no_lookup)
    assert first.pre_shared_key is not None and len(first.pre_shared_key) == 43
    again = resolve_tunnel("t", words, first, lambda _: 1, lambda _: 0, no_lookup)
    assert again.pre_shared_key == first.pre_shared_key
    assert resolve_tunnel("u", words, None, lambda _: 1, lambda _: 0, no_lookup).pre_shared_key != first.pre_shared_key


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"encrypt": "ipsec", "listen-port": 5000}, "give --encrypt wireguard, too"),
        ({"encrypt": "wireguard", "pre-shared-key": KEY}, "give --encrypt ipsec, too"),
        ({"esp-in-udp": True}, "give --encrypt ipsec, too"),
        ({"encrypt": "ipsec", "ike-auth": "certificate"}, "certificates need --ike-id"),
        ({"encrypt": "ipsec", "ike-auth": "certificate", "ike-id": "a", "peer-ike-id": "%any"}, "more than one"),
        (
            {"encrypt": "ipsec", "ike-auth": "certificate", "ike-id": "a", "peer-ike-id": "b", "pre-shared-key": KEY},
            "means nothing with certificates",
        ),
        ({"encrypt": "ipsec", "remote": "fe80::1%eth0"}, "link-local"),
    ],
)
def test_what_makes_no_sense_is_refused(words: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValueError, match=says):
        resolve_tunnel("t", {"remote": "192.0.2.2", **words}, None, lambda _: 1, lambda _: 51820, no_lookup)


def test_tunnels_whose_packets_or_ends_can_not_be_told_apart_conflict() -> None:
    def check(*records: TunnelRecord) -> None:
        named = {
            one.spec.name: dataclasses.replace(one, spec=_with_id(one.spec, at)) for at, one in enumerate(records, 1)
        }
        check_tunnels(named, named, lambda _: set())

    plain = {"encrypt": Encrypt.NONE, "pre_shared_key": None, "encap": Encap.IP}
    with pytest.raises(ConflictError, match="IPsec can't tell them apart; use --encap udp"):
        check(_record("a", encap=Encap.IP), _record("b", **plain))
    with pytest.raises(ConflictError, match="between the same two ends"):
        check(_record("a"), _record("b", local_port=1702, remote_port=1702))
    check(_record("a"), _record("b", local_port=1702, remote_port=1702, ike_id="b", peer_ike_id="other-b"))
    check(_record("a"), _record("b", **plain))


def _with_id(spec: TunnelSpec, number: int) -> TunnelSpec:
    return dataclasses.replace(spec, tunnel_id=number)


def test_words_of_the_table() -> None:
    assert {field.word for field in TUNNEL if field.applied_by == "encryption"} == {"encrypt", *ENCRYPTION_WORDS}
