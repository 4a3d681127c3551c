"""Frames of all kinds through the programs: byte for byte, in their order; and what is on the wire meanwhile."""

from __future__ import annotations

import dataclasses
import itertools
import socket
from collections.abc import Iterator

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Encap, SessionSpec, Sublayer, TunnelSpec
from tests.contract.frames import Tap, frame, on_one_cpu
from tests.datapath.ebpf.ends import EbpfEnd, acquainted, packet_socket, passed
from tests.datapath.ebpf.kinds import frame as kind
from tests.datapath.ebpf.kinds import kinds
from tests.datapath.user.ends import End, mirrored, session
from tests.datapath.user.test_qemu_peer import PORT, qemu
from tests.hosts import UNDERLAY, Hosts
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

JUMBO = 9000
SHORTEST = 34
"""Of the frames that go by the programs; shorter ones go by the worker, and may lose their place."""

Line = tuple[EbpfEnd, End, TunnelSpec, SessionSpec]
ENCAPS = list(itertools.product(Encap, (4, 6)))
CASES = list(itertools.product(Encap, (4, 6), (EbpfEnd, End)))


def lengths(encap: Encap) -> int:
    """Bytes of the L2TP header of the sessions here, with 8 of a cookie and the sublayer."""
    return (8 if encap is Encap.UDP else 4) + 8 + 4


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}{case[1]}-{case[2].__name__}")
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    """A session between an ebpf datapath and another one, or a user datapath, both with jumbo frames."""
    encap, family, kind = request.param
    hosts = Hosts()
    try:
        near_host, far_host = hosts.pair(mtu=JUMBO + 100)
        near, far = EbpfEnd.on(near_host), kind.on(far_host)
        acquainted(near_host, far_host)
        one = session(mtu=JUMBO)
        tunnel = near.tunnel(far_host, encap=encap, family=family)
        near.add(tunnel, one)
        far.add(far.tunnel(near_host, encap=encap, family=family, udp_checksum=False), mirrored(one))
        yield near, far, tunnel, one
    finally:
        hosts.close()


@pytest.mark.parametrize("back", [False, True], ids=["there", "back"])
def test_every_kind_arrives_as_it_was_in_order(line: Line, back: bool) -> None:  # noqa: FBT001
    near, far, tunnel, one = line
    source, target = (far, near) if back else (near, far)
    sent = kinds(JUMBO)
    before, counted = near.slow(tunnel, one), near.counters(tunnel, one)
    with Tap(target.place(one)) as tap, packet_socket(source.place(one)) as sender:
        with on_one_cpu():
            for content in sent.values():
                sender.send(content)
        got = tap.collect(len(sent))
        assert tap.collect(1, 0.05) == []
    named = {content: name for name, content in sent.items()}
    arrived, expected = [named.get(content, content.hex()) for content in got], list(sent)
    if not isinstance(target, EbpfEnd):  # what a worker writes to a TAP with NAPI is not always in order
        arrived.sort()
        expected.sort()
    assert arrived == expected
    assert near.slow(tunnel, one) == before, "all of it went by the programs"
    after = near.counters(tunnel, one)
    total = sum(map(len, sent.values())) + len(sent) * lengths(tunnel.encap)
    packets, length = (
        (after.rx_packets - counted.rx_packets, after.rx_bytes - counted.rx_bytes)
        if back
        else (after.tx_packets - counted.tx_packets, after.tx_bytes - counted.tx_bytes)
    )
    assert (packets, length) == (len(sent), total)
    assert (after.tx_errors, after.rx_errors) == (0, 0)


def test_what_is_too_short_arrives_both_ways_by_the_worker(line: Line) -> None:
    near, far, tunnel, one = line
    sent = [frame(size, size) for size in range(14, SHORTEST)]
    # Of IPv6 the kernel wants a whole header.
    sent += [kind(0x86DD, bytes([0x60, size, *bytes(size - 16)])) for size in range(34, 54)]
    for source, target in ((near, far), (far, near)):
        with Tap(target.place(one)) as tap, packet_socket(source.place(one)) as sender:
            for content in sent:
                sender.send(content)
            got = tap.collect(len(sent))
        assert sorted(got) == sorted(sent)
    assert near.counters(tunnel, one).rx_errors == 0


def test_the_packets_on_the_wire(line: Line) -> None:
    """By RFC 791, 768, 8200 and 3931: what is in every packet, and that no two have one identification."""
    near, far, tunnel, one = line
    frames = [frame(size, size) for size in (60, 61, 99, 1000, 1001, 5000, JUMBO + 14)]
    packets = captured(near, far, tunnel, one, frames)
    assert len(packets) == len(frames)
    for content, packet in zip(frames, packets, strict=True):
        carried = _ipv4(packet) if tunnel.remote.version == 4 else _ipv6(packet)
        if tunnel.encap is Encap.UDP:
            assert carried[:4].hex() == "06a506a5"
            assert int.from_bytes(carried[4:6], "big") == len(carried)
            assert carried[6:8] == b"\0\0", "a checksum where none was to be"
            assert carried[8:12].hex() == "00030000", "version 3 and nothing else"
            carried = carried[12:]
        assert carried[:4] == one.peer_session_id.to_bytes(4, "big")
        assert carried[4:12] == one.tx_cookie
        assert carried[12:16] == bytes(4)
        assert carried[16:] == content
    if tunnel.remote.version == 4:
        assert len({packet[18:20] for packet in packets}) > len(packets) // 2


def captured(near: EbpfEnd, far: End, tunnel: TunnelSpec, one: SessionSpec, frames: list[bytes]) -> list[bytes]:
    """The packets that come in at the far host when frames are sent, from their ethernet header on."""
    version, protocol = tunnel.remote.version, 17 if tunnel.encap is Encap.UDP else 115
    with inside(far.host.netns):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    packets: list[bytes] = []
    with wire, packet_socket(near.place(one)) as sender:
        wire.bind((UNDERLAY, 3))
        wire.settimeout(PATIENCE_S)
        with on_one_cpu():
            for content in frames:
                sender.send(content)
        while len(packets) < len(frames):
            packet = wire.recv(65535)
            if packet[14] >> 4 == version and packet[23 if version == 4 else 20] == protocol:
                packets.append(packet)
    return packets


def _ipv4(packet: bytes) -> bytes:
    """Check the header; what is behind it."""
    assert packet[12:14] == b"\x08\x00"
    header = packet[14:34]
    assert header[:2] == b"\x45\0"
    assert int.from_bytes(header[2:4], "big") == len(packet) - 14
    assert header[6:8] == b"\0\0", "it may be cut up"
    assert header[8] == 64
    total = sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2))
    assert (total & 0xFFFF) + (total >> 16) == 0xFFFF, "the checksum"
    assert header[12:].hex() == "0a6300010a630002"
    return packet[34:]


def _ipv6(packet: bytes) -> bytes:
    """The same of IPv6."""
    assert packet[12:14] == b"\x86\xdd"
    header = packet[14:54]
    assert header[:4].hex() == "60000000"
    assert int.from_bytes(header[4:6], "big") == len(packet) - 54
    assert header[7] == 64
    assert header[8:].hex() == f"fd99{1:028x}fd99{2:028x}"
    return packet[54:]


def test_every_framing(ends: tuple[EbpfEnd, EbpfEnd]) -> None:
    """Each length of cookie and each sublayer; with another one in the other direction."""
    a, b = ends
    acquainted(a.host, b.host)
    shapes = [(cookie, sublayer) for cookie in (0, 4, 8) for sublayer in Sublayer]
    one = session()
    for (encap, family), number in zip(ENCAPS, itertools.count(1)):
        changes = {"encap": encap, "family": family, "tunnel_id": number, "name": f"t{number}"}
        near, far = (
            end.tunnel(other.host, **changes)  # type: ignore[arg-type]
            for end, other in ((a, b), (b, a))
        )
        sessions = [
            dataclasses.replace(
                session(number * 100 + at, cookie=cookie, sublayer=sublayer),
                tx_cookie=session(cookie=8 - cookie).tx_cookie,
            )
            for at, (cookie, sublayer) in enumerate(shapes)
        ]
        a.add(near, *sessions)
        b.add(far, *map(mirrored, sessions))
        for one in sessions:
            for (source, specification), target in (((a, near), b), ((b, far), a)):
                sent = [frame(size, size) for size in (60, 600)]
                with Tap(target.place(one)) as tap, packet_socket(source.place(one)) as sender:
                    for content in sent:
                        sender.send(content)
                    assert sorted(tap.collect(2)) == sorted(sent), (encap, family, one)
                ours = one if source is a else mirrored(one)
                assert source.slow(specification, ours) == (0, 0)
        a.datapath.del_tunnel(near)
        b.datapath.del_tunnel(far)


@pytest.mark.parametrize(("encap", "family"), ENCAPS)
def test_qemu_as_the_peer(ends: tuple[EbpfEnd, EbpfEnd], encap: Encap, family: int) -> None:
    a, b = ends
    one = session(cookie=8)
    # Packets of IPv6 without a UDP checksum it does not get: with one, the worker sends.
    checksum = (encap, family) == (Encap.UDP, 6)
    tunnel = a.tunnel(b.host, encap=encap, family=family, remote_port=PORT, udp_checksum=checksum)
    acquainted(a.host, b.host)
    a.add(tunnel, one)
    process = qemu(a, b, encap=encap, family=family, cookie=8, sublayer=Sublayer.DEFAULT)
    there = b.host.netns, "qtap0"
    # It pads what its TAP gives it, and takes few at once.
    sent = [content for content in kinds(1400).values() if 60 <= len(content) <= 1418]
    for source, target in ((there, a.place(one)), (a.place(one), there)):
        with Tap(target) as tap, packet_socket(source) as sender:
            for at in range(0, len(sent), 20):
                with on_one_cpu():
                    for content in sent[at : at + 20]:
                        sender.send(content)
                assert tap.collect(len(sent[at : at + 20])) == sent[at : at + 20]
    total = sum(map(len, sent)) + len(sent) * lengths(encap)
    assert a.counters(tunnel, one) == Counters(
        tx_packets=len(sent), tx_bytes=total, rx_packets=len(sent), rx_bytes=total
    )
    assert a.slow(tunnel, one) == (0, len(sent) if checksum else 0)
    assert passed(b.host, "qtap0").sent == len(sent)
    assert process.poll() is None
