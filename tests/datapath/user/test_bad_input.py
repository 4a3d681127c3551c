"""What a peer may send that is no frame: each counted in its own place, dropped at full rate, and nothing else."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Counters, TunnelCounters
from l2tpv3.model.spec import Encap, Sequencing
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.user.ends import End, session
from tests.waiting import eventually

pytestmark = pytest.mark.root

FRAME = frame(60, 1)
ONE = session(1, cookie=8)
NUMBERED = session(2, cookie=0, sequencing=Sequencing.RECV)


def peer(a: End, b: End, *, encap: Encap, family: int) -> socket.socket:
    """A socket in the peer's place."""
    with inside(b.host.netns):
        version = socket.AF_INET if family == 4 else socket.AF_INET6
        kind, protocol = (socket.SOCK_DGRAM, 0) if encap is Encap.UDP else (socket.SOCK_RAW, 115)
        one = socket.socket(version, kind, protocol)
        port = 1701 if encap is Encap.UDP else 0
        one.bind((b.host.address(family), port))
        one.connect((a.host.address(family), port))
    return one


def data(session_id: int, rest: bytes, *, encap: Encap) -> bytes:
    """A data packet by hand (RFC 3931 section 4.1)."""
    return (b"\0\3\0\0" if encap is Encap.UDP else b"") + session_id.to_bytes(4, "big") + rest


def counted(a: End, encap: Encap, family: int, b: End, packets: list[bytes]) -> tuple[TunnelCounters, Counters]:
    """Send the packets, then a good one; when that has arrived, the counters of the tunnel and of ONE."""
    tunnel = a.tunnel(b.host, encap=encap, family=family)
    a.add(tunnel, ONE, NUMBERED)
    with peer(a, b, encap=encap, family=family) as sender, packet_socket(a.place(ONE)) as receiver:
        for packet in packets:
            sender.send(packet)
        sender.send(data(ONE.session_id, ONE.rx_cookie + bytes(4) + FRAME, encap=encap))
        assert collect(receiver, 1) == [FRAME]
    return a.seen(tunnel).counters, a.counters(tunnel, ONE)


@pytest.mark.parametrize("family", [4, 6])
def test_over_udp_each_is_counted_in_its_own_place(ends: tuple[End, End], family: int) -> None:
    a, b = ends
    encap = Encap.UDP
    good = ONE.rx_cookie + bytes(4)
    tunnel, one = counted(a, encap, family, b, [
        *[data(0x9999, good + FRAME, encap=encap)] * 2,  # unknown session
        *[bytes.fromhex("c8030014000000010000000080080000") + bytes(4)] * 3,  # HELLO: control
        b"", b"\0", b"\0\3", b"\0\3\0\0\0\0\0",  # cut before the session id
        data(0, good + FRAME, encap=encap),  # session 0
        b"\0\2\0\0" + ONE.session_id.to_bytes(4, "big") + good + FRAME,  # L2TPv2
        *[data(ONE.session_id, bytes(8) + bytes(4) + FRAME, encap=encap)] * 4,  # wrong cookie
        data(ONE.session_id, good[:5], encap=encap),  # cut in the cookie
        data(ONE.session_id, good[:10], encap=encap),  # cut in the sublayer
        *[data(ONE.session_id, good + FRAME[:13], encap=encap)] * 2,  # no whole ethernet header
        data(ONE.session_id, good + bytes(1419), encap=encap),  # over the MTU of 1400
    ])  # fmt: skip
    assert tunnel == TunnelCounters(rx_unknown_session=2, rx_control=3, rx_invalid=6, tx_too_long=0)
    header = 8 + 8 + 4
    assert one == Counters(rx_packets=1, rx_bytes=header + 60, rx_cookie_discards=4, rx_invalid=2, rx_errors=3)


@pytest.mark.parametrize("family", [4, 6])
def test_over_ip_each_is_counted_in_its_own_place(ends: tuple[End, End], family: int) -> None:
    a, b = ends
    encap = Encap.IP
    good = ONE.rx_cookie + bytes(4)
    tunnel, one = counted(a, encap, family, b, [
        data(0x9999, good + FRAME, encap=encap),
        *[data(0, bytes.fromhex("c803001400000001000000008008000000000006"), encap=encap)] * 2,
        b"\0\0\0",
        data(ONE.session_id, bytes(8) + bytes(4) + FRAME, encap=encap),
        data(ONE.session_id, good[:11], encap=encap),
        data(ONE.session_id, good + FRAME[:13], encap=encap),
    ])  # fmt: skip
    assert tunnel == TunnelCounters(rx_unknown_session=1, rx_control=2, rx_invalid=1, tx_too_long=0)
    assert one == Counters(rx_packets=1, rx_bytes=76, rx_cookie_discards=1, rx_invalid=1, rx_errors=1)


def test_reserved_bits_are_ignored(ends: tuple[End, End]) -> None:
    """RFC 3931 section 4.1.1.1, and section 4.6 for the sublayer."""
    a, b = ends
    tunnel = a.tunnel(b.host)
    a.add(tunnel, ONE)
    with peer(a, b, encap=Encap.UDP, family=4) as sender, packet_socket(a.place(ONE)) as receiver:
        reserved = b"\x7f\xf3\xff\xff" + ONE.session_id.to_bytes(4, "big") + ONE.rx_cookie
        sender.send(reserved + b"\xbf\xff\xff\xff" + FRAME)
        assert collect(receiver, 1) == [FRAME]


def test_frames_without_number_where_one_is_required(ends: tuple[End, End]) -> None:
    a, b = ends
    tunnel = a.tunnel(b.host)
    a.add(tunnel, NUMBERED)
    with peer(a, b, encap=Encap.UDP, family=4) as sender, packet_socket(a.place(NUMBERED)) as receiver:
        for sublayer in ("00000000", "40000000", "00000001", "40000001", "40000001"):
            sender.send(data(NUMBERED.session_id, bytes.fromhex(sublayer) + FRAME, encap=Encap.UDP))
        assert collect(receiver, 2) == [FRAME, FRAME]
    counters = a.counters(tunnel, NUMBERED)
    assert (counters.rx_packets, counters.rx_seq_discards) == (2, 3)


def test_another_host_is_not_heard(ends: tuple[End, End]) -> None:
    """The kernel takes packets over IP from anybody; here sockets are connected."""
    a, b = ends
    b.host.ip("addr", "add", "10.99.0.66/24", "dev", "u0")
    for number, encap in enumerate(Encap):
        tunnel = a.tunnel(b.host, encap=encap, tunnel_id=1 + number, name=f"t{number}")
        one = session(1 + number)
        a.add(tunnel, one)
        with inside(b.host.netns):
            kind, protocol = (socket.SOCK_DGRAM, 0) if encap is Encap.UDP else (socket.SOCK_RAW, 115)
            stranger = socket.socket(socket.AF_INET, kind, protocol)
        with stranger, packet_socket(a.place(one)) as receiver:
            stranger.bind(("10.99.0.66", 1701 if encap is Encap.UDP else 0))
            packet = data(one.session_id, one.rx_cookie + bytes(4) + FRAME, encap=encap)
            stranger.sendto(packet, (a.host.v4, 1701 if encap is Encap.UDP else 0))
            assert collect(receiver, 0) == []
        assert a.counters(tunnel, one) == Counters()
        assert a.seen(tunnel).counters == TunnelCounters(
            rx_unknown_session=0, rx_control=0, rx_invalid=0, tx_too_long=0
        )


def test_a_flood_is_dropped_without_memory_or_log(ends: tuple[End, End]) -> None:
    """Others' bug: state for every junk packet (xl2tpd: 800 MB in two days)."""
    a, b = ends
    tunnel = a.tunnel(b.host)
    a.add(tunnel, ONE, NUMBERED)
    (pid,) = a.host.workers()
    good = data(ONE.session_id, ONE.rx_cookie + bytes(4) + FRAME, encap=Encap.UDP)
    with peer(a, b, encap=Encap.UDP, family=4) as sender:

        def flood(count: int) -> None:
            for number in range(count):
                sender.send(data(0x1_0000 + number, bytes(60), encap=Encap.UDP))
                sender.send(data(ONE.session_id, number.to_bytes(8, "big") + bytes(60), encap=Encap.UDP))

        flood(2_000)
        before = resident_kb(pid)
        flood(20_000)
        after = resident_kb(pid)
        with packet_socket(a.place(ONE)) as receiver:

            def arrives() -> bool:
                sender.send(good)
                return FRAME in collect(receiver, 1, wait_s=2)

            eventually(arrives, "a good frame after the flood")
    assert after - before < 1024, f"{before} kB, then {after} kB"
    assert not (a.host.runtime_dir / "worker-0.log").read_text()
    unknown = a.seen(tunnel).counters.rx_unknown_session
    assert unknown is not None
    assert unknown + a.counters(tunnel, ONE).rx_cookie_discards > 1_000


def resident_kb(pid: int) -> int:
    """A process's resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")
