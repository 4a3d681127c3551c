"""Sequencing: what the docstring of KernelDatapath says, against `ip l2tp` and against a socket that plays the peer."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import struct
from collections.abc import Iterator

import pytest

from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Sequencing, SessionSpec, TunnelSpec
from tests.contract.bench import Bench
from tests.contract.frames import collect, exchange, frame, packet_socket
from tests.datapath.kernel.ip_l2tp import session_line, tunnel_line
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

NONE, SEND, RECV, BOTH = Sequencing.NONE, Sequencing.SEND, Sequencing.RECV, Sequencing.BOTH

# ours, theirs, then how many of two frames arrive: from them to us, from us to them, and both once more
PAIRS = [
    (NONE, "none", (2, 2, 2, 2)),
    (NONE, "send", (2, 2, 2, 2)),
    (NONE, "recv", (2, 0, 2, 0)),  # we never number, they demand it
    (NONE, "both", (2, 0, 2, 0)),
    (SEND, "none", (2, 2, 2, 2)),  # and stop numbering
    (SEND, "send", (2, 2, 2, 2)),
    (SEND, "recv", (2, 0, 2, 0)),  # they send unnumbered at first, which makes us stop: why our RECV numbers
    (SEND, "both", (2, 2, 2, 2)),
    (RECV, "none", (0, 2, 2, 2)),  # a Linux peer begins to number when it gets a number
    (RECV, "send", (2, 2, 2, 2)),
    (RECV, "recv", (0, 2, 2, 2)),
    (RECV, "both", (2, 2, 2, 2)),
    (BOTH, "none", (0, 2, 2, 2)),
    (BOTH, "send", (2, 2, 2, 2)),
    (BOTH, "recv", (0, 2, 2, 2)),
    (BOTH, "both", (2, 2, 2, 2)),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs", "arriving"), PAIRS)
def test_facing_ip_l2tp(
    bench: Bench, joined: tuple[Host, Host], ours: Sequencing, theirs: str, arriving: tuple[int, ...]
) -> None:
    near, far = joined
    tunnel, session = bench.tunnel(), bench.session(sequencing=ours)
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    far.ip_batch([tunnel_line(tunnel), session_line(tunnel, session, theirs), "link set pw1 up"])
    near.ip_batch(["link set pw1 up"])
    paths = ((far.netns, "pw1"), (near.netns, "pw1"))
    for turn, count in enumerate(arriving):
        exchange(paths[turn % 2], paths[1 - turn % 2], [60, 61], arriving=count)


class Peer:
    """A UDP socket that plays the other end, and a packet socket on our netdev."""

    def __init__(self, bench: Bench, tunnel: TunnelSpec, session: SessionSpec) -> None:
        self._session = session
        with inside(bench.far):
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((str(tunnel.remote), tunnel.remote_port))
        self._socket.connect((str(tunnel.endpoint), tunnel.local_port))
        self._socket.settimeout(PATIENCE_S)
        self._netdev = packet_socket((bench.near, session.ifname))

    def close(self) -> None:
        self._socket.close()
        self._netdev.close()

    def send(self, *numbers: int | None) -> None:
        """A packet for each number, None: unnumbered. The frame's content tells which it is."""
        for number in numbers:
            sublayer = 0 if number is None else 0x40000000 | number
            header = struct.pack("!HHII", 3, 0, self._session.session_id, sublayer)
            self._socket.send(header + frame(60, 0 if number is None else number))

    def arrived(self, count: int) -> list[bytes]:
        """The frames that came out of the netdev."""
        return collect(self._netdev, count)

    def number_of_next(self) -> int | None:
        """Have our end send a frame; the number that it gave to it."""
        self._netdev.send(frame(60, 0))
        packet = self._socket.recv(2048)
        (sublayer,) = struct.unpack_from("!I", packet, 8)
        return sublayer & 0xFFFFFF if sublayer & 0x40000000 else None


@contextlib.contextmanager
def peer_of(bench: Bench, near: Host, tunnel: TunnelSpec, session: SessionSpec) -> Iterator[Peer]:
    """Make the tunnel and session, netdev up, and a peer for it."""
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    near.ip_batch([f"link set {session.ifname} up"])
    peer = Peer(bench, tunnel, session)
    try:
        yield peer
    finally:
        peer.close()


def test_none_does_not_number_though_the_peer_does(bench: Bench, joined: tuple[Host, Host]) -> None:
    tunnel, session = bench.tunnel(), bench.session(sequencing=NONE)
    with peer_of(bench, joined[0], tunnel, session) as peer:
        peer.send(0, 1, None)
        assert peer.arrived(3) == [frame(60, 0), frame(60, 1), frame(60, 0)]
        assert peer.number_of_next() is None
    assert not bench.seen_session(tunnel, session).send_seq


def test_send_numbers_as_long_as_the_peer_does(bench: Bench, joined: tuple[Host, Host]) -> None:
    tunnel, session = bench.tunnel(), bench.session(sequencing=SEND)
    with peer_of(bench, joined[0], tunnel, session) as peer:
        assert [peer.number_of_next(), peer.number_of_next()] == [0, 1]
        peer.send(None)
        assert peer.arrived(1) == [frame(60, 0)]
        assert peer.number_of_next() is None
        peer.send(0)
        assert peer.arrived(1) == [frame(60, 0)]
        assert peer.number_of_next() == 2


@pytest.mark.parametrize("sequencing", [RECV, BOTH])
def test_recv_and_both_number_and_want_numbers(bench: Bench, joined: tuple[Host, Host], sequencing: Sequencing) -> None:
    tunnel, session = bench.tunnel(), bench.session(sequencing=sequencing)
    with peer_of(bench, joined[0], tunnel, session) as peer:
        peer.send(None, 0, None, 1)
        assert peer.arrived(2) == [frame(60, 0), frame(60, 1)]
        assert [peer.number_of_next(), peer.number_of_next()] == [0, 1]
    counters = bench.seen_session(tunnel, session).counters
    assert (counters.rx_packets, counters.rx_seq_discards, counters.rx_errors) == (2, 2, 0)


def test_sequencing_can_be_switched_off(bench: Bench, joined: tuple[Host, Host]) -> None:
    """pyroute2 0.9.7's modify_session leaves an attribute of value 0 out, so nothing can be switched off with it."""
    tunnel, session = bench.tunnel(), bench.session(sequencing=BOTH)
    with peer_of(bench, joined[0], tunnel, session) as peer:
        assert peer.number_of_next() == 0
        bench.datapath.set_session(tunnel, dataclasses.replace(session, sequencing=NONE))
        assert peer.number_of_next() is None
        peer.send(None, 0)  # the peer goes on numbering
        assert peer.arrived(2) == [frame(60, 0), frame(60, 0)]
        assert peer.number_of_next() is None


def test_out_of_order_is_put_in_order_or_dropped(bench: Bench, joined: tuple[Host, Host]) -> None:
    tunnel, session = bench.tunnel(), bench.session(sequencing=BOTH, reorder_timeout_ms=2000)
    with peer_of(bench, joined[0], tunnel, session) as peer:
        peer.send(0, 2, 1, 3)
        assert peer.arrived(4) == [frame(60, number) for number in (0, 1, 2, 3)]
        bench.datapath.set_session(tunnel, dataclasses.replace(session, reorder_timeout_ms=0))
        peer.send(4, 6, 5)
        assert peer.arrived(2) == [frame(60, 4), frame(60, 5)]
    header = 12
    seen = bench.seen_session(tunnel, session).counters
    assert dataclasses.replace(seen, rx_oos_packets=0) == Counters(
        rx_packets=6, rx_bytes=6 * (60 + header), rx_seq_discards=1
    )
    assert seen.rx_oos_packets > 0
