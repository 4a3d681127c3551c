"""`l2tpctl mtu` behind a router whose far side takes less than the near one: what it finds, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from l2tpv3.documents.path_mtu import path_mtu_document, path_mtu_from_json
from l2tpv3.documents.schemas import MTU_SCHEMA, json_schema
from l2tpv3.host.path_mtu import examine
from l2tpv3.linux.netns import inside
from l2tpv3.model.path_mtu import PathMtu
from tests.forged import learnt_mtu
from tests.here import Here
from tests.hosts import Host, Hosts

pytestmark = pytest.mark.root

NARROW = 1387


@pytest.fixture
def path(hosts: Hosts) -> tuple[Here, Host]:
    """A host, and one behind a router by which the path narrows."""
    a, router = hosts.pair()
    (b,) = hosts.add("far")
    router.ip_batch([f"link add u1 mtu {NARROW} type veth peer u0 mtu {NARROW} netns {b.netns}"])
    for host, netdev, number in ((router, "u1", 1), (b, "u0", 2)):
        addresses = [f"10.98.0.{number}/24 dev {netdev}", f"fd98::{number}/64 dev {netdev} nodad"]
        host.ip_batch([*(f"addr add {one}" for one in addresses), f"link set {netdev} up"])
    with inside(router.netns):
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
    a.ip_batch([f"route add 10.98.0.0/24 via {router.v4}", f"route add fd98::/64 via {router.v6}"])
    b.ip_batch(["route add default via 10.98.0.1", "route add default via fd98::1"])
    b.v4, b.v6 = "10.98.0.2", "fd98::2"
    return Here(a), b


def made(here: Here, far: Host, family: int, **words: object) -> PathMtu:
    here.add_tunnel("t", {"remote": far.address(family), "datapath": "user", **words})
    here.add_session("t", "s", {"bridge": None, "mtu": 1500})
    here.host.run(["ping", "-q", "-c", "1", "-w", "30", far.address(family)], check=False)  # there is a way now
    with inside(here.host.netns):
        return examine(here.manager.tunnel("t"), probe=True, timeout_s=0.5)


@pytest.mark.parametrize(("family", "fits"), [(4, 62), (6, 82)])
def test_what_the_path_takes(path: tuple[Here, Host], family: int, fits: int) -> None:
    here, far = path
    found = made(here, far, family)
    assert (found.route, found.path) == (1500, NARROW)
    (one,) = found.sessions
    assert (one.fits, one.overhead, one.mtu) == (NARROW - fits, fits, 1500)
    assert (one.full_packets, one.in_fragments) == (2, True)
    if family == 4:
        assert learnt_mtu(here.host, far, 4) == 0, "the host believes no ICMP about it"


def test_a_peer_that_answers_no_echo(path: tuple[Here, Host]) -> None:
    here, far = path
    with inside(far.netns):
        Path("/proc/sys/net/ipv4/icmp_echo_ignore_all").write_text("1")
    found = made(here, far, 4, encap="ip")
    assert (found.path, found.route, found.sessions[0].fits) == (None, 1500, 1450)
    said = here.host.ctl("mtu", "t", "--timeout", "0.1").stdout
    assert "path: not known, since 10.98.0.2 answers no ICMP echo request; the route's is assumed\n" in said


def test_what_it_says(path: tuple[Here, Host]) -> None:
    here, far = path
    made(here, far, 4)
    assert (
        here.host.ctl("mtu", "t", "--timeout", "0.5").stdout
        == f"""\
route to 10.98.0.2: 1500 bytes
path: {NARROW} bytes, in one piece, less than the route says: what is longer gets lost

session t/s
  OVERHEAD              BYTES
  IPv4 header              20
  UDP header                8
  L2TPv3 header             8
  cookie                    8
  L2-specific sublayer      4
  ethernet header          14
  all                      62
  one packet has room for a frame with 1325 bytes of payload; the MTU is 1500
  a frame of full size (1500) would take 2 IP fragments, which many firewalls and NATs drop
  `l2tpctl session set t s --mtu 1325` at both ends fits this path
  `l2tpctl session set t s --fragment on` at both ends sends whole packets instead (--datapath user)
  `l2tpctl session set t s --clamp-mss on` keeps TCP from making frames that don't fit
"""
    )
    here.set_session("t", "s", {"fragment": "on", "clamp-mss": "on"})
    said = here.host.ctl("mtu", "t", "--no-probe").stdout
    assert "path: not probed" in said
    assert "would take 2 packets; TCP is kept from making any\n" in said
    document = json.loads(here.host.ctl("mtu", "t", "--no-probe", "--json").stdout)
    jsonschema.validate(document, json_schema(MTU_SCHEMA))
    assert document["sessions"][0]["overhead_bytes"] == 62
    with inside(here.host.netns):
        whole = examine(here.manager.tunnel("t"), probe=False, timeout_s=1)
    assert path_mtu_document(whole) == document
    assert path_mtu_from_json(document) == whole
