"""A port wires two netdevs together: what goes in at one comes out at the other, whatever it is."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l2tpv3.errors import ConflictError, L2tpError
from l2tpv3.links.backends.base import LinkBackends
from l2tpv3.linux.netns import inside
from l2tpv3.model.links.spec import LinkSpec
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

# linux/if_packet.h
_SOL_PACKET, _PACKET_AUXDATA, _VLAN_VALID = 263, 8, 0x10
_AUXDATA = struct.Struct("=IIIHHHH")

maker_of = LinkBackends(Path("/run/test"))
_FROM = bytes.fromhex("020000000001")
FRAMES = {
    "LACP": bytes.fromhex("0180c2000002") + _FROM + b"\x88\x09\x01\x01" + bytes(range(108)),
    "802.1X": bytes.fromhex("0180c2000003") + _FROM + b"\x88\x8e\x01\x01\0\0" + bytes(42),
    "STP": bytes.fromhex("0180c2000000") + _FROM + b"\0\x26\x42\x42\x03" + bytes(35),
    "LLDP": bytes.fromhex("0180c200000e") + _FROM + b"\x88\xcc" + bytes(60),
    "tagged": bytes.fromhex("ffffffffffff") + _FROM + b"\x81\0\xe0\x0a\x08\x06" + bytes(46),
    "twice tagged": bytes.fromhex("020000000009") + _FROM + b"\x88\xa8\0\x14\x81\0\0\x0a\x08\0" + bytes(60),
    "another's unicast": bytes.fromhex("020000000099") + _FROM + b"\x90\0" + bytes(1500),
    "pause": bytes.fromhex("0180c2000001") + _FROM + b"\x88\x08\0\x01\xff\xff" + bytes(42),
}


@pytest.fixture
def host(netns: Callable[[str], Host]) -> Host:
    """A host with NICs n0 and n1; their other ends w0 and w1 are in the same namespace, and say nothing."""
    made = netns("h")
    made.run(["sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1"])
    made.ip_batch([line for n in range(2) for line in (f"link add n{n} type veth peer w{n}", f"link set w{n} up")])
    return made


def port(host: Host) -> tuple[LinkSpec, dict[str, str], str]:
    spec = LinkSpec.from_words({"name": "cable", "type": "port", "over": "n0,n1", "over-netns": host.netns})
    return spec, {"n0": "n0", "n1": "n1"}, "l2tpv3 link/cable /run/test"


@contextlib.contextmanager
def wires(host: Host) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack, inside(host.netns):
        sockets = []
        for name in ("w0", "w1"):
            one = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
            one.bind((name, 3))
            one.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            one.settimeout(PATIENCE_S)
            sockets.append(one)
        yield sockets


def received(one: socket.socket) -> bytes:
    """The next frame that comes from the wire, with its tag, which the kernel takes out and tells beside it."""
    while True:
        frame, ancillary, _, address = one.recvmsg(4096, 64)
        if address[2] == socket.PACKET_OUTGOING:
            continue
        for level, kind, data in ancillary:
            if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
                status, _, _, _, _, tci, tpid = _AUXDATA.unpack(data[: _AUXDATA.size])
                if status & _VLAN_VALID:
                    return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
        return frame


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_every_frame_passes_as_it_is_both_ways(host: Host, frame: bytes) -> None:
    spec, below, mark = port(host)
    maker = maker_of(spec)
    maker.check(spec, below, mark)
    maker.make(spec, below, mark, None)
    with wires(host) as (w0, w1):
        w0.send(frame)
        assert received(w1) == frame
        w1.send(frame)
        assert received(w0) == frame
    seen = maker.find(spec, mark)
    assert seen is not None
    assert set(seen.over) == {"n0", "n1"}
    assert seen.counters["n0_packets"] == seen.counters["n1_packets"] == 1
    maker.remove(spec, mark)
    assert maker.find(spec, mark) is None
    assert "PROMISC" not in host.ip("link", "show", "n0")
    with wires(host) as (w0, w1):
        w1.settimeout(0.3)
        w0.send(frame)
        with pytest.raises(TimeoutError):
            received(w1)


def test_a_nic_with_an_address_or_a_bridge_is_left_alone(host: Host) -> None:
    spec, below, mark = port(host)
    host.ip_batch(["addr add 10.9.0.1/24 dev n0"])
    with pytest.raises(ConflictError, match=r"10\.9\.0\.1/24"):
        maker_of(spec).check(spec, below, mark)
    host.ip_batch(["addr flush dev n0", "link add bb type bridge", "link set n1 master bb"])
    with pytest.raises(ConflictError, match="a member of bb"):
        maker_of(spec).check(spec, below, mark)


def test_what_the_filters_hang_on_goes_with_them_unless_it_is_anothers(host: Host) -> None:
    spec, below, mark = port(host)
    host.run(["tc", "qdisc", "add", "dev", "n1", "clsact"])
    host.run(["tc", "filter", "add", "dev", "n1", "egress", "u32", "match", "u32", "0", "0", "classid", "1:1"])
    maker_of(spec).make(spec, below, mark, None)
    maker_of(spec).remove(spec, mark)
    assert "clsact" not in host.run(["tc", "qdisc", "show", "dev", "n0"]).stdout
    assert "clsact" in host.run(["tc", "qdisc", "show", "dev", "n1"]).stdout
    assert host.run(["tc", "filter", "show", "dev", "n1", "ingress"]).stdout == ""


@pytest.mark.parametrize("spoil", ["del n1", "set n0 promisc off", "unplug"])
def test_half_of_a_port_is_found_to_be_so_and_is_completed(host: Host, spoil: str) -> None:
    spec, below, mark = port(host)
    maker = maker_of(spec)
    maker.make(spec, below, mark, None)
    assert maker.find(spec, mark) is not None
    if spoil == "unplug":
        host.ip_batch(["link del n1", "link add n1 type veth peer w1", "link set w1 up"])
    elif spoil == "del n1":
        host.run(["tc", "filter", "del", "dev", "n1", "ingress"])
    else:
        host.ip_batch([f"link {spoil}"])
    seen = maker.find(spec, mark)
    assert seen is not None
    # What was plugged in again is told by its lack alone: the filter tells no more where frames went.
    assert dict(seen.words) == ({} if spoil == "unplug" else {"over": []})
    assert (set(seen.over) == {"n0", "n1"}) == (spoil == "set n0 promisc off")
    maker.change(spec, spec, below, mark, None)
    whole = maker.find(spec, mark)
    assert whole is not None
    assert (set(whole.over), dict(whole.words)) == ({"n0", "n1"}, {})
    with wires(host) as (w0, w1):
        w0.send(FRAMES["LACP"])
        assert received(w1) == FRAMES["LACP"]
        w1.send(FRAMES["LACP"])
        assert received(w0) == FRAMES["LACP"]


def test_a_port_that_fails_half_way_leaves_nothing(host: Host) -> None:
    spec, _, mark = port(host)
    with pytest.raises(L2tpError):
        maker_of(spec).make(spec, {"n0": "n0", "n1": "gone"}, mark, None)
    assert maker_of(spec).find(spec, mark) is None
    assert "mirred" not in host.run(["tc", "filter", "show", "dev", "n0", "ingress"]).stdout
