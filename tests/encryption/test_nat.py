"""Encrypted tunnels from behind a NAT, which masquerades by another port, and then by another address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.encryption import charon
from tests.encryption.underlay import Wire, in_the_clear
from tests.hosts import UNDERLAY, Host, Hosts
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.timeout(600)]

BEFORE, AFTER = "192.0.2.1", "192.0.2.2"
"""The router's address outside."""
PORTS = range(40000, 50000)
"""Those by which it masquerades."""
MASQUERADE = f"""\
table ip nat {{
    chain postrouting {{
        type nat hook postrouting priority srcnat
        oifname outside ip protocol udp masquerade to :{PORTS.start}-{PORTS.stop - 1}
    }}
}}
"""


@pytest.fixture
def ends(hosts: Hosts) -> Iterator[tuple[Host, Host, Host]]:
    """A host behind a NAT, the router that is the NAT, and a host on the other side of it."""
    a, router = hosts.pair(("a", "r"))
    (b,) = hosts.add("b")
    b.v4 = "192.0.2.9"
    router.ip_batch([f"link add outside type veth peer {UNDERLAY} netns {b.netns}", "link set outside up"])
    router.ip("address", "add", f"{BEFORE}/24", "dev", "outside")
    b.ip_batch([f"addr add {b.v4}/24 dev {UNDERLAY}", f"link set {UNDERLAY} up"])
    a.ip("route", "add", "default", "via", router.v4)
    router.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    router.run(["nft", "-f", "-"], stdin=MASQUERADE)
    yield a, router, b


def join(a: Host, b: Host, *words: str) -> None:
    """A tunnel from behind the NAT, and its other end, which knows the router's address alone."""
    a.ctl("tunnel", "add", "t", "--remote", b.v4, "--datapath", "user", *words)
    a.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.1/24")
    tunnel, session = a.ctl("peer", "t").stdout.replace(a.v4, BEFORE).splitlines()
    b.ctl(*tunnel.split()[1:], "--datapath", "user")
    b.ctl(*session.split()[1:], "--ifname", "l2s", "--address", "10.9.0.2/24")


def encryption(host: Host) -> dict[str, Any]:
    """What the host says of what encrypts its tunnel."""
    (tunnel,) = json.loads(host.ctl("tunnel", "show", "t", "--json").stdout)["tunnels"]
    found: dict[str, Any] = tunnel["encryption"]
    return found


def is_at(b: Host, address: str) -> bool:
    """Whether the peer is at that address of the router's by now, and at a port that masquerades."""
    found, _, port = (encryption(b)["endpoint"] or ":0").rpartition(":")
    return found == address and int(port) in PORTS


def test_wireguard_goes_on_when_the_mapping_changes(ends: tuple[Host, Host, Host]) -> None:
    a, router, b = ends
    with Wire(b.netns, UNDERLAY) as wire:
        join(a, b, "--encrypt", "wireguard")
        a.ctl("tunnel", "set", "t", "--peer-public-key", encryption(b)["public_key"])
        assert a.ping("10.9.0.2") and is_at(b, BEFORE)
        router.ip("address", "del", f"{BEFORE}/24", "dev", "outside")
        router.ip("address", "add", f"{AFTER}/24", "dev", "outside")
        assert a.ping("10.9.0.2") and b.ping("10.9.0.1")
        eventually(lambda: is_at(b, AFTER))
        assert not [one for kind, packet in wire.packets() if (one := in_the_clear(kind, packet))]


@pytest.mark.kernel_l2tp
def test_ipsec_passes_in_udp(ends: tuple[Host, Host, Host]) -> None:
    """The end that can be reached is made first: who is refused does not ask again."""
    a, _, b = ends
    for host in (a, b):
        charon.start(host)
    words = ["--encrypt", "ipsec", "--esp-in-udp", "on", "--ike-id", "site-b", "--peer-ike-id", "site-a"]
    b.ctl("tunnel", "add", "t", "--remote", BEFORE, "--datapath", "user", *words)
    b.ctl("session", "add", "t", "s", "--ifname", "l2s", "--address", "10.9.0.2/24")
    tunnel, session = b.ctl("peer", "t").stdout.replace(BEFORE, a.v4).splitlines()
    a.ctl(*tunnel.split()[1:], "--datapath", "user")
    a.ctl(*session.split()[1:], "--ifname", "l2s", "--address", "10.9.0.1/24")
    with Wire(b.netns, UNDERLAY) as wire:
        assert a.ping("10.9.0.2") and b.ping("10.9.0.1"), charon.log(a)
        assert is_at(b, BEFORE) and encryption(b)["in_udp"], encryption(b)
        packets = [packet for kind, packet in wire.packets() if kind == 0x0800 and packet[9] in (17, 115)]
        assert not [packet for packet in packets if packet[9] == 115 or (1701).to_bytes(2, "big") in packet[20:24]]
