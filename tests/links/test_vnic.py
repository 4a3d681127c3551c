"""Virtual cards in user space, on real NICs: what is for a card reaches it, and nothing leaves it unfinished."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from l2tpv3.errors import ConflictError, L2tpError
from l2tpv3.links.backends.vnic import VnicBackend
from l2tpv3.linux.netns import inside
from l2tpv3.model.links.spec import LinkSpec
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

MAC, OTHER_MAC, STRANGER = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:99"


class Bench:
    """A host with a NIC, a neighbour on its wire, and guests in which cards live."""

    def __init__(self, netns: Callable[[str], Host]) -> None:
        self.netns = netns
        self.host, self.wire = netns("h"), netns("w")
        self.maker = VnicBackend(self.host.runtime_dir)
        lines = [f"link add n{n} type veth peer name w{n} netns {self.wire.netns}" for n in range(2)]
        self.host.ip_batch([*lines, "addr add 10.9.0.1/24 dev n0", "link set n0 up"])
        self.wire.ip_batch(["addr add 10.9.0.2/24 dev w0", "link set w0 up", "link set w1 up"])

    def offload(self, switch: str) -> None:
        """What a plain NIC can't do."""
        words = ["tx-checksumming", switch, "tcp-segmentation-offload", switch, "tx-udp-segmentation", switch]
        for host, netdev in ((self.host, "n0"), (self.wire, "w0")):
            host.run(["ethtool", "-K", netdev, *words], check=False)

    def card(self, name: str, mac: str, address: str, **words: Any) -> tuple[LinkSpec, Host]:
        guest = self.netns(name)
        spec = self.spec(name, netns=guest.netns, mac=mac, address=address, **words)
        self.maker.check(spec, below(spec), mark(spec))
        self.maker.make(spec, below(spec), mark(spec), mac)
        return spec, guest

    def spec(self, name: str, **words: Any) -> LinkSpec:
        return LinkSpec.from_words({"name": name, "type": "vnic", "over": "n0", "over-netns": self.host.netns} | words)


def below(spec: LinkSpec) -> dict[str, str]:
    return {name: name for name in spec.over}


def mark(spec: LinkSpec) -> str:
    return f"l2tpv3 link/{spec.name} /run/test"


@pytest.fixture
def bench(netns: Callable[[str], Host]) -> Iterator[Bench]:
    made = Bench(netns)
    yield made


def test_a_card_has_its_own_face_on_the_wire_beside_the_nics(bench: Bench) -> None:
    spec, guest = bench.card("va", MAC, "10.9.0.10/24")
    assert bench.wire.ping("10.9.0.10")
    assert bench.wire.ping("10.9.0.1")
    assert guest.ping("10.9.0.2")
    assert MAC in bench.wire.ip("neigh", "show", "10.9.0.10")
    seen = bench.maker.find(spec, mark(spec))
    assert seen is not None
    assert seen.netdev is not None
    assert (seen.over, seen.netdev.mac, seen.netdev.netns) == (("n0",), MAC, guest.netns)
    assert seen.counters["relay_tx_packets"] > 0 < seen.counters["relay_rx_packets"]
    assert seen.counters["relay_rx_errors"] == seen.counters["relay_tx_errors"] == 0


def test_cards_on_one_nic_share_a_worker_and_reach_each_other(bench: Bench) -> None:
    _, one = bench.card("va", MAC, "10.9.0.10/24")
    _, two = bench.card("vb", OTHER_MAC, "10.9.0.11/24")
    assert one.ping("10.9.0.11")
    assert two.ping("10.9.0.10")
    assert two.ping("10.9.0.2")
    assert len(list(bench.maker.workers())) == 1


def test_what_is_for_others_does_not_reach_a_card(bench: Bench) -> None:
    _, guest = bench.card("va", MAC, "10.9.0.10/24")
    broadcast, group = "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:05"
    with inside(guest.netns):
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x9000))
    with inside(bench.wire.netns):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        raw.bind(("w0", 0))
    with heard, raw:
        heard.settimeout(PATIENCE_S)
        for to in (STRANGER, broadcast, STRANGER, group, STRANGER, MAC):
            raw.send(bytes.fromhex((to + STRANGER).replace(":", "")) + b"\x90\x00" + bytes(100))
        assert [heard.recv(200)[:6].hex(":") for _ in range(3)] == [broadcast, group, MAC]


@pytest.mark.parametrize("offloads", ["on", "off"])
def test_long_streams_arrive_whole_both_ways_and_with_good_checksums_on_the_wire(bench: Bench, offloads: str) -> None:
    """A super-frame or an unfinished checksum on the wire of a plain NIC would be one that a real one drops."""
    bench.offload(offloads)
    _, guest = bench.card("va", MAC, "10.9.0.10/24")
    with _watching(bench.wire, "w0") as frames:
        for sender, receiver, to in ((guest, bench.wire, "10.9.0.2"), (bench.wire, guest, "10.9.0.10")):
            _stream(sender, receiver, to)
    if offloads == "off":
        assert frames
        assert max(map(len, frames)) <= 1514
        assert not [frame for frame in frames if not _checksum_is_good(frame)]


def test_a_tagged_frame_keeps_its_tag_both_ways(bench: Bench) -> None:
    _, guest = bench.card("va", MAC, "10.9.0.10/24")
    tagged = bytes.fromhex((MAC + STRANGER).replace(":", "")) + b"\x81\x00\x60\x07\x90\x00" + bytes(range(100))
    with contextlib.ExitStack() as stack:
        ends = []
        for host, name in ((bench.wire, "w0"), (guest, "va")):
            with inside(host.netns):
                one = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
            with inside(host.netns):
                one.bind((name, 3))
            one.setsockopt(263, 8, 1)  # PACKET_AUXDATA
            one.settimeout(PATIENCE_S)
            ends.append(one)
        for sender, receiver in (ends, reversed(ends)):
            sender.send(tagged)
            assert _with_tag(receiver) == (0x6007, tagged[:12] + tagged[16:])


def test_the_netdev_outlives_its_worker_and_is_carried_again(bench: Bench) -> None:
    spec, guest = bench.card("va", MAC, "10.9.0.10/24")
    index = guest.ip("-o", "link", "show", "va").split(":")[0]
    (pid,) = list(bench.maker.workers())
    os.kill(pid, signal.SIGKILL)
    _until(lambda: not list(bench.maker.workers()))
    seen = bench.maker.find(spec, mark(spec))
    assert seen is not None
    assert seen.over == ()
    bench.maker.change(spec, spec, below(spec), mark(spec), MAC)
    assert bench.wire.ping("10.9.0.10")
    assert guest.ip("-o", "link", "show", "va").split(":")[0] == index


def test_a_card_moves_to_another_nic_and_keeps_its_netdev(bench: Bench) -> None:
    spec, guest = bench.card("va", MAC, "10.9.0.10/24")
    bench.wire.ip_batch(["addr del 10.9.0.2/24 dev w0", "addr add 10.9.0.2/24 dev w1"])
    index = guest.ip("-o", "link", "show", "va").split(":")[0]
    moved = LinkSpec.from_words(spec.to_words() | {"over": "n1"})
    bench.maker.change(spec, moved, {"n0": "n0", "n1": "n1"}, mark(moved), MAC)
    assert guest.ping("10.9.0.2")
    assert guest.ip("-o", "link", "show", "va").split(":")[0] == index
    seen = bench.maker.find(moved, mark(moved))
    assert seen is not None
    assert seen.over == ("n1",)


def test_removed_it_leaves_neither_netdev_nor_worker_nor_an_ear_on_the_nic(bench: Bench) -> None:
    spec, guest = bench.card("va", MAC, "10.9.0.10/24")
    assert bench.host.workers()
    assert "allmulti 1" in bench.host.ip("-d", "link", "show", "n0")
    bench.maker.remove(spec, mark(spec))
    bench.maker.remove(spec, mark(spec))
    assert bench.maker.find(spec, mark(spec)) is None
    assert "va" not in guest.ip("-br", "link")
    assert not bench.host.workers()
    assert "allmulti 0" in bench.host.ip("-d", "link", "show", "n0")


def test_two_cards_of_one_address_on_a_nic_are_refused_and_leave_nothing(bench: Bench) -> None:
    bench.card("va", MAC, "10.9.0.10/24")
    with pytest.raises(L2tpError, match=MAC):
        bench.card("vb", MAC, "10.9.0.11/24")
    assert not re.search("vb|l2link", bench.host.ip("-br", "link"))
    with pytest.raises(ConflictError):
        spec = bench.spec("n1", mac=OTHER_MAC)
        bench.maker.check(spec, below(spec), mark(spec))


def _until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def _stream(sender: Host, receiver: Host, to: str) -> None:
    """Eight megabytes of known data by TCP, compared at the other end."""
    data = bytes(range(251)) * 32_000
    with inside(receiver.netns):
        listener = socket.create_server((to, 0))
    with inside(sender.netns):
        out = socket.create_connection(listener.getsockname(), timeout=PATIENCE_S)
    taken, _ = listener.accept()
    with listener, out, taken:
        out.settimeout(0)
        taken.settimeout(PATIENCE_S)
        got, sent = bytearray(), 0
        while len(got) < len(data):
            with contextlib.suppress(BlockingIOError):
                sent += out.send(data[sent : sent + 1_000_000]) if sent < len(data) else 0
            got += taken.recv(1_000_000)
        assert bytes(got) == data


@contextlib.contextmanager
def _watching(host: Host, netdev: str) -> Iterator[list[bytes]]:
    """The first frames that come from the wire, as they are there: before the kernel merges them is too early to say,
    so with GRO off."""
    host.run(["ethtool", "-K", netdev, "gro", "off"], check=False)
    frames: list[bytes] = []
    with inside(host.netns), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as raw:
        raw.bind((netdev, 3))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        raw.settimeout(0.1)
        yield frames
        with contextlib.suppress(TimeoutError):
            while len(frames) < 2000:
                frame, address = raw.recvfrom(70_000)
                if address[2] != socket.PACKET_OUTGOING:
                    frames.append(frame)


def _checksum_is_good(frame: bytes) -> bool:
    """Of TCP over IPv4; anything else is none of ours to judge."""
    if frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return True
    length = int.from_bytes(frame[16:18], "big") - 20
    segment = frame[34 : 34 + length]
    pseudo = frame[26:34] + b"\0\6" + length.to_bytes(2, "big")
    data = pseudo + segment + b"\0" * (len(segment) % 2)
    return int.from_bytes(data, "big") % 0xFFFF == 0


def _with_tag(one: socket.socket) -> tuple[int, bytes]:
    while True:
        frame, ancillary, _, address = one.recvmsg(4096, 64)
        for _, _, content in ancillary:
            status, tci = int.from_bytes(content[:4], "little"), int.from_bytes(content[16:18], "little")
            if address[2] != socket.PACKET_OUTGOING and status & 0x10:
                return tci, frame
