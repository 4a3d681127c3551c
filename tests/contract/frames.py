"""Ethernet frames put into one netdev and awaited at another, through packet sockets: no process per frame."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Sequence

from l2tpv3.linux.netns import inside

ETHERTYPE = 0x88B5
"""For local experiments (IEEE 802): nothing else sends it, so every one counted is ours."""

_WAIT_S = 30.0
_QUIET_S = 0.3

_ETH_P_ALL, _SO_RCVBUFFORCE = 3, 33
_SOL_PACKET, _PACKET_AUXDATA = 263, 8
_VLAN_VALID = 0x10  # TP_STATUS_VLAN_VALID

Place = tuple[str, str]
"""A network namespace and the name of a netdev in it."""


def frame(size: int, number: int) -> bytes:
    """A frame of `size` bytes (14 at least, no FCS) whose content depends on `number`."""
    header = bytes.fromhex("020000000002020000000001") + ETHERTYPE.to_bytes(2, "big")
    return header + bytes((number * 31 + position) & 0xFF for position in range(size - len(header)))


def exchange(source: Place, target: Place, sizes: Sequence[int], *, arriving: int | None = None) -> None:
    """Send a frame of each size into `source` and check that just these come out of `target`, in order.

    arriving: how many of them, the first ones, are to arrive (all).
    """
    frames = [frame(size, number) for number, size in enumerate(sizes)]
    expected = frames[:arriving]
    with packet_socket(target) as receiver, packet_socket(source) as sender:
        with on_one_cpu():
            for one in frames:
                sender.send(one)
        received = collect(receiver, len(expected))
    assert received == expected


@contextlib.contextmanager
def on_one_cpu() -> Iterator[None]:
    """Keep this thread where it is: veth has a queue for each CPU that sends, and between those there is no order."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def packet_socket(place: Place) -> socket.socket:
    """A packet socket for ETHERTYPE frames on a netdev."""
    netns, ifname = place
    with inside(netns):
        one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    one.bind((ifname, ETHERTYPE))
    return one


def collect(receiver: socket.socket, count: int, wait_s: float = _WAIT_S) -> list[bytes]:
    """Frames that come in until `count` have or the time is over; and any that comes on top of those."""
    received: list[bytes] = []
    deadline = time.monotonic() + wait_s
    while len(received) < count and (left := deadline - time.monotonic()) > 0:
        receiver.settimeout(left)
        _receive(receiver, received)
    receiver.settimeout(_QUIET_S if count == 0 else 0.01)
    while _receive(receiver, received):
        pass
    return received


def _receive(receiver: socket.socket, received: list[bytes]) -> bool:
    try:
        data, address = receiver.recvfrom(65536)
    except (TimeoutError, BlockingIOError):
        return False
    if address[2] != socket.PACKET_OUTGOING:
        received.append(data)
    return True


class Tap:
    """All frames of a netdev, with the tag that the kernel takes out of them and tells beside."""

    def __init__(self, place: Place, protocol: int = _ETH_P_ALL, *, source: bytes = b"") -> None:
        """protocol: only frames of this one behind a tag, which are seen once tc(8)'s ingress filters are done.

        source: only frames from this MAC address: bridges and hosts have things of their own to say.
        """
        self._source = source
        netns, ifname = place
        with inside(netns):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
        self.socket.bind((ifname, protocol))

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def collect(self, count: int, wait_s: float = _WAIT_S) -> list[bytes]:
        """The next frames that come in (that it sends are passed over), until there are so many or none comes."""
        found: list[bytes] = []
        self.socket.settimeout(wait_s)
        while len(found) < count:
            try:
                data, ancillary, _, address = self.socket.recvmsg(65536, 64)
            except TimeoutError:
                break
            if address[2] == socket.PACKET_OUTGOING or not data.startswith(self._source, 6):
                continue
            status, tci, tpid = (
                int.from_bytes(ancillary[0][2][at:end], "little") for at, end in ((0, 4), (16, 18), (18, 20))
            )
            if status & _VLAN_VALID:
                data = data[:12] + tpid.to_bytes(2, "big") + tci.to_bytes(2, "big") + data[12:]
            found.append(data)
        return found
