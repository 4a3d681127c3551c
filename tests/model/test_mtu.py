"""The session's MTU: the figures that Debian's 6.1 kernel gives l2tpeth netdevs on a 1500-byte underlay."""

from __future__ import annotations

import dataclasses
import itertools
from ipaddress import IPv4Interface, ip_address
from pathlib import Path

import pytest

from l2tpv3.errors import InvalidValueError, NoAddressError
from l2tpv3.linux.netns import inside
from l2tpv3.model.mtu import ip_fragments, session_mtu
from l2tpv3.model.spec import Encap, Sublayer, TunnelSpec
from l2tpv3.resolve.route import find_route
from tests.forged import ECHO_4, ECHO_6, learnt_mtu, too_long
from tests.hosts import UNDERLAY, Host, Hosts
from tests.waiting import eventually

SEEN_ON_LINUX = [
    (Encap.UDP, 4, 0, Sublayer.DEFAULT, 1446),
    (Encap.UDP, 6, 0, Sublayer.DEFAULT, 1426),
    (Encap.IP, 4, 0, Sublayer.DEFAULT, 1458),
    (Encap.IP, 6, 0, Sublayer.DEFAULT, 1438),
    (Encap.UDP, 4, 4, Sublayer.DEFAULT, 1442),
    (Encap.UDP, 4, 8, Sublayer.DEFAULT, 1438),
    (Encap.UDP, 4, 8, Sublayer.NONE, 1442),
    (Encap.UDP, 4, 0, Sublayer.NONE, 1450),
]


@pytest.mark.parametrize(("encap", "version", "cookie", "sublayer", "mtu"), SEEN_ON_LINUX)
def test_the_kernels_figure(encap: Encap, version: int, cookie: int, sublayer: Sublayer, mtu: int) -> None:
    assert session_mtu(1500, encap, version, cookie, sublayer) == mtu


def test_a_tag_takes_four_bytes() -> None:
    assert session_mtu(1500, Encap.UDP, 4, 0, Sublayer.DEFAULT, tagged=True) == 1442


def test_a_route_too_small_gives_an_ethernet_underlays_figure() -> None:
    assert session_mtu(68, Encap.UDP, 4, 0, Sublayer.DEFAULT) == 1446


@pytest.mark.root
def test_addresses_that_no_packet_can_go_between_are_wrong_values(underlay: tuple[Host, Host]) -> None:
    here, there = underlay
    broadcast = str(IPv4Interface(f"{here.v4}/24").network.broadcast_address)
    for words, told in (
        ({"remote": there.v4, "local": "127.0.0.1"}, "can't be reached from --local 127.0.0.1; leave --local out"),
        ({"remote": broadcast}, "is a broadcast address here"),
    ):
        spec = TunnelSpec.from_words({"name": "a", "netns": here.netns, **words})
        with pytest.raises(InvalidValueError) as caught:
            find_route(spec)
        assert told in str(caught.value)


def test_the_route_to_loopback() -> None:
    route = find_route(TunnelSpec.from_words({"name": "a", "remote": "127.0.0.2"}))
    assert (str(route.local), route.mtu) == ("127.0.0.1", 65535)


@pytest.mark.root
@pytest.mark.parametrize(("family", "protocol"), [(4, ECHO_4), (6, ECHO_6)])
def test_what_icmp_says_of_the_path_is_no_part_of_it(underlay: tuple[Host, Host], family: int, protocol: int) -> None:
    a, b = underlay
    tunnel = TunnelSpec.from_words({"name": "a", "remote": b.address(family), "netns": a.netns})
    too_long(b, a, family, protocol=protocol, mtu=1300)
    eventually(lambda: learnt_mtu(a, b, family) == 1300, "the kernel believes it")
    assert find_route(tunnel).mtu == 1500
    a.ip("route", "replace", f"{b.address(family)}/{32 if family == 4 else 128}", "dev", "u0", "mtu", "lock", "1450")
    assert find_route(tunnel).mtu == 1450
    too_long(b, a, family, protocol=protocol, mtu=1300)
    assert find_route(tunnel).mtu == 1450
    a.ip("link", "set", "u0", "mtu", "1400")
    a.ip("route", "del", f"{b.address(family)}/{32 if family == 4 else 128}", "dev", "u0")
    assert find_route(tunnel).mtu == 1400


@pytest.mark.root
def test_an_address_that_has_come_just_now_is_waited_for(hosts: Hosts) -> None:
    """Duplicate address detection takes a second, in which nobody can send from the address that `ip addr` shows."""
    a, b = hosts.pair()
    a.ip("addr", "add", "fd99::77/64", "dev", UNDERLAY)
    tunnel = TunnelSpec.from_words({"name": "a", "remote": b.v6, "local": "fd99::77"})
    with inside(a.netns):
        with pytest.raises(NoAddressError, match="duplicate address detection is not done"):
            find_route(tunnel)
        assert find_route(tunnel, patience_s=20).local == tunnel.local
    a.ip("addr", "add", "fd99::2/64", "dev", UNDERLAY)  # which is b's
    with inside(a.netns), pytest.raises(NoAddressError, match="another host has that address"):
        find_route(
            dataclasses.replace(tunnel, local=ip_address("fd99::2"), remote=ip_address("fd99::1")), patience_s=20
        )


@pytest.mark.root
def test_a_tunnel_is_made_from_an_address_that_has_come_just_now(hosts: Hosts) -> None:
    a, b = hosts.pair()
    a.ip("addr", "add", "fd99::77/64", "dev", UNDERLAY)
    added = a.ctl("tunnel", "add", "t", "--remote", b.v6, "--local", "fd99::77", "--datapath", "user")
    assert added.returncode == 0


def test_the_table_of_the_documentation() -> None:
    """docs/mtu.md has every combination."""
    page = (Path(__file__).parents[2] / "docs" / "mtu.md").read_text()
    for (encap, name), version, sublayer in itertools.product(((Encap.UDP, "UDP"), (Encap.IP, "IP")), (4, 6), Sublayer):
        cells = [str(session_mtu(1500, encap, version, cookie, sublayer)) for cookie in (8, 4, 0)]
        assert f"| {name} over IPv{version} | `{sublayer}` | {' | '.join(cells)} |" in page
        tagged = session_mtu(1500, encap, version, 8, sublayer, tagged=True)
        assert tagged == int(cells[0]) - 4, "what the page says of sessions that carry one VLAN"


@pytest.mark.parametrize(
    ("packet", "route", "version", "count"),
    [(1500, 1500, 4, 1), (1501, 1500, 4, 2), (1562, 1500, 4, 2), (2980, 1500, 4, 2), (2981, 1500, 4, 3),
     (1582, 1500, 6, 2), (9062, 1500, 4, 7), (1582, 576, 4, 3)],
)  # fmt: skip
def test_ip_fragments_of_a_packet(packet: int, route: int, version: int, count: int) -> None:
    assert ip_fragments(packet, route, version) == count
