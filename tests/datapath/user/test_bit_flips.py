"""Bits flip on the wire, and the outer checksum is right all the same: not one wrong byte reaches an application.

A relay between the tunnels sends on what it gets with fresh outer headers, as a router with bad memory would: only the
checksums of what is inside can tell. So whatever is merged or cut apart on the way must have been checked first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import random
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from l2tpv3.datapath.user.offloads import VARIABLE
from l2tpv3.linux.netns import inside
from l2tpv3.model.spec import Encap, parse_address
from tests.datapath.user.ends import End, mirrored, session
from tests.hosts import Host
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.root

_SOL_UDP, _UDP_SEGMENT, _UDP_GRO = 17, 103, 104  # linux/udp.h
_SO_NO_CHECK, _SO_RCVBUFFORCE = 11, 33  # asm-generic/socket.h
SEED = 20
DATAGRAMS = 6000
STREAMS, STREAM_BYTES = 4, 1_500_000
MODES = [(Encap.UDP, without) for without in ("", "gso", "gro", "napi", "gso,gro,napi")] + [(Encap.IP, "")]


class Flipper:
    """A relay at two addresses of a host, the far one for instance, which flips a bit in some of the packets."""

    def __init__(self, near: End, far: End, encap: Encap, on: Host) -> None:
        self.flips = self.merged = 0
        self.share = 0.0
        self._random = random.Random(SEED)
        self._skip = 20 if encap is Encap.IP else 0
        port = 1701 if encap is Encap.UDP else 0
        on.ip_batch(["addr add 10.99.0.3/24 dev u0", "addr add 10.99.0.4/24 dev u0"])
        with inside(on.netns):
            kind, protocol = (socket.SOCK_DGRAM, 0) if encap is Encap.UDP else (socket.SOCK_RAW, 115)
            self._sides = [socket.socket(socket.AF_INET, kind, protocol) for _ in range(2)]
        for side, own, peer in zip(self._sides, ("10.99.0.3", "10.99.0.4"), (near.host.v4, far.host.v4), strict=True):
            side.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 8 << 20)
            if encap is Encap.UDP:
                side.setsockopt(_SOL_UDP, _UDP_GRO, 1)
            side.bind((own, port))
            side.connect((peer, port))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        one, other = self._sides
        while not self._stop.is_set():
            for side in select.select(self._sides, [], [], 0.1)[0]:
                with contextlib.suppress(ConnectionRefusedError):
                    self._pass_on(side, other if side is one else one)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        """What the kernel merged goes on merged, so that it arrives as one."""
        data, ancillary, _, _ = source.recvmsg(65535, 64)
        packets = bytearray(data[self._skip :])
        length = int.from_bytes(ancillary[0][2], sys.byteorder) if ancillary else len(packets)
        for start in range(0, len(packets), length):
            if self._random.random() < self.share:
                self.flips += 1
                at = self._random.randrange(start, min(start + length, len(packets)))
                packets[at] ^= 1 << self._random.randrange(8)
        control = [(_SOL_UDP, _UDP_SEGMENT, length.to_bytes(2, sys.byteorder))] if length < len(packets) else []
        self.merged += bool(control)
        target.sendmsg([packets], control)

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()
        for side in self._sides:
            side.close()


@contextlib.contextmanager
def flipping(ends: tuple[End, End], encap: Encap, on: Host | None = None) -> Iterator[Flipper]:
    """A tunnel through a relay, its netdevs with addresses and each other's MAC: nothing else is sent.

    on: the relay's host; the far one if it is not told.
    """
    near, far = ends
    one = session(mtu=1400)
    third, fourth = (parse_address(address, "remote") for address in ("10.99.0.3", "10.99.0.4"))
    relay = Flipper(near, far, encap, on or far.host)
    try:
        near.add(dataclasses.replace(near.tunnel(far.host, encap=encap), remote=third), one)
        far.add(dataclasses.replace(far.tunnel(near.host, encap=encap), remote=fourth), mirrored(one))
        macs = [end.host.ip("-br", "link", "show", one.ifname).split()[2] for end in ends]
        for number, end in enumerate(ends):
            end.host.ip_batch([
                f"addr add 10.9.0.{number + 1}/24 dev {one.ifname}",
                f"neigh add 10.9.0.{2 - number} lladdr {macs[1 - number]} dev {one.ifname} nud permanent",
            ])  # fmt: skip
        yield relay
    finally:
        relay.close()


def content(number: int) -> bytes:
    """What datagram `number` says: itself, and what follows from it."""
    return number.to_bytes(4, "big") + hashlib.shake_128(number.to_bytes(4, "big")).digest(700)


@pytest.mark.parametrize(("encap", "without"), MODES, ids=lambda value: str(value) or "all")
def test_no_wrong_byte_reaches_an_application(
    ends: tuple[End, End], encap: Encap, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, without)
    with flipping(ends, encap) as relay:
        right, wrong = datagrams(ends, relay)
        assert wrong == 0
        assert right > DATAGRAMS // 10
        assert relay.flips > DATAGRAMS // 2
        before = relay.flips
        streams(ends, relay)
        assert relay.flips > before + 50
        assert bool(relay.merged) == (encap is Encap.UDP and "gso" not in without)


def test_flips_do_reach_who_has_no_checksum(ends: tuple[End, End]) -> None:
    """That the tests above see something at all."""
    with flipping(ends, Encap.UDP) as relay:
        _, wrong = datagrams(ends, relay, checksum=False)
        assert wrong > DATAGRAMS // 4


def datagrams(ends: tuple[End, End], relay: Flipper, *, checksum: bool = True) -> tuple[int, int]:
    """Send datagrams of which most are hit; gives how many arrived right, and how many wrong."""
    near, far = ends
    with inside(far.host.netns):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with inside(near.host.netns):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    right = wrong = 0
    relay.share = 0.8
    with receiver, sender:
        receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        receiver.bind(("10.9.0.2", 5555))
        sender.setsockopt(socket.SOL_SOCKET, _SO_NO_CHECK, not checksum)
        for number in range(DATAGRAMS):
            sender.sendto(content(number), ("10.9.0.2", 5555))
            if number % 64 == 63:
                time.sleep(0.004)
        receiver.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            while True:
                data = receiver.recv(2048)
                if data == content(int.from_bytes(data[:4], "big")):
                    right += 1
                else:
                    wrong += 1
    relay.share = 0.0
    return right, wrong


def streams(ends: tuple[End, End], relay: Flipper) -> None:
    """TCP transfers of known data, some packets of which are hit; each has to arrive as it is."""
    near, far = ends
    data = random.Random(SEED).randbytes(STREAM_BYTES)
    got: dict[int, bytes] = {}
    with inside(far.host.netns):
        listener = socket.create_server(("10.9.0.2", 0), backlog=STREAMS)
    with listener, contextlib.ExitStack() as stack:
        threads = []
        for number in range(STREAMS):
            with inside(near.host.netns):
                sender = stack.enter_context(socket.socket())
            sender.settimeout(PATIENCE_S)
            sender.connect(listener.getsockname())
            taker = stack.enter_context(listener.accept()[0])
            taker.settimeout(PATIENCE_S)
            threads.append(threading.Thread(target=_send, args=(sender, data)))
            threads.append(threading.Thread(target=_take, args=(taker, got, number)))
        relay.share = 0.03
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        relay.share = 0.0
    assert [len(got[number]) for number in range(STREAMS)] == [len(data)] * STREAMS
    assert all(got[number] == data for number in range(STREAMS))


def _send(sender: socket.socket, data: bytes) -> None:
    sender.sendall(data)
    sender.shutdown(socket.SHUT_WR)


def _take(taker: socket.socket, got: dict[int, bytes], number: int) -> None:
    pieces = []
    while piece := taker.recv(1 << 16):
        pieces.append(piece)
    got[number] = b"".join(pieces)
