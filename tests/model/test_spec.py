"""Specs: everything that can't work is refused when they are made, and words survive a round trip."""

from __future__ import annotations

import dataclasses
import json
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l2tpv3.errors import InvalidValueError
from l2tpv3.model.spec import Egress, Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec, tunnel_attributes
from tests.properties import MANY

IDS = st.integers(1, 2**32 - 1)
PORTS = st.integers(1, 65535)
COOKIES = st.sampled_from([b"", b"abcd", b"12345678"])
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)


@MANY
@given(
    st.builds(
        TunnelSpec,
        name=NAMES,
        remote=st.sampled_from([ip_address("192.0.2.1"), ip_address("198.51.100.9")]),
        local=st.none() | st.just(ip_address("192.0.2.77")),
        encap=st.sampled_from(Encap),
        tunnel_id=IDS,
        peer_tunnel_id=IDS,
        local_port=PORTS,
        remote_port=PORTS,
        udp_checksum=st.booleans(),
        datapath=st.sampled_from(["auto", "kernel", "user"]),
        netns=st.none() | st.just("blue"),
    )
)
def test_a_tunnel_survives_its_words(spec: TunnelSpec) -> None:
    assert TunnelSpec.from_words(json.loads(json.dumps(spec.to_words()))) == spec


@MANY
@given(
    st.builds(
        SessionSpec,
        name=NAMES,
        ifname=st.just("lan0"),
        session_id=IDS,
        peer_session_id=IDS,
        tx_cookie=COOKIES,
        rx_cookie=COOKIES,
        sequencing=st.sampled_from(Sequencing),
        reorder_timeout_ms=st.integers(0, 60_000),
        vlan=st.integers(1, 4094),
        egress=st.sampled_from(Egress),
        mtu=st.none() | st.integers(68, 65535),
        mac=st.none() | st.just("02:00:5e:00:53:01"),
        netns=st.none() | st.just("blue"),
        addresses=st.sampled_from([(), (ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64"))]),
        up=st.booleans(),
    )
)
def test_a_session_survives_its_words(spec: SessionSpec) -> None:
    if spec.netns is None:
        spec = dataclasses.replace(spec, vlan=None, egress=Egress.REMOVE)
    assert SessionSpec.from_record(json.loads(json.dumps(spec.to_words()))) == spec
    assert SessionSpec.from_words(json.loads(json.dumps(spec.to_words()))) == spec


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"remote": "non sense"}, "non sense"),
        ({"remote": "224.0.0.1"}, "unicast"),
        ({"remote": "0.0.0.0"}, "unicast"),
        ({"remote": "255.255.255.255"}, "unicast"),
        ({"remote": "fe80::1"}, "%NETDEV"),
        ({"remote": "::ffff:192.0.2.1"}, "192.0.2.1"),
        ({"remote": "192.0.2.1", "local": "2001:db8::1"}, "family"),
        ({"remote": "192.0.2.1", "local": "192.0.2.1"}, "both ends"),
        ({"remote": "192.0.2.1", "id": 0}, "--id"),
        ({"remote": "192.0.2.1", "peer-id": 2**32}, "--peer-id"),
        ({"remote": "192.0.2.1", "id": True}, "--id"),
        ({"remote": "192.0.2.1", "local-port": 0}, "--local-port"),
        ({"remote": "192.0.2.1", "remote-port": 65536}, "--remote-port"),
        ({"remote": "192.0.2.1", "encap": "gre"}, "udp, ip"),
        ({"remote": "192.0.2.1", "udp-checksum": "maybe"}, "on or off"),
        ({"remote": 5}, "--remote"),
        ({"remote": "192.0.2.1", "colour": "red"}, "colour"),
        ({"remote": "192.0.2.1", "name": "a b"}, "name"),
    ],
)
def test_a_tunnel_that_cant_work_is_refused(words: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        TunnelSpec.from_words({"name": "siteb", **words})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"sublayer": "none", "sequencing": "recv"}, "--sublayer"),
        ({"reorder-timeout-ms": -1}, "--reorder-timeout-ms"),
        ({"vlan": 0}, "--vlan"),
        ({"vlan": 4095}, "4094"),
        ({"vlan": "5x"}, "--vlan"),
        ({"egress": "rewrite"}, "--vlan"),
        ({"vlan": 5, "egress": "keep"}, "remove, rewrite"),
        ({"mtu": 67}, "--mtu"),
        ({"mtu": 65536}, "--mtu"),
        ({"mtu": "big"}, "--mtu"),
        ({"ifname": "much-too-long-name"}, "15"),
        ({"tx-cookie": "123"}, "--tx-cookie"),
        ({"tx-cookie": 5}, "--tx-cookie"),
        ({"mac": "01:00:00:00:00:00"}, "--mac"),
        ({"address": ["192.0.2.1/33"]}, "--address"),
        ({"address": "192.0.2.1/24"}, "list"),
        ({"bridge": "br0", "address": ["192.0.2.1/24"]}, "bridge"),
        ({"up": "yes"}, "--up"),
    ],
)
def test_a_session_that_cant_work_is_refused(words: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        SessionSpec.from_words({"name": "lan", "ifname": "lan0", **words})
    assert says in str(caught.value)


def test_cookies_stay_out_of_representations() -> None:
    spec = SessionSpec(name="lan", ifname="lan0", tx_cookie=b"SECRET!!", rx_cookie=b"HIDDEN!!")
    assert "SECRET" not in repr(spec)
    assert "HIDDEN" not in repr(spec)


def test_link_local_addresses_keep_their_netdev() -> None:
    assert TunnelSpec.from_words({"name": "a", "remote": "fe80::1%eth0"}).to_words()["remote"] == "fe80::1%eth0"


def test_some_words_give_some_fields() -> None:
    assert tunnel_attributes({"encap": "ip", "local": None}) == {"encap": Encap.IP, "local": None}


def test_sequencing_by_direction() -> None:
    table = {one: (one.send, one.recv) for one in Sequencing}
    assert table == {
        Sequencing.NONE: (False, False),
        Sequencing.SEND: (True, False),
        Sequencing.RECV: (False, True),
        Sequencing.BOTH: (True, True),
    }


def test_sublayer_none_without_sequencing_is_fine() -> None:
    assert SessionSpec(name="lan", ifname="lan0", sublayer=Sublayer.NONE).sequencing is Sequencing.NONE
