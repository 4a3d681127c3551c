"""The kernel through this datapath at one end, the kernel through `ip l2tp` at the other."""

from __future__ import annotations

import fcntl
import itertools
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest

from l2tpv3.datapath.kernel import KernelDatapath
from l2tpv3.linux.netns import inside
from l2tpv3.model.mtu import session_mtu
from l2tpv3.model.observed import Counters
from l2tpv3.model.spec import Encap, SessionSpec, Sublayer, TunnelSpec
from tests.contract.bench import Bench, joined_hosts
from tests.contract.frames import exchange
from tests.datapath.kernel.ip_l2tp import session_line, tunnel_line

pytestmark = [pytest.mark.root, pytest.mark.kernel_l2tp]

_FRAME_OVERHEAD = 14
COOKIES = {0: (b"", b""), 4: (b"\x01\x23\x45\x67", b"\xfe\xdc\xba\x98"), 8: (bytes(range(8)), bytes(range(248, 256)))}
CASES = list(itertools.product(Encap, (4, 6), COOKIES, Sublayer))


Case = tuple[Encap, int, int, Sublayer]
Ends = dict[Case, tuple[TunnelSpec, SessionSpec]]


def case_name(case: Case) -> str:
    encap, version, cookie, sublayer = case
    return f"{encap}{version}-cookie{cookie}-{sublayer}"


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Bench, Ends]]:
    """A session for each case, made by the datapath on the near host and by one `ip -batch` on the far one."""
    with joined_hosts() as (near, far):
        datapath = KernelDatapath()
        assert datapath.probe().works
        bench = Bench(datapath, near.netns, far.netns, real=True, another=KernelDatapath)
        made: Ends = {}
        tunnels: dict[tuple[Encap, int], TunnelSpec] = {}
        typed: list[str] = []
        for number, case in enumerate(CASES, start=1):
            encap, version, cookie, sublayer = case
            if (encap, version) not in tunnels:
                tunnels[encap, version] = tunnel = bench.tunnel(number, encap=encap, version=version)
                datapath.add_tunnel(tunnel)
                typed.append(tunnel_line(tunnel))
            tunnel = tunnels[encap, version]
            tx_cookie, rx_cookie = COOKIES[cookie]
            session = bench.session(number, tx_cookie=tx_cookie, rx_cookie=rx_cookie, sublayer=sublayer)
            datapath.add_session(tunnel, session)
            typed.append(session_line(tunnel, session))
            made[case] = tunnel, session
        far.ip_batch(typed)
        for host in (near, far):
            host.ip_batch(f"link set {session.ifname} up" for _, session in made.values())
        yield bench, made
        for tunnel in tunnels.values():
            datapath.del_tunnel(tunnel)
        assert datapath.tunnels(near.netns) == []


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_frames_arrive_both_ways_and_both_ends_count_the_same(ends: tuple[Bench, Ends], case: Case) -> None:
    bench, made = ends
    tunnel, session = made[case]
    encap, _, cookie, sublayer = case
    near, far = (bench.near, session.ifname), (bench.far, session.ifname)
    there, back = [14, 60, 700, _mtu(bench, session) + _FRAME_OVERHEAD], [61]
    exchange(near, far, there)
    exchange(far, near, back)
    header = (8 if encap is Encap.UDP else 4) + cookie + (4 if sublayer is Sublayer.DEFAULT else 0)
    sent, received = sum(there) + len(there) * header, sum(back) + len(back) * header
    near_counters, far_counters = _counters(bench, tunnel, session)
    assert near_counters == Counters(
        tx_packets=len(there), tx_bytes=sent, rx_packets=len(back), rx_bytes=received
    )  # fmt: skip
    assert far_counters == Counters(tx_packets=len(back), tx_bytes=received, rx_packets=len(there), rx_bytes=sent)


def _counters(bench: Bench, tunnel: TunnelSpec, session: SessionSpec) -> tuple[Counters, Counters]:
    near = bench.seen_session(tunnel, session).counters
    (far,) = [
        one.counters
        for seen in bench.datapath.tunnels(bench.far)
        if seen.tunnel_id == tunnel.peer_tunnel_id
        for one in seen.sessions
        if one.session_id == session.peer_session_id
    ]
    return near, far


def _mtu(bench: Bench, session: SessionSpec) -> int:
    with inside(bench.near), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        answer = fcntl.ioctl(any_socket, 0x8921, struct.pack("16si12x", session.ifname.encode(), 0))  # SIOCGIFMTU
    return int(struct.unpack_from("16si", answer)[1])


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_the_mtu_that_we_compute_is_the_kernels(ends: tuple[Bench, Ends], case: Case) -> None:
    bench, made = ends
    encap, version, cookie, sublayer = case
    assert session_mtu(1500, encap, version, cookie, sublayer) == _mtu(bench, made[case][1])


def test_mtu_figures_of_the_kernel(ends: tuple[Bench, Ends]) -> None:
    bench, made = ends
    figures = {
        case[:2]: _mtu(bench, session) for case, (_, session) in made.items() if case[2:] == (0, Sublayer.DEFAULT)
    }
    assert figures == {(Encap.UDP, 4): 1446, (Encap.UDP, 6): 1426, (Encap.IP, 4): 1458, (Encap.IP, 6): 1438}


def test_iproute2_sees_what_was_made(ends: tuple[Bench, Ends]) -> None:
    bench, made = ends
    tunnel, session = made[Encap.UDP, 4, 8, Sublayer.DEFAULT]

    def show(*words: str) -> str:
        command = ["ip", "-n", bench.near, "l2tp", "show", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    shown = show("session", "tunnel_id", str(tunnel.tunnel_id), "session_id", str(session.session_id))
    assert "  cookie 0001020304050607  peer cookie f8f9fafbfcfdfeff\n" in shown
    assert f"interface name: {session.ifname}\n" in shown
    shown = show("tunnel", "tunnel_id", str(tunnel.tunnel_id))
    assert f"UDP source / dest ports: {tunnel.local_port}/{tunnel.remote_port}\n" in shown
    assert "UDP checksum: enabled" in shown


def test_ping(joined_pair_with_addresses: tuple[Bench, TunnelSpec, SessionSpec]) -> None:
    bench, tunnel, session = joined_pair_with_addresses
    ping = ["ip", "netns", "exec", bench.near, "ping", "-q", "-n", "-c", "3", "-i", "0.1", "-W", "5", "10.1.1.2"]
    subprocess.run(ping, check=True, stdout=subprocess.DEVNULL)
    near, far = _counters(bench, tunnel, session)
    assert (near.tx_packets, near.rx_packets) == (4, 4)  # ARP and three echoes
    assert (far.tx_packets, far.rx_packets) == (4, 4)


@pytest.fixture
def joined_pair_with_addresses(ends: tuple[Bench, Ends]) -> Iterator[tuple[Bench, TunnelSpec, SessionSpec]]:
    """A tunnel and session of its own with an address at both ends."""
    bench, _ = ends
    tunnel, session = bench.tunnel(99), bench.session(99, tx_cookie=b"ping", rx_cookie=b"pong")
    bench.datapath.add_tunnel(tunnel)
    bench.datapath.add_session(tunnel, session)
    typed = [tunnel_line(tunnel), session_line(tunnel, session)]
    for netns, lines, address in ((bench.far, typed, "10.1.1.2/24"), (bench.near, [], "10.1.1.1/24")):
        lines = [*lines, f"address add {address} dev {session.ifname}", f"link set {session.ifname} up"]
        subprocess.run(["ip", "-n", netns, "-batch", "-"], input="\n".join(lines), text=True, check=True)
    yield bench, tunnel, session
    bench.datapath.del_tunnel(tunnel)
    bench.datapath.del_tunnel(bench.mirrored(tunnel))
