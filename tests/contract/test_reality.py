"""What datapaths promise about the netdevs and sockets that they make; and that frames arrive, and are counted."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from l2tpv3.errors import ConflictError, ExistsError, L2tpError, NoAddressError, NoRouteError, NotFoundError
from l2tpv3.linux.netns import inside
from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Egress, Encap, Sequencing, SessionSpec, Sublayer, TunnelSpec
from tests.contract.bench import ABSENT, UNROUTED, Bench
from tests.contract.frames import Tap, collect, exchange, frame, packet_socket
from tests.hosts import UNDERLAY

ENCAPS = pytest.mark.parametrize(("encap", "version"), [(e, v) for e in Encap for v in (4, 6)])
COOKIES = {0: (b"", b""), 4: (b"\x01\x02\x03\x04", b"\xf1\xf2\xf3\xf4"), 8: (bytes(range(8)), bytes(range(240, 248)))}


def ip(netns: str, *words: str) -> None:
    """Run `ip` in a namespace."""
    subprocess.run(["ip", "-n", netns, *words], check=True)


def refused(bench: Bench, kind: type[L2tpError], call: Callable[[], None], words: str) -> None:
    """`call` is refused with `kind` itself, and leaves everything as it was."""
    before = bench.footprint(bench.near)
    with pytest.raises(kind, match=words) as raised:
        call()
    assert type(raised.value) is kind
    assert bench.footprint(bench.near) == before


@ENCAPS
def test_no_route_to_the_peer(real_bench: Bench, encap: Encap, version: int) -> None:
    tunnel = real_bench.tunnel(version=version, encap=encap, remote=UNROUTED[version])
    words = f"t1.*{UNROUTED[version]}"
    refused(real_bench, NoRouteError, lambda: real_bench.datapath.add_tunnel(tunnel), words)


@ENCAPS
def test_a_local_address_that_is_not_here(real_bench: Bench, encap: Encap, version: int) -> None:
    tunnel = real_bench.tunnel(version=version, encap=encap, local=ABSENT[version])
    words = f"t1.*{ABSENT[version]}.*--local"
    refused(real_bench, NoAddressError, lambda: real_bench.datapath.add_tunnel(tunnel), words)


@pytest.mark.parametrize("version", [4, 6])
def test_a_port_that_a_program_has(real_bench: Bench, version: int) -> None:
    tunnel = real_bench.tunnel(version=version)
    with inside(real_bench.near):
        program = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    with program:
        program.bind((str(tunnel.local), tunnel.local_port))
        words = f"t1.*{tunnel.local_port}.*--local-port"
        refused(real_bench, ConflictError, lambda: real_bench.datapath.add_tunnel(tunnel), words)
    real_bench.datapath.add_tunnel(tunnel)


def test_a_netdev_name_that_something_else_has(real_bench: Bench) -> None:
    tunnel = real_bench.tunnel()
    real_bench.datapath.add_tunnel(tunnel)
    session = real_bench.session(ifname=UNDERLAY)
    refused(real_bench, ConflictError, lambda: real_bench.datapath.add_session(tunnel, session), "s1.*u0.*--ifname")


def test_a_namespace_that_is_not_there(real_bench: Bench) -> None:
    tunnel = real_bench.tunnel(netns="lt-no-such-namespace")
    with pytest.raises(NotFoundError, match="lt-no-such-namespace"):
        real_bench.datapath.add_tunnel(tunnel)
    with pytest.raises(NotFoundError):
        real_bench.datapath.del_tunnel(tunnel)


def test_a_netdev_is_down_until_someone_brings_it_up(real_bench: Bench) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session()
    real_bench.datapath.add_tunnel(tunnel)
    real_bench.datapath.add_session(tunnel, session)
    assert not real_bench.is_up(real_bench.near, "pw1")


def test_changing_in_place_keeps_the_netdev(real_bench: Bench) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session()
    real_bench.datapath.add_tunnel(tunnel)
    real_bench.datapath.add_session(tunnel, session)
    ip(real_bench.near, "link", "set", "pw1", "up")
    index = real_bench.index(real_bench.near, "pw1")
    real_bench.datapath.set_session(tunnel, dataclasses.replace(session, sequencing=Sequencing.BOTH))
    assert real_bench.index(real_bench.near, "pw1") == index
    assert real_bench.is_up(real_bench.near, "pw1")


def test_another_command_sees_and_changes_the_same(real_bench: Bench) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session()
    real_bench.datapath.add_tunnel(tunnel)
    real_bench.datapath.add_session(tunnel, session)
    another = real_bench.another()
    assert another.tunnels(real_bench.near) == real_bench.datapath.tunnels(real_bench.near)
    with pytest.raises(ExistsError):
        another.add_tunnel(tunnel)
    another.del_session(tunnel, session)
    another.del_tunnel(tunnel)
    assert real_bench.datapath.tunnels(real_bench.near) == []


def test_deleting_frees_the_port(real_bench: Bench) -> None:
    tunnel = real_bench.tunnel()
    before = real_bench.sockets(real_bench.near)
    real_bench.datapath.add_tunnel(tunnel)
    assert real_bench.sockets(real_bench.near) != before
    real_bench.datapath.del_tunnel(tunnel)
    assert real_bench.sockets(real_bench.near) == before
    with inside(real_bench.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.bind((str(tunnel.local), tunnel.local_port))


def _rename(bench: Bench) -> str:
    ip(bench.near, "link", "set", "pw1", "name", "renamed0")
    return bench.near


def _move(bench: Bench) -> str:
    ip(bench.near, "link", "set", "pw1", "netns", bench.far)
    return bench.far


def _move_and_rename(bench: Bench) -> str:
    ip(bench.near, "link", "set", "pw1", "netns", bench.far, "name", "renamed0")
    return bench.far


@pytest.mark.parametrize("tamper", [_rename, _move, _move_and_rename])
@pytest.mark.parametrize("whole_tunnel", [False, True], ids=["session", "tunnel"])
def test_deleting_finds_the_netdev(real_bench: Bench, tamper: Callable[[Bench], str], whole_tunnel: bool) -> None:  # noqa: FBT001
    before = {netns: real_bench.netdevs(netns) for netns in (real_bench.near, real_bench.far)}
    tunnel, session = real_bench.tunnel(), real_bench.session()
    real_bench.datapath.add_tunnel(tunnel)
    real_bench.datapath.add_session(tunnel, session)
    where = tamper(real_bench)
    assert len(real_bench.sessions_netdevs(where) - before[where]) == 1
    assert len(real_bench.seen_tunnel(tunnel).sessions) == 1
    if whole_tunnel:
        real_bench.datapath.del_tunnel(tunnel)
    else:
        real_bench.datapath.del_session(tunnel, session)
    assert {netns: real_bench.netdevs(netns) for netns in before} == before


def test_deleting_leaves_a_netdev_that_took_the_name(real_bench: Bench) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session()
    real_bench.datapath.add_tunnel(tunnel)
    real_bench.datapath.add_session(tunnel, session)
    ip(real_bench.near, "link", "set", "pw1", "name", "renamed0")
    ip(real_bench.near, "link", "add", "pw1", "type", "veth", "peer", "name", "pw1-peer")
    try:
        real_bench.datapath.del_session(tunnel, session)
        assert "pw1" in real_bench.netdevs(real_bench.near)
        assert "renamed0" not in real_bench.netdevs(real_bench.near)
    finally:
        ip(real_bench.near, "link", "del", "pw1")


def join(bench: Bench, tunnel: TunnelSpec, session: SessionSpec, **there: Any) -> tuple[TunnelSpec, SessionSpec]:
    """Make both ends of a tunnel with one session, its netdevs up; gives the far end's specs.

    there: what is different at the far end.
    """
    far_tunnel = bench.mirrored(tunnel)
    far_session = dataclasses.replace(
        session,
        session_id=session.peer_session_id,
        peer_session_id=session.session_id,
        tx_cookie=session.rx_cookie,
        rx_cookie=session.tx_cookie,
        **there,
    )
    for one_tunnel, one_session in ((tunnel, session), (far_tunnel, far_session)):
        bench.datapath.add_tunnel(one_tunnel)
        bench.datapath.add_session(one_tunnel, one_session)
        assert one_tunnel.netns is not None
        ip(one_tunnel.netns, "link", "set", one_session.ifname, "mtu", str(session.mtu), "up")
    for netns in (bench.near, bench.far):
        bench.await_running(netns)
    return far_tunnel, far_session


@ENCAPS
@pytest.mark.parametrize(("cookie", "sublayer"), [(0, Sublayer.NONE), (4, Sublayer.DEFAULT), (8, Sublayer.DEFAULT)])
def test_frames_go_both_ways_and_are_counted(
    real_bench: Bench, encap: Encap, version: int, cookie: int, sublayer: Sublayer
) -> None:
    tx_cookie, rx_cookie = COOKIES[cookie]
    tunnel = real_bench.tunnel(version=version, encap=encap)
    session = real_bench.session(tx_cookie=tx_cookie, rx_cookie=rx_cookie, sublayer=sublayer)
    far_tunnel, far_session = join(real_bench, tunnel, session)
    sizes = [real_bench.least, 60, 61, 1414]
    for source, target in ((real_bench.near, real_bench.far), (real_bench.far, real_bench.near)):
        exchange((source, "pw1"), (target, "pw1"), sizes)
    # Bytes are those of the L2TP header and the frame, the same over UDP and IP but for the first four header bytes.
    header = (8 if encap is Encap.UDP else 4) + cookie + (4 if sublayer is Sublayer.DEFAULT else 0)
    frames, total = len(sizes), sum(sizes) + len(sizes) * header
    expected = Counters(tx_packets=frames, tx_bytes=total, rx_packets=frames, rx_bytes=total)
    assert real_bench.seen_session(tunnel, session).counters == expected
    assert real_bench.seen_session(far_tunnel, far_session).counters == expected


def test_the_shortest_frames_arrive(real_bench: Bench) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session()
    join(real_bench, tunnel, session)
    exchange((real_bench.near, "pw1"), (real_bench.far, "pw1"), [14, 15, 33])


def test_a_wrong_cookie_is_counted_and_dropped(real_bench: Bench) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session(tx_cookie=b"12345678", rx_cookie=b"abcdefgh")
    far_tunnel, far_session = join(real_bench, tunnel, session)
    real_bench.datapath.del_session(far_tunnel, far_session)
    deaf = dataclasses.replace(far_session, rx_cookie=b"87654321")
    real_bench.datapath.add_session(far_tunnel, deaf)
    ip(real_bench.far, "link", "set", "pw1", "up")
    exchange((real_bench.near, "pw1"), (real_bench.far, "pw1"), [60, 60, 60], arriving=0)
    assert real_bench.seen_session(far_tunnel, deaf).counters == Counters(rx_cookie_discards=3)


@pytest.mark.parametrize("sequencing", [Sequencing.SEND, Sequencing.RECV, Sequencing.BOTH])
def test_numbered_frames_arrive(real_bench: Bench, sequencing: Sequencing) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session(sequencing=sequencing)
    mirrored = {Sequencing.SEND: Sequencing.RECV, Sequencing.RECV: Sequencing.SEND}.get(sequencing, sequencing)
    far_tunnel, far_session = join(real_bench, tunnel, session)
    real_bench.datapath.set_session(far_tunnel, dataclasses.replace(far_session, sequencing=mirrored))
    for source, target in ((real_bench.near, real_bench.far), (real_bench.far, real_bench.near)) * 2:
        exchange((source, "pw1"), (target, "pw1"), [60, 1000])
    for one_tunnel, one_session in ((tunnel, session), (far_tunnel, far_session)):
        counters = real_bench.seen_session(one_tunnel, one_session).counters
        assert (counters.tx_packets, counters.rx_packets, counters.rx_seq_discards) == (4, 4, 0)


def test_one_vlan_is_carried_between_different_numbers(real_bench: Bench) -> None:
    tunnel, session = real_bench.tunnel(), real_bench.session(vlan=100)
    far_tunnel, far_session = join(real_bench, tunnel, session, vlan=200)
    sizes = [60, 61, 1414]
    for source, target in ((real_bench.near, real_bench.far), (real_bench.far, real_bench.near)):
        exchange((source, "pw1"), (target, "pw1"), sizes)
    total = sum(sizes) + len(sizes) * (8 + 4 + 4)  # header, sublayer, tag
    expected = Counters(tx_packets=len(sizes), tx_bytes=total, rx_packets=len(sizes), rx_bytes=total)
    assert real_bench.seen_session(tunnel, session).counters == expected
    assert real_bench.seen_session(far_tunnel, far_session).counters == expected


def test_one_vlan_is_taken_from_tagged_frames(real_bench: Bench) -> None:
    """What has another tag or none stays. (At a socket of one protocol frames are without the tag they came with.)"""
    tunnel, session = real_bench.tunnel(), real_bench.session(vlan=100, egress=Egress.REWRITE)
    join(real_bench, tunnel, session, vlan=0xABC)

    def tagged(tci: int, number: int) -> bytes:
        plain = frame(100, number)
        return plain[:12] + b"\x81\x00" + tci.to_bytes(2, "big") + plain[12:]

    for source, target, here in ((real_bench.near, real_bench.far, 100), (real_bench.far, real_bench.near, 0xABC)):
        good = [tagged(bits | here, number) for number, bits in enumerate((0, 0x5000, 0xF000))]
        bad = [frame(100, 9), tagged(here + 1, 9), tagged(0, 9)]
        with packet_socket((target, "pw1")) as receiver, Tap((source, "pw1")) as sender:
            for one in (*bad, *good, *bad):
                with contextlib.suppress(OSError):  # tc's way to say that it drops one
                    sender.socket.send(one)
            assert collect(receiver, 3) == [frame(100, number) for number in range(3)]
