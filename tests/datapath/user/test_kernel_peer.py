"""The user datapath against the kernel's l2tp_eth, set up by `ip l2tp`: every framing, and sequencing with loss."""

from __future__ import annotations

import itertools

import pytest

from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec
from tests.contract.frames import collect, frame, packet_socket
from tests.datapath.user.ends import End, passes, session
from tests.datapath.user.relay import FAR_PORT, NEAR_PORT, Relay

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

KERNEL_SEQ = {Sequencing.SEND: "send", Sequencing.RECV: "recv", Sequencing.BOTH: "both"}


def kernel_session(one: SessionSpec, *, seq: Sequencing = Sequencing.NONE) -> str:
    """The line for `ip` that makes the other end of a session, in tunnel 1; its netdev has the same name."""
    words = f"l2tp add session name {one.ifname} tunnel_id 1 session_id {one.peer_session_id}"
    words += f" peer_session_id {one.session_id} l2spec_type {one.sublayer}"
    words += f" cookie {one.rx_cookie.hex()}" if one.rx_cookie else ""
    words += f" peer_cookie {one.tx_cookie.hex()}" if one.tx_cookie else ""
    return words + (f" seq {KERNEL_SEQ[seq]}" if seq in KERNEL_SEQ else "")


def kernel_tunnel(a: End, b: End, *, encap: Encap, family: int, remote_port: int = 1701) -> str:
    """The line for `ip` that makes the other end of a tunnel."""
    words = "l2tp add tunnel tunnel_id 1 peer_tunnel_id 1"
    words += f" local {b.host.address(family)} remote {a.host.address(family)} encap {encap}"
    return words + (f" udp_sport 1701 udp_dport {remote_port}" if encap is Encap.UDP else "")


def kernel_up(b: End, *sessions: SessionSpec) -> list[str]:
    """The lines for `ip` that bring the kernel's netdevs up."""
    return [f"link set {one.ifname} mtu {one.mtu} up" for one in sessions]


@pytest.mark.parametrize(("encap", "family"), list(itertools.product(Encap, (4, 6))))
def test_every_framing_both_ways_with_exact_counters(ends: tuple[End, End], encap: Encap, family: int) -> None:
    a, b = ends
    shapes = itertools.product((0, 4, 8), Sublayer)
    sessions = [session(n, cookie=cookie, sublayer=sublayer) for n, (cookie, sublayer) in enumerate(shapes, start=1)]
    tunnel = a.tunnel(b.host, encap=encap, family=family)
    a.add(tunnel, *sessions)
    b.host.ip_batch([kernel_tunnel(a, b, encap=encap, family=family), *map(kernel_session, sessions)])
    b.host.ip_batch(kernel_up(b, *sessions))
    sizes = [14, 60, 1414]
    for one in sessions:
        passes(a.place(one), b.place(one), sizes)
        passes(b.place(one), a.place(one), sizes)
        header = (8 if encap is Encap.UDP else 4) + len(one.tx_cookie) + (4 if one.sublayer is Sublayer.DEFAULT else 0)
        total = sum(sizes) + len(sizes) * header
        expected = Counters(tx_packets=len(sizes), tx_bytes=total, rx_packets=len(sizes), rx_bytes=total)
        assert a.counters(tunnel, one) == expected, one


def line(
    ends: tuple[End, End], ours: Sequencing, kernels: Sequencing, timeout_ms: int = 0
) -> tuple[TunnelSpec, SessionSpec]:
    """A user datapath's session to the kernel through a relay's two ports."""
    a, b = ends
    one = session(sequencing=ours, reorder_timeout_ms=timeout_ms)
    tunnel = a.tunnel(b.host, remote_port=NEAR_PORT)
    a.add(tunnel, one)
    # To the kernel its peer is the relay's other port, on its own host.
    words = kernel_tunnel(b, b, encap=Encap.UDP, family=4, remote_port=FAR_PORT)
    b.host.ip_batch([words, kernel_session(one, seq=kernels), *kernel_up(b, one)])
    return tunnel, one


@pytest.mark.parametrize(
    ("ours", "kernels"),
    [
        (Sequencing.SEND, Sequencing.RECV),
        (Sequencing.RECV, Sequencing.SEND),
        (Sequencing.BOTH, Sequencing.BOTH),
        (Sequencing.RECV, Sequencing.BOTH),
        (Sequencing.SEND, Sequencing.NONE),
    ],
)
def test_sequencing_goes_on_both_ways(ends: tuple[End, End], ours: Sequencing, kernels: Sequencing) -> None:
    """Whichever end begins: a kernel follows what it receives, and stops numbering if nobody numbers for it."""
    a, b = ends
    with Relay(a, b) as relay:
        tunnel, one = line(ends, ours, kernels)
        for turn in range(3):
            with packet_socket(a.place(one)) as near, packet_socket(b.place(one)) as far:
                for number in range(3):
                    near.send(frame(60, number))
                relay.to_far(relay.from_near(3))
                assert collect(far, 3) == [frame(60, number) for number in range(3)], turn
                for number in range(3):
                    far.send(frame(61, number))
                relay.to_near(relay.from_far(3))
                assert collect(near, 3) == [frame(61, number) for number in range(3)], turn
    counters = a.counters(tunnel, one)
    assert (counters.tx_packets, counters.rx_packets, counters.rx_seq_discards) == (9, 9, 0)


def test_the_kernels_frames_are_put_in_order_and_losses_given_up(ends: tuple[End, End]) -> None:
    a, b = ends
    order, arrive = [0, 3, 1, 2, 5, 5, 7], [0, 1, 2, 3, 5, 7]
    with Relay(a, b) as relay:
        tunnel, one = line(ends, Sequencing.BOTH, Sequencing.BOTH, timeout_ms=1000)
        with packet_socket(b.place(one)) as sender, packet_socket(a.place(one)) as receiver:
            for number in range(8):
                sender.send(frame(60, number))
            packets = relay.from_far(8)
            relay.to_near([packets[number] for number in order])
            assert collect(receiver, len(arrive)) == [frame(60, number) for number in arrive]
    counters = a.counters(tunnel, one)
    assert (counters.rx_packets, counters.rx_seq_discards, counters.rx_errors) == (6, 1, 0)
    assert counters.rx_oos_packets > 0


def test_without_a_timeout_nothing_comes_out_of_order_or_twice(ends: tuple[End, End]) -> None:
    """The same packets swapped and repeated in both directions. The kernel waits for what is missing, we go on."""
    a, b = ends
    order = [0, 2, 1, 1, 0, 2, 3]
    with Relay(a, b) as relay:
        tunnel, one = line(ends, Sequencing.BOTH, Sequencing.BOTH)
        for source, target, taken, passed, arrive in (
            (a, b, relay.from_near, relay.to_far, [0, 1, 2, 3]),
            (b, a, relay.from_far, relay.to_near, [0, 2, 3]),
        ):
            with packet_socket(source.place(one)) as sender, packet_socket(target.place(one)) as receiver:
                for number in range(4):
                    sender.send(frame(60, number))
                packets = taken(4)
                passed([packets[number] for number in order])
                assert collect(receiver, len(arrive)) == [frame(60, number) for number in arrive]
    assert a.counters(tunnel, one).rx_seq_discards == 4


def test_a_kernel_with_netem_in_between(ends: tuple[End, End]) -> None:
    """Loss and reordering by the guest's queueing discipline: what arrives is in order, all is accounted for."""
    a, b = ends
    one = session(sequencing=Sequencing.BOTH, reorder_timeout_ms=300)
    tunnel = a.tunnel(b.host)
    a.add(tunnel, one)
    words = kernel_tunnel(a, b, encap=Encap.UDP, family=4)
    b.host.ip_batch([words, kernel_session(one, seq=Sequencing.BOTH), *kernel_up(b, one)])
    passes(b.place(one), a.place(one), [60])
    b.host.run(["tc", "qdisc", "add", "dev", "u0", "root", "netem", "delay", "20ms", "reorder", "70%", "loss", "10%"])
    with packet_socket(b.place(one)) as sender, packet_socket(a.place(one)) as receiver:
        for number in range(100):
            sender.send(frame(60 + number, number))
        received = [len(got) - 60 for got in collect(receiver, 100, wait_s=5)]
    assert received == sorted(set(received))
    counters = a.counters(tunnel, one)
    assert counters.rx_packets == 1 + len(received)
    assert 50 < counters.rx_packets + counters.rx_seq_discards <= 101
    assert counters.rx_errors == 0
