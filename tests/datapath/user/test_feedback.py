"""A route to the peer that leads through the tunnel's own session: no growth, what is dropped is counted."""

from __future__ import annotations

import time

import pytest

from l2tpv3.datapath.user.feedback import OwnPackets
from l2tpv3.datapath.user.settings import TunnelSettings
from tests.here import Here
from tests.hosts import UNDERLAY, Host
from tests.waiting import eventually


def tunnel(local: str, remote: str, encap: str = "udp") -> TunnelSettings:
    ports = (1701, 1702) if encap == "udp" else (0, 0)
    return TunnelSettings("t", (1, 2), None, 1, 1, encap, local, remote, *ports, udp_checksum=False)


V4 = bytes.fromhex("4500003000000000401100000a6300010a630002") + bytes.fromhex("06a506a6001c0000")
V6 = (
    bytes.fromhex("6000000000201140") + bytes.fromhex("fd990000000000000000000000000001")
    + bytes.fromhex("fd990000000000000000000000000002") + bytes.fromhex("06a506a6001c0000")
)  # fmt: skip
ETHERNET = {4: bytes(12) + b"\x08\x00", 6: bytes(12) + b"\x86\xdd"}


@pytest.mark.parametrize(("version", "packet"), [(4, V4), (6, V6)])
def test_own_packets_are_known_wherever_they_are_about_to_go_out_again(version: int, packet: bytes) -> None:
    ends = ("10.99.0.1", "10.99.0.2") if version == 4 else ("fd99::1", "fd99::2")
    own = OwnPackets(tunnel(*ends))
    frame = ETHERNET[version] + packet
    assert own.are_in(frame)
    assert own.are_in(memoryview(bytes(12) + b"\x81\x00\x00\x05" + frame[12:])), "behind a tag"
    outer = ETHERNET[4] + V4.replace(b"\x06\xa5\x06\xa6", b"\x09\x09\x09\x09") + bytes(20)
    assert own.are_in(outer + frame), "in another tunnel's packet"
    assert not own.are_in(outer) and not own.are_in(bytes(60)) and not own.are_in(b"")
    assert not OwnPackets(tunnel(*reversed(ends))).are_in(frame), "what comes from the peer is none"
    assert not OwnPackets(tunnel(*ends, "ip")).are_in(frame)


@pytest.mark.root
@pytest.mark.parametrize("datapath", ["user", "ebpf"])
def test_a_tunnel_does_not_feed_itself(underlay: tuple[Host, Host], datapath: str) -> None:
    a, b = underlay
    ends = []
    for number, (one, other) in enumerate(((a, b), (b, a)), start=1):
        here = Here(one)
        here.add_tunnel("t", {"remote": other.v4, "datapath": datapath})
        here.add_session(
            "t", "s", {"address": [f"10.9.0.{number}/24"], "tx-cookie": "00112233", "rx-cookie": "00112233"}
        )
        ends.append(here)
    here = ends[0]
    assert a.ping("10.9.0.2", "-W", "5", count=2)
    a.ip("route", "add", f"{b.v4}/32", "via", "10.9.0.2", "dev", "l2tpeth0")
    assert any("its own session" in note for note in here.tunnel("t").notes)
    a.ping("10.9.0.2", count=5, check=False)
    time.sleep(0.5)
    before = here.session("t", "s").counters
    time.sleep(1)
    after = here.session("t", "s").counters
    assert after.tx_packets - before.tx_packets < 100, "no growth"
    assert after.tx_packets < 500 and after.tx_errors > 0
    a.ip("route", "del", f"{b.v4}/32", "dev", "l2tpeth0")
    eventually(lambda: a.ping("10.9.0.2", count=2, check=False))  # it recovers
    assert a.ip("route", "get", b.v4).split()[2] == UNDERLAY
    assert not any("leads through" in note for note in here.tunnel("t").notes)


@pytest.mark.root
@pytest.mark.parametrize("way", ["bridge", "macvlan", "tunnel"])
def test_a_route_into_itself_is_told_whatever_lies_between(underlay: tuple[Host, Host], way: str) -> None:
    a, b = underlay
    here = Here(a)
    here.add_tunnel("t", {"remote": b.v4, "datapath": "user"})
    here.add_session("t", "s", {"ifname": "pw0"})
    a.ip_batch(["link add apart type bridge", "link set apart up", "addr add 10.5.0.1/24 dev apart"])
    a.ip("route", "add", f"{b.v4}/32", "dev", "apart")
    assert not any("leads through" in note for note in here.tunnel("t").notes)
    a.ip("route", "del", f"{b.v4}/32", "dev", "apart")
    match way:
        case "bridge":
            lines = ["link add br0 type bridge", "link set pw0 master br0"]
        case "macvlan":
            lines = ["link add br0 link pw0 type macvlan"]
        case _:
            a.ip("addr", "add", "10.6.0.1/24", "dev", "pw0")
            here.add_tunnel("u", {"remote": "10.6.0.2", "datapath": "user"})
            here.add_session("u", "s", {"ifname": "br0"})
            lines = []
    a.ip_batch([*lines, "link set br0 up", f"route add {b.v4}/32 dev br0"])
    told = {one.name for one in here.tunnels() if any("route to the peer leads through" in note for note in one.notes)}
    assert told == ({"t", "u"} if way == "tunnel" else {"t"})
