"""What the outer packets' headers say, as a packet socket at the far end sees it; and by which path they go."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from l2tpv3.errors import L2tpError
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Df, Encap, SessionSpec, TunnelSpec
from tests.contract.frames import on_one_cpu
from tests.datapath.user.ends import End, mirrored, passes, session
from tests.datapath.user.test_forged_icmp import fragments
from tests.forged import UDP, too_long
from tests.hosts import UNDERLAY
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

MACS = bytes.fromhex("020000000002020000000001")
TAG = bytes.fromhex("8100a00a")
PAIRS = [(4, Encap.UDP), (4, Encap.IP), (6, Encap.UDP), (6, Encap.IP)]


def ipv4(tos: int, *, df: bool = False, tags: bytes = b"") -> bytes:
    """A frame with an IPv4 packet. Its protocol is one that nobody answers."""
    header = bytes([0x45, tos, 0, 40, 0, 1, 0x40 if df else 0, 0, 64, 253, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2])
    return MACS + tags + b"\x08\x00" + header + bytes(20)


def ipv6(traffic_class: int, *, tags: bytes = b"") -> bytes:
    """A frame with an IPv6 packet."""
    first = (6 << 28 | traffic_class << 20).to_bytes(4, "big")
    return MACS + tags + b"\x86\xdd" + first + bytes([0, 8, 253, 64]) + bytes(32) + bytes(8)


@dataclasses.dataclass
class Header:
    """What is looked at of an outer header. df: None over IPv6, which has none."""

    ttl: int
    tos: int
    df: bool | None

    @classmethod
    def of(cls, packet: bytes) -> Header:
        if packet[0] >> 4 == 4:
            return cls(packet[8], packet[1], bool(packet[6] & 0x40))
        return cls(packet[7], int.from_bytes(packet[:2], "big") >> 4 & 0xFF, None)


@contextlib.contextmanager
def outer_packets(end: End, family: int, ifname: str = UNDERLAY) -> Iterator[socket.socket]:
    """A socket that gets the IP packets that come in by a netdev."""
    protocol = 0x0800 if family == 4 else 0x86DD
    with inside(end.host.netns):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    with one:
        one.bind((ifname, protocol))
        one.settimeout(PATIENCE_S)
        yield one


def next_of_tunnel(watching: socket.socket, tunnel: TunnelSpec) -> bytes:
    """The next packet between the tunnel's ends."""
    while True:
        packet = watching.recv(65536)
        at, size = (12, 4) if tunnel.remote.version == 4 else (8, 16)
        if packet[at + size : at + 2 * size] == tunnel.remote.packed and packet[at - 3 if size == 4 else 6] != 58:
            return packet


def send(end: End, one: SessionSpec, *frames: bytes) -> None:
    """Put frames into a session's netdev."""
    with inside(end.host.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((one.ifname, 0))
        with on_one_cpu():
            for frame in frames:
                sender.send(frame)


def headers(ends: tuple[End, End], tunnel: TunnelSpec, one: SessionSpec, *frames: bytes) -> list[Header]:
    """Those of the outer packets of these frames, in their order."""
    a, b = ends
    with outer_packets(b, tunnel.remote.version) as watching:
        send(a, one, *frames)
        return [Header.of(next_of_tunnel(watching, tunnel)) for _ in frames]


def made(
    ends: tuple[End, End], family: int = 4, encap: Encap = Encap.UDP, **changes: Any
) -> tuple[TunnelSpec, SessionSpec]:
    """A tunnel with a session at both ends; changes: of the near one."""
    a, b = ends
    tunnel, one = a.tunnel(b.host, family=family, encap=encap, **changes), session(mtu=1500)
    a.add(tunnel, one)
    b.add(b.tunnel(a.host, family=family, encap=encap), mirrored(one))
    return tunnel, one


@pytest.mark.parametrize(("family", "encap"), PAIRS)
def test_they_have_what_the_tunnel_says(ends: tuple[End, End], family: int, encap: Encap) -> None:
    tunnel, one = made(ends, family, encap, ttl=7, dscp=46, df=Df.ON)
    df = True if family == 4 else None
    assert headers(ends, tunnel, one, ipv4(0)) == [Header(7, 46 << 2, df)]
    passes(ends[0].place(one), ends[1].place(one), [60, 1400])
    other = dataclasses.replace(tunnel, ttl=None, dscp=0, df=Df.OFF)
    ends[0].datapath.set_tunnel(tunnel, other, [one])
    assert headers(ends, other, one, ipv4(0)) == [Header(64, 0, None if df is None else False)]
    assert ends[0].counters(other, one).tx_packets == 4, "counters go on"


@pytest.mark.parametrize(("family", "encap"), PAIRS)
def test_what_is_too_long_is_dropped_and_counted_when_it_may_not_be_cut(
    ends: tuple[End, End], family: int, encap: Encap
) -> None:
    a, b = ends
    tunnel, one = made(ends, family, encap, df=Df.ON)
    with outer_packets(b, family) as watching:
        send(a, one, *[MACS + b"\x88\xb5" + bytes(1480)] * 3, ipv4(0))
        assert len(next_of_tunnel(watching, tunnel)) < 200, "the short one is the only one"
    assert (a.counters(tunnel, one).tx_errors, fragments(a, family)) == (3, 0)
    assert a.seen(tunnel).counters.tx_too_long == 3


@pytest.mark.parametrize(("family", "encap"), PAIRS)
def test_they_inherit_from_the_packet_in_each_frame(ends: tuple[End, End], family: int, encap: Encap) -> None:
    tunnel, one = made(ends, family, encap, dscp=None, df=Df.INHERIT)
    frames = {
        ipv4(0xB9, df=True): (0xB8, True),  # the ECN bits stay behind
        ipv4(0x28): (0x28, False),
        ipv4(0x28, tags=TAG): (0x28, False),
        ipv6(0x48, tags=TAG + TAG): (0x48, True),
        ipv6(0x04): (0x04, True),
        MACS + b"\x08\x06" + bytes(46): (0, False),
        MACS + b"\x08\x00" + b"\x45": (0, False),  # cut short
    }
    expected = [Header(64, tos, df if family == 4 else None) for tos, df in frames.values()]
    assert headers(ends, tunnel, one, *frames) == expected
    passes(ends[0].place(one), ends[1].place(one), [60, 1400, 60])


def test_a_forged_icmp_message_costs_no_frame_that_may_not_be_cut(ends: tuple[End, End]) -> None:
    a, b = ends
    tunnel, one = made(ends, df=Df.ON)
    for size in (1400, 60, 1414):
        too_long(b.host, a.host, 4, protocol=UDP, mtu=600)
        passes(b.place(one), a.place(one), [60])  # it has been taken by now
        passes(a.place(one), b.place(one), [size])
    assert a.counters(tunnel, one).tx_errors == 0


def test_a_mark_chooses_the_route(ends: tuple[End, End]) -> None:
    a, b = ends
    a.host.ip_batch(
        [
            f"route add blackhole {b.host.v4}/32",
            f"route add {b.host.v4}/32 dev {UNDERLAY} table 100",
            "rule add fwmark 0x90000010 lookup 100",
        ]
    )
    with pytest.raises(L2tpError, match="connect to"):
        a.datapath.add_tunnel(a.tunnel(b.host))
    _, one = made(ends, fwmark=0x90000010)
    passes(a.place(one), b.place(one), [60])


def test_it_is_bound_to_a_netdev(ends: tuple[End, End]) -> None:
    a, b = ends
    with pytest.raises(L2tpError, match="there is no netdev nowhere here: make it, or give another one"):
        a.datapath.add_tunnel(a.tunnel(b.host, bind_device="nowhere"))
    d0 = ["link add d0 type veth peer d1", "link set d0 up arp off", "link set d1 up"]
    a.host.ip_batch(d0)
    tunnel, one = made(ends, bind_device="d0")
    assert _passes_d1(a, tunnel, one), "whatever the routes say"
    assert a.seen(tunnel).bound_device == "d0"
    a.host.ip_batch(["link del d0", *d0])
    assert a.seen(tunnel).bound_device == "", "that is another one"
    a.datapath.set_tunnel(tunnel, tunnel, [one])
    assert _passes_d1(a, tunnel, one)


def _passes_d1(end: End, tunnel: TunnelSpec, one: SessionSpec) -> bool:
    """Whether packets arrive at the other end of d0, a while after that was set up."""
    with outer_packets(end, 4, "d1") as watching:
        watching.settimeout(0.1)
        for _ in range(100):
            send(end, one, ipv4(0))
            with contextlib.suppress(TimeoutError):
                return bool(next_of_tunnel(watching, tunnel))
    return False
