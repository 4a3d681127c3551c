"""Captures of real frames, read by tshark: which packets, from which side, what is said of them, and when it ends."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from l2tpv3 import Manager, Paths
from l2tpv3.capture import CaptureOptions, Side, libpcap
from l2tpv3.capture.pcapng import packets
from l2tpv3.capture.recorder import Recording
from l2tpv3.errors import InvalidValueError, NotFoundError, UnavailableError
from l2tpv3.linux.netns import inside
from tests.contract.frames import frame, packet_socket
from tests.hosts import Host

pytestmark = pytest.mark.root

COOKIES = ("0011223344556677", "8899aabbccddeeff")


class Pair:
    """Two hosts with a tunnel `t` and sessions `one` and `two` between them, told from the first."""

    def __init__(
        self, hosts: tuple[Host, Host], *, family: int = 4, encap: str = "udp", datapath: str = "user"
    ) -> None:
        self.a, self.b = hosts
        for here, there, (tx, rx), last in ((self.a, self.b, COOKIES, 1), (self.b, self.a, COOKIES[::-1], 2)):
            with inside(here.netns):  # new netdevs have no IPv6, which would send frames by itself
                Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
            manager = Manager(Paths(here.state_dir, here.runtime_dir))
            words: dict[str, Any] = {"remote": there.address(family), "local": here.address(family), "encap": encap}
            ports = {} if encap == "ip" else {"local-port": "5001", "remote-port": "5001"}
            manager.add_tunnel("t", words | ports | {"netns": here.netns, "datapath": datapath})
            for number, name in enumerate(("one", "two"), start=1):
                ids = (0x100 + number, 0x200 + number)[:: 1 if last == 1 else -1]
                session = {"id": str(ids[0]), "peer-id": str(ids[1]), "tx-cookie": tx, "rx-cookie": rx, "mtu": "1400"}
                address = {"address": [f"10.9.{number}.{last}/24"]}
                manager.add_session("t", name, session | address | {"ifname": f"pw{number}"})
        self.manager = Manager(Paths(self.a.state_dir, self.a.runtime_dir))
        for number in (1, 2):  # ARP is over then; and on a machine with much to do the first may be late
            assert any(self.a.ping(f"10.9.{number}.2", check=False) for _ in range(10))

    def record(self, **options: Any) -> Recording:
        """A recording of session `one`."""
        return self.manager.capture("t", "one", CaptureOptions(**options))


def stream(recording: Recording) -> bytes:
    """All of it, to the end."""
    with recording:
        return b"".join(recording) + recording.finish()


def tshark(content: bytes, folder: Path, fields: list[str], *options: str) -> list[list[str]]:
    """Each packet's fields as tshark reads them; it must have no complaint about the file."""
    path = folder / "it.pcapng"
    path.write_bytes(content)
    words = [
        "tshark",
        "-n",
        "-r",
        str(path),
        *options,
        "-T",
        "fields",
        *(word for one in fields for word in ("-e", one)),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "cut short" not in done.stderr and "damaged" not in done.stderr, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def comment(content: bytes, folder: Path) -> str:
    """The section's comment, by capinfos."""
    path = folder / "it.pcapng"
    path.write_bytes(content)
    said = subprocess.run(["capinfos", "-k", str(path)], capture_output=True, text=True, check=True).stdout
    return next(line.partition(":")[2].strip() for line in said.splitlines() if "comment" in line.lower())


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("encap", ["udp", "ip"])
def test_a_session_s_packets_and_no_others(
    underlay: tuple[Host, Host], tmp_path: Path, encap: str, family: int
) -> None:
    pair = Pair(underlay, family=family, encap=encap)
    recording = pair.record(packets=4, seconds=20, expression="len > 100")
    pair.a.ping("10.9.2.2", "-s", "200")  # the other session's
    pair.a.ping(pair.b.address(family), "-s", "200")  # nobody's
    pair.a.ping("10.9.1.2", "-s", "200", count=2)
    content = stream(recording)
    how = shlex.split(comment(content, tmp_path).partition("tshark ")[2])
    fields = ["l2tp.sid", "l2tp.cookie", "icmp.type", "frame.packet_flags_direction", "frame.interface_name", "ip.ttl"]
    rows = tshark(content, tmp_path, fields, *how)
    assert [int(row[0], 0) for row in rows] == [0x201, 0x101] * 2
    assert [row[1].replace(":", "") for row in rows] == [*COOKIES] * 2
    assert [row[2] for row in rows] == ["8", "0"] * 2
    assert [int(row[3], 0) for row in rows] == [2, 1] * 2
    assert {row[4] for row in rows} == {"u0"}


def test_fragments_are_there_as_well(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    pair = Pair(underlay)
    for host in (pair.a, pair.b):
        host.ip("link", "set", "u0", "mtu", "600")
    recording = pair.record(packets=4, seconds=20, expression="ip src 10.99.0.1")
    pair.a.ping("10.9.1.2", "-s", "1200")
    content = stream(recording)
    offsets = {row[0] for row in tshark(content, tmp_path, ["ip.frag_offset"])}
    assert len(offsets) >= 3
    how = shlex.split(comment(content, tmp_path).partition("tshark ")[2])
    assert ["8"] in tshark(content, tmp_path, ["icmp.type"], "-Y", "icmp", *how), "they make up the whole again"


def test_inner_frames_with_their_vlan_tags(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    """The kernel takes the tag off a frame that comes in before anyone sees it."""
    pair = Pair(underlay)
    recording = pair.record(side=Side.INNER, packets=3, seconds=20, expression="icmp or vlan 7")
    plain = frame(100, 0)
    pair.a.ping("10.9.1.2")
    with packet_socket((pair.b.netns, "pw1")) as sender:
        for vlan in (8, 7):
            sender.send(plain[:12] + bytes((0x81, 0, 0, vlan)) + plain[12:])
    rows = tshark(stream(recording), tmp_path, ["vlan.id", "icmp.type", "frame.packet_flags_direction", "frame.len"])
    assert rows == [["", "8", "0x00000002", "98"], ["", "0", "0x00000001", "98"], ["7", "", "0x00000001", "104"]]


def test_packets_are_cut_as_asked(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    pair = Pair(underlay)
    recordings = [pair.record(side=side, packets=1, seconds=20, snaplen=80, expression="len > 500") for side in Side]
    pair.a.ping("10.9.1.2", "-s", "1000")
    for recording, whole in zip(
        recordings, (1000 + 8 + 20 + 14 + 4 + 8 + 4 + 4 + 8 + 20, 1000 + 8 + 20 + 14), strict=True
    ):
        assert tshark(stream(recording), tmp_path, ["frame.cap_len", "frame.len"]) == [["80", str(whole)]]


def test_what_does_not_fit_is_counted(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    pair = Pair(underlay)
    recording = pair.record(side=Side.INNER)
    with packet_socket((pair.a.netns, "pw1")) as sender:
        for number in range(12000):
            sender.send(frame(1000, number))
    pieces = []
    while piece := recording.take():
        pieces.append(piece)
    content = b"".join(pieces) + recording.finish()
    counted = recording.counted
    assert counted.dropped > 0
    assert counted.delivered + counted.dropped == counted.received >= 12000  # ARP may be among them
    assert len(list(packets([content]))) == counted.delivered
    path = tmp_path / "it.pcapng"
    path.write_bytes(content)
    words = ["tshark", "-r", str(path), "-X", "read_format:MIME Files Format", "-V", "-Y", "file-pcapng", "-c", "1"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert f"Number of packets dropped: {counted.dropped}" in said or f": {counted.dropped}" in said


def test_it_ends_with_the_netdev(underlay: tuple[Host, Host]) -> None:
    pair = Pair(underlay)
    recording = pair.record(side=Side.INNER)
    pair.a.ip("link", "set", "pw1", "down")
    pair.a.ip("link", "set", "pw1", "up")
    while recording.take():
        assert not recording.ended, "being down for a while does not end it"
    pair.manager.del_session("t", "one")
    assert stream(recording).startswith(b"") and recording.ended
    with pytest.raises(NotFoundError):
        pair.record()


def test_time_is_a_limit(underlay: tuple[Host, Host], tmp_path: Path) -> None:
    pair = Pair(underlay)
    content = stream(pair.record(seconds=0.2, expression="icmp"))
    assert tshark(content, tmp_path, ["frame.number"]) == []


def test_filters_that_are_none(underlay: tuple[Host, Host]) -> None:
    pair = Pair(underlay)
    for text in ("no such thing", "vlan and", "(" * 500):
        with pytest.raises(InvalidValueError, match="pcap-filter"):
            pair.record(expression=text)


def test_without_libpcap(underlay: tuple[Host, Host], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libpcap, "_LIBRARIES", ("libpcap-not-here.so",))
    libpcap._libpcap.cache_clear()
    pair = Pair(underlay)
    with pytest.raises(UnavailableError, match="libpcap"):
        pair.record(expression="icmp")
    pair.record().close()


@pytest.mark.kernel_l2tp
@pytest.mark.parametrize("side", Side)
def test_the_kernel_datapath_s(underlay: tuple[Host, Host], side: Side) -> None:
    pair = Pair(underlay, datapath="kernel")
    recording = pair.record(side=side, packets=2, seconds=60, expression="len > 300")
    pair.a.ping("10.9.1.2", "-s", "300")
    assert [one.direction.name for one in packets([stream(recording)])] == ["OUTBOUND", "INBOUND"]


def test_in_the_namespace_of_the_session(underlay: tuple[Host, Host], netns: Callable[[str], Host]) -> None:
    """Its netdev is elsewhere than its tunnel, and we are in neither namespace."""
    pair = Pair(underlay)
    elsewhere = netns("c")
    pair.manager.set_session("t", "one", {"netns": elsewhere.netns})
    recordings = [pair.record(side=side, packets=1, seconds=20, expression="len > 500") for side in Side]
    assert elsewhere.ping("10.9.1.2", "-s", "1000")
    assert [[one.interface for one in packets([stream(recording)])] for recording in recordings] == [["u0"], ["pw1"]]
