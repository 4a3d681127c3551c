"""Listens at the netdevs of sessions to what hosts say of themselves, and asks the kernel which of them it knows.

Nothing is sent, and nothing runs before somebody asks or after.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from struct import Struct
from typing import Final

from l2tpv3.errors import L2tpError, from_errno
from l2tpv3.lan_hosts.frame_filter import SAMPLE, SNAPLEN, saying_program
from l2tpv3.lan_hosts.frames import said
from l2tpv3.lan_hosts.table import Table
from l2tpv3.linux.bpf.classic import attach_filter
from l2tpv3.linux.netlink.neighbours import known_hosts
from l2tpv3.linux.netns import inside
from l2tpv3.linux.packet_socket import bind_packets
from l2tpv3.linux.readable import wait_readable
from l2tpv3.model.status import NetdevState

_SOL_PACKET, _PACKET_AUXDATA = 263, 8  # linux/if_packet.h
_AUXDATA = Struct("=IIIHHHH")  # struct tpacket_auxdata: status, len, snaplen, mac, net, vlan_tci, vlan_tpid
_VLAN_VALID: Final = 1 << 4
_SPACE: Final = socket.CMSG_SPACE(_AUXDATA.size)
_OUTGOING: Final = 4  # PACKET_OUTGOING
_WHOLE_FRAMES: Final = 500
"""After so many frames of a netdev in one look, of those that say nothing only a sample is looked at."""
_FRAMES: Final = 20_000
"""So many frames of a netdev are looked at: under load they tell enough, and Python can't take them all."""


class _Listener:
    """One netdev, and the table of its session."""

    def __init__(self, netdev: NetdevState, table: Table, stack: contextlib.ExitStack) -> None:
        self.table = table
        self.frames, self.sampled = 0, False
        what = f"netdev {netdev.ifname}"
        try:
            with inside(netdev.netns):
                kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
                self.packets = stack.enter_context(socket.socket(socket.AF_PACKET, kind, 0))
            attach_filter(self.packets, saying_program(sample=False))
            self.packets.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            bind_packets(self.packets, netdev.ifindex)
        except OSError as error:
            remedy = "run as root, or with CAP_NET_RAW"
            raise from_errno(what, "listen to it", error.errno or 0, remedy) from error

    def take(self, now: float) -> None:
        """Take in what has arrived, some of it if it is much."""
        for _ in range(256):
            try:
                frame, beside, _, address = self.packets.recvmsg(SNAPLEN, _SPACE)
            except OSError:  # nothing waits, or the netdev went down
                return
            self.frames += 1
            told = said(frame, _vlan(beside))
            if told is not None:
                sampled = self.sampled and told.address is None and not told.names and told.server is None
                far = address[2] != _OUTGOING
                self.table.add(told, now, far=far, stands_for=float(SAMPLE) if sampled else 1.0)
        if self.frames > _WHOLE_FRAMES and not self.sampled:
            self.sampled = True
            with contextlib.suppress(OSError):
                attach_filter(self.packets, saying_program(sample=True))


def listen(sessions: Sequence[tuple[NetdevState, Table]], seconds: float) -> tuple[dict[str, float], list[L2tpError]]:
    """Fill the table of each netdev for so long.

    Gives, by the table's subject, for how many seconds it was listened, and why it could not be listened at some.
    """
    failed: list[L2tpError] = []
    began = time.monotonic()
    until = began + seconds
    took: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        listeners: dict[int, _Listener] = {}
        for netdev, table in sessions:
            try:
                one = _Listener(netdev, table, stack)
                listeners[one.packets.fileno()] = one
            except L2tpError as error:
                failed.append(error)
        while listeners and (wait_s := until - time.monotonic()) > 0:
            if not wait_readable(list(listeners), wait_s):
                break
            for fd, one in list(listeners.items()):
                one.take(time.monotonic())
                if one.frames >= _FRAMES:
                    took[one.table.subject] = time.monotonic() - began
                    del listeners[fd]
        took |= {one.table.subject: time.monotonic() - began for one in listeners.values()}
    return took, failed


def _vlan(beside: Sequence[tuple[int, int, bytes]]) -> int | None:
    for level, kind, data in beside:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA) and len(data) >= _AUXDATA.size:
            status, _, _, _, _, tci, _ = _AUXDATA.unpack_from(data)
            return tci & 0xFFF if status & _VLAN_VALID else None
    return None


def ask_kernel(netdev: NetdevState, bridge: NetdevState | None, table: Table) -> None:
    """Add the hosts that the kernel knows behind a netdev: neighbours, and what a bridge has learnt at that port.

    Raises L2tpError where it can't be asked.
    """
    now = time.monotonic()
    try:
        for mac, address, ago_s in _known(netdev, bridge):
            table.known(mac, ip_address(address) if address else None, None if ago_s is None else now - ago_s)
    except OSError as error:
        raise from_errno(f"netdev {netdev.ifname}", "ask for its neighbours", error.errno or 0) from error


def _known(netdev: NetdevState, bridge: NetdevState | None) -> Iterator[tuple[bytes, bytes, float | None]]:
    neighbours, entries = known_hosts(netdev.netns)
    behind = {one.mac for one in entries if one.ifindex == netdev.ifindex}
    yield from ((one.mac, b"", one.ago_s) for one in entries if one.ifindex == netdev.ifindex)
    for one in neighbours:
        if one.ifindex == netdev.ifindex or (
            bridge is not None and one.ifindex == bridge.ifindex and one.mac in behind
        ):
            yield one.mac, one.address, None
