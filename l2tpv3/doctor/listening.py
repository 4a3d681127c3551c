"""Listens for a while to what arrives at this host for its tunnels: a packet socket in each network namespace.

It sees packets as the netdev receives them, before a firewall, a socket or a program of the ebpf datapath does.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from l2tpv3.doctor.arrivals import Sorter
from l2tpv3.doctor.packet import parse
from l2tpv3.errors import L2tpError, UnavailableError, from_errno
from l2tpv3.linux.bpf.classic import PROTOCOL, Program, attach_filter
from l2tpv3.linux.netns import inside
from l2tpv3.linux.packet_socket import bind_packets
from l2tpv3.linux.readable import wait_readable

_PACKET_TYPE: Final = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE (linux/filter.h); PACKET_HOST is 0
_SNAPLEN: Final = 200
"""Bytes of each packet: the headers outside, and the first ones inside."""
_PACKETS: Final = 5_000
"""So many are looked at in one namespace: under load they tell enough, and Python can't take them all."""
_PORTS: Final = 60
"""More than these are not asked for by number: classic BPF jumps over 255 instructions at most."""
_UDP, _L2TP, _ICMP, _ICMP6 = 17, 115, 1, 58
_DATA: Final = 0x00030000
"""The first four bytes of a data packet over UDP."""


def listen(sorters: Mapping[str | None, Sorter], seconds: float) -> dict[str | None, L2tpError]:
    """Have the sorter of each network namespace sort what arrives there, for so long.

    Gives why it could not be listened in some of them.
    """
    failed: dict[str | None, L2tpError] = {}
    with contextlib.ExitStack() as stack:
        opened: list[tuple[socket.socket, Sorter]] = []
        for netns, sorter in sorters.items():
            try:
                opened.append((stack.enter_context(_opened(netns, sorter.ports)), sorter))
            except L2tpError as error:
                failed[netns] = error
        _read(opened, time.monotonic() + seconds)
    return failed


def _read(opened: list[tuple[socket.socket, Sorter]], until: float) -> None:
    left = {packets.fileno(): _PACKETS for packets, _ in opened}
    while opened and (wait_s := until - time.monotonic()) > 0:
        if not wait_readable([packets for packets, _ in opened], wait_s):
            return
        for packets, sorter in opened:
            for raw, ifname in _waiting(packets):
                left[packets.fileno()] -= 1
                found = parse(raw)
                if found is not None:
                    sorter.add(found, ifname)
        opened = [one for one in opened if left[one[0].fileno()] > 0]


def _waiting(packets: socket.socket) -> Iterator[tuple[bytes, str]]:
    """What has arrived by now, some of it if it is much, each with the netdev's name."""
    for _ in range(256):
        try:
            raw, place = packets.recvfrom(_SNAPLEN)
        except OSError:  # nothing waits, or a netdev went down
            return
        yield raw, str(place[0])


@contextlib.contextmanager
def _opened(netns: str | None, ports: Collection[int]) -> Iterator[socket.socket]:
    """Raises NotPermittedError, NotFoundError, UnavailableError."""
    with inside(netns):
        try:
            packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:
                raise UnavailableError("the wire", "this kernel has no packet sockets (CONFIG_PACKET)") from error
            remedy = "run as root, or with CAP_NET_RAW"
            raise from_errno("the wire", "listen to it", error.errno or 0, remedy) from error
    with packets:
        try:
            attach_filter(packets, arriving_program(ports))
            bind_packets(packets, 0)
        except OSError as error:
            raise from_errno("the wire", "listen to it", error.errno or 0) from error
        yield packets


def arriving_program(ports: Collection[int]) -> bytes:
    """The filter: protocol 115, UDP to one of these ports or with the first bytes of L2TPv3, and ICMP errors.

    Only of what arrives at this host, and no later fragments.
    """
    program = Program()
    program.load(1, _PACKET_TYPE)
    program.jump("==", 0, otherwise="no")
    program.load(2, PROTOCOL)
    program.jump("==", 0x0800, then="v4")
    program.jump("==", 0x86DD, otherwise="no")
    program.set_x(40)
    program.load(1, 6)
    program.jump("==", _L2TP, then="yes")
    program.jump("==", _UDP, then="udp")
    program.jump("==", _ICMP6, otherwise="no")
    program.load(1, 40)
    program.jump("==", 1, then="yes")
    program.jump("==", 2, then="yes")
    program.jump("==", 3, then="yes", otherwise="no")
    program.label("v4")
    program.load(2, 6)
    program.jump("&", 0x1FFF, then="no")
    program.set_x_to_ipv4_header(0)
    program.load(1, 9)
    program.jump("==", _L2TP, then="yes")
    program.jump("==", _UDP, then="udp")
    program.jump("==", _ICMP, otherwise="no")
    program.load_at_x(1, 0)
    program.jump("==", 11, then="yes")
    program.jump("==", 3, then="yes", otherwise="no")
    program.label("udp")
    program.load_at_x(2, 2)
    for port in sorted(ports)[: _PORTS if len(ports) <= _PORTS else 0]:
        program.jump("==", port, then="yes")
    program.load_at_x(4, 8)
    program.jump("==", _DATA, then="yes", otherwise="no")
    program.label("yes")
    program.give(_SNAPLEN)
    program.label("no")
    program.give(0)
    return program.assemble()
