"""An older kernel than most have here: programs load on it, and its l2tp_eth is the peer."""

from __future__ import annotations

import itertools

import pytest

from l2tpv3.model.spec import Encap, Sublayer
from tests.contract.frames import Tap
from tests.datapath.ebpf.ends import EbpfEnd, acquainted, packet_socket
from tests.datapath.ebpf.kinds import kinds
from tests.datapath.ebpf.streams import exchange_streams
from tests.datapath.ebpf.test_super_frames import addressed, moved, stops
from tests.datapath.user.ends import session
from tests.datapath.user.test_kernel_peer import kernel_session, kernel_tunnel, kernel_up

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

Ends = tuple[EbpfEnd, EbpfEnd]
ENCAPS = list(itertools.product(Encap, (4, 6)))
STREAM_BYTES = 200_000  # it is emulated


@pytest.mark.parametrize(("encap", "family"), ENCAPS)
def test_frames_and_streams_with_the_kernel(ends: Ends, encap: Encap, family: int) -> None:
    a, b = ends
    acquainted(a.host, b.host)
    tunnel = a.tunnel(b.host, encap=encap, family=family)
    sessions = [session(1), session(2, cookie=0, sublayer=Sublayer.NONE), session(3, cookie=4)]
    a.add(tunnel, *sessions)
    lines = [kernel_tunnel(a, b, encap=encap, family=family), *map(kernel_session, sessions)]
    if (encap, family) == (Encap.UDP, 6):  # it drops packets without a checksum unless it is told
        lines[0] += " udp6_csum_rx off"
    b.host.ip_batch(lines)
    b.host.ip_batch(kernel_up(b, *sessions))
    sent = list(kinds(1400).values())
    for one in sessions:
        for source, target in ((a, b), (b, a)):
            with Tap(target.place(one)) as tap, packet_socket(source.place(one)) as sender:
                for at in range(0, len(sent), 20):
                    for content in sent[at : at + 20]:
                        sender.send(content)
                    assert sorted(tap.collect(len(sent[at : at + 20]))) == sorted(sent[at : at + 20])
    addressed(a.host, "pw1", 1)
    addressed(b.host, "pw1", 2)
    for version in (4, 6):
        exchange_streams(*stops(a.host, b.host, version), count=1, size=STREAM_BYTES)
    moved(a, (tunnel, sessions[0]), 300)
    if family == 4:
        assert a.slow(tunnel, sessions[0]).sent == 0
