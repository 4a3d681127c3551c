"""One forged ICMP message about a tunnel's packets slows nobody down."""

from __future__ import annotations

from pathlib import Path

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.forged import ECHO_4, ECHO_6, UDP, learnt_mtu, too_long
from tests.waiting import eventually

pytestmark = pytest.mark.root


def fragments(end: End, family: int) -> int:
    """How many fragments a host has made."""
    with inside(end.host.netns):
        if family == 6:
            lines = Path("/proc/net/snmp6").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("Ip6FragCreates"))
        names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
        return int(values[names.index("FragCreates")])


@pytest.mark.parametrize("encap", Encap)
@pytest.mark.parametrize(("family", "echo"), [(4, ECHO_4), (6, ECHO_6)])
def test_no_frame_is_fragmented_for_it(ends: tuple[End, End], encap: Encap, family: int, echo: int) -> None:
    a, b = ends
    near, one = a.tunnel(b.host, family=family, encap=encap), session()
    a.add(near, one)
    b.add(b.tunnel(a.host, family=family, encap=encap), mirrored(one))
    protocol = UDP if encap is Encap.UDP else 115
    too_long(b.host, a.host, family, protocol=protocol, mtu=1280)
    passes(b.place(one), a.place(one), [60])  # it has been taken by now
    if (family, encap) != (6, Encap.IP):  # there Linux believes it for any raw socket, which sends regardless
        assert learnt_mtu(a.host, b.host, family) == 0, "the tunnel's socket believes it"
    too_long(b.host, a.host, family, protocol=echo, mtu=1280)
    eventually(lambda: learnt_mtu(a.host, b.host, family) == 1280, "the host believes it of another packet")
    passes(a.place(one), b.place(one), [1400, 1414])
    assert fragments(a, family) == 0
