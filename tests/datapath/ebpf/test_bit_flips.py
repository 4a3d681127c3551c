"""Bits flip on the wire under right outer headers: not one wrong byte reaches an application.

Programs look at no checksum: only those of what is inside can tell. So a frame that comes out of a packet must not pass
for one whose checksum somebody has looked at.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from l2tpv3.model.spec import Encap
from tests.datapath.ebpf.ends import EbpfEnd, bare, passed
from tests.datapath.user.test_bit_flips import DATAGRAMS, datagrams, flipping, streams
from tests.hosts import UNDERLAY, Host, Hosts

pytestmark = pytest.mark.root


class Three(NamedTuple):
    """Two ends, and a host whose bridge they see each other by, called like their own underlay."""

    ends: tuple[EbpfEnd, EbpfEnd]
    middle: Host


@pytest.fixture(params=["bare", "veth"])
def three(request: pytest.FixtureRequest, hosts: Hosts) -> Three:
    """The hosts. bare: all is cut up and summed before it is on a wire, also what the relay sends merged."""
    near, far, middle = hosts.add("near", "far", "middle")
    lines = [f"link add {UNDERLAY} type bridge", f"link set {UNDERLAY} up"]
    for number, host in enumerate((near, far), start=1):
        host.v4 = f"10.99.0.{number}"
        port = f"p{number}"
        lines += [f"link add {port} type veth peer {UNDERLAY} netns {host.netns}"]
        lines += [f"link set {port} master {UNDERLAY} up"]
    middle.ip_batch(lines)
    for host in (near, far):
        host.ip_batch([f"addr add {host.v4}/24 dev {UNDERLAY}", f"link set {UNDERLAY} up"])
    if request.param == "bare":
        bare(near, far)
        for port in ("p1", "p2"):
            bare(middle, ifname=port)
    return Three((EbpfEnd.on(near), EbpfEnd.on(far)), middle)


@pytest.mark.parametrize("encap", Encap)
def test_no_wrong_byte_reaches_an_application(three: Three, encap: Encap) -> None:
    with flipping(three.ends, encap, three.middle) as relay:
        right, wrong = datagrams(three.ends, relay)
        assert wrong == 0
        assert right > DATAGRAMS // 10
        assert relay.flips > DATAGRAMS // 2
        before = relay.flips
        streams(three.ends, relay)
        assert relay.flips > before + 50
        assert by_programs(three.ends[1]) > DATAGRAMS // 4


def by_programs(end: EbpfEnd) -> int:
    """Packets of the one session that programs took frames out of."""
    (tunnel,) = end.datapath.tunnels(end.host.netns)
    (session,) = tunnel.sessions
    return session.counters.rx_packets - passed(end.host, f"lt{tunnel.tunnel_id}-{session.session_id}").received


@pytest.mark.parametrize("encap", Encap)
def test_flips_do_reach_who_has_no_checksum(three: Three, encap: Encap) -> None:
    """That the tests above see something at all."""
    with flipping(three.ends, encap, three.middle) as relay:
        _, wrong = datagrams(three.ends, relay, checksum=False)
        assert wrong > DATAGRAMS // 4
