"""What the outer packets' headers say: those that the programs write, and those that the worker sends for them."""

from __future__ import annotations

import dataclasses

import pytest

from l2tpv3.model.spec import Df, Encap
from tests.datapath.ebpf.ends import EbpfEnd
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.datapath.user.test_outer_header import PAIRS, Header, headers, ipv4, ipv6

pytestmark = pytest.mark.root


@pytest.mark.parametrize(("family", "encap"), PAIRS)
def test_they_have_what_the_tunnel_says(ends: tuple[EbpfEnd, EbpfEnd], family: int, encap: Encap) -> None:
    a, b = ends[0], End.on(ends[1].host)  # a program there would take the packets before they are seen
    tunnel = a.tunnel(b.host, family=family, encap=encap, udp_checksum=False, ttl=7, dscp=46, df=Df.ON)
    one = session(mtu=1400)
    a.add(tunnel, one)
    b.add(b.tunnel(a.host, family=family, encap=encap, udp_checksum=False), mirrored(one))
    df = True if family == 4 else None
    assert headers((a, b), tunnel, one, ipv4(0)) == [Header(7, 46 << 2, df)]
    passes(a.place(one), b.place(one), [60, 1400])
    assert not [note for note in a.seen(tunnel).notes if "inherit" in note]
    other = dataclasses.replace(tunnel, ttl=None, dscp=None, df=Df.INHERIT)
    a.datapath.set_tunnel(tunnel, other, [one])
    frames = [ipv4(0xB9, df=True), ipv4(0x28), ipv6(0x48)]
    expected = [Header(64, 0xB8, df), Header(64, 0x28, None if df is None else False), Header(64, 0x48, df)]
    assert headers((a, b), other, one, *frames) == expected
    (note,) = [note for note in a.seen(other).notes if "inherit" in note]
    assert note == "slower: the worker sends all packets (the programs inherit neither --dscp nor --df from frames)"
