"""A forged ICMP message, about a tunnel's packets or any others to the peer, sends no frame the slow way."""

from __future__ import annotations

import pytest

from l2tpv3.model.spec import Encap
from tests.datapath.ebpf.ends import EbpfEnd, Passed, acquainted
from tests.datapath.user.ends import mirrored, passes, session
from tests.forged import ECHO_4, ECHO_6, UDP, learnt_mtu, too_long
from tests.hosts import UNDERLAY
from tests.waiting import eventually

pytestmark = pytest.mark.root


@pytest.mark.parametrize("encap", Encap)
@pytest.mark.parametrize(("family", "echo"), [(4, ECHO_4), (6, ECHO_6)])
def test_programs_send_by_the_netdevs_mtu(ends: tuple[EbpfEnd, EbpfEnd], encap: Encap, family: int, echo: int) -> None:
    a, b = ends
    acquainted(a.host, b.host)
    near, one = a.tunnel(b.host, family=family, encap=encap), session()
    a.add(near, one)
    b.add(b.tunnel(a.host, family=family, encap=encap), mirrored(one))
    too_long(b.host, a.host, family, protocol=UDP if encap is Encap.UDP else 115, mtu=1280)
    too_long(b.host, a.host, family, protocol=echo, mtu=1280)
    eventually(lambda: learnt_mtu(a.host, b.host, family) == 1280, "the host believes it of another packet")
    passes(a.place(one), b.place(one), [1400, 1414])
    assert a.slow(near, one) == Passed(0, 0)
    assert a.seen(near).notes == ()
    a.host.ip("link", "set", UNDERLAY, "mtu", "1400")
    passes(a.place(one), b.place(one), [1300, 1414])
    assert a.slow(near, one) == Passed(0, 1), "what the netdev has no room for is the worker's"
