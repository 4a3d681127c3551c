"""IPsec policies, in the kernel: what they keep from going out and from coming in."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address
from itertools import product

import pytest

from l2tpv3.linux.netlink.xfrm import IN, OUT, Policy, XfrmSocket, is_used
from l2tpv3.linux.netns import inside
from tests.encryption.underlay import Wire
from tests.hosts import UNDERLAY, Host, Hosts

pytestmark = pytest.mark.root


def test_policies_are_listed_and_removed_as_they_were_added(hosts: Hosts) -> None:
    (host,) = hosts.add("a")
    assert not is_used(host.netns)
    ends = [ip_address(text) for text in ("192.0.2.9", "2001:db8::9")]
    packets = [(17, 1701, 1702), (115, 0, 0)]
    made = [Policy(way, end, *which, 0x8000_1234) for end, which, way in product(ends, packets, (IN, OUT))]
    with XfrmSocket(host.netns) as xfrm:
        for policy in made:
            xfrm.add(policy)
            with pytest.raises(OSError) as refused:
                xfrm.add(policy)
            assert refused.value.errno == errno.EEXIST
        assert sorted(map(repr, xfrm.policies())) == sorted(map(repr, made)) and is_used(host.netns)
        host.ip("xfrm", "policy", "add", "src", "10.0.0.0/8", "dst", "192.0.2.9/32", "dir", "out", "action", "block")
        assert len(xfrm.policies()) == len(made)  # another program's is of another form
        for policy in made:
            xfrm.remove(policy)
        assert not xfrm.policies() and "block" in host.ip("xfrm", "policy")
        with pytest.raises(OSError) as refused:
            xfrm.remove(made[0])
        assert refused.value.errno == errno.ENOENT


@pytest.mark.parametrize("family", [4, 6])
def test_without_an_sa_nothing_goes_out_and_nothing_comes_in(underlay: tuple[Host, Host], family: int) -> None:
    a, b = underlay
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    here, there = ip_address(a.address(family)), ip_address(b.address(family))
    with inside(a.netns):
        ours = socket.socket(kind, socket.SOCK_DGRAM)
        ours.bind((str(here), 1701))
        ours.settimeout(0.2)
    with inside(b.netns):
        theirs = socket.socket(kind, socket.SOCK_DGRAM)
        theirs.bind((str(there), 1702))
    with ours, theirs, Wire(a.netns, UNDERLAY) as wire, XfrmSocket(a.netns) as xfrm:
        theirs.sendto(b"before", (str(here), 1701))
        assert ours.recv(99) == b"before"
        for way in (IN, OUT):
            xfrm.add(Policy(way, there, 17, 1701, 1702, 0x8000_0001))
        wire.packets()
        _send(ours, b"in the clear", (str(there), 1702))
        ours.sendto(b"to another port", (str(there), 1703))
        seen = b"".join(packet for _, packet in wire.packets())
        assert b"to another port" in seen and b"in the clear" not in seen
        theirs.sendto(b"unwanted", (str(here), 1701))
        with pytest.raises(TimeoutError):
            ours.recv(99)


def _send(one: socket.socket, data: bytes, to: tuple[str, int]) -> None:
    try:
        one.sendto(data, to)
    except OSError as error:  # or it is dropped without a word
        assert error.errno in (errno.EAGAIN, errno.EPERM, errno.EHOSTUNREACH), error
