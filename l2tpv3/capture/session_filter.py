"""The classic BPF program (Documentation/networking/filter.rst) that picks out one session's packets. No I/O.

It sees packets from their IP header on, as a packet socket of type SOCK_DGRAM gives them.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Final

from l2tpv3.linux.bpf.classic import PROTOCOL, Program
from l2tpv3.value_class import value_class

IPAddress = IPv4Address | IPv6Address

_ETHERTYPES: Final = {4: 0x0800, 6: 0x86DD}
_UDP, _L2TP, _FRAGMENT = 17, 115, 44
_DATA_MASK, _DATA = 0x800F, 0x0003
"""Mask and value of the first two bytes over UDP: no control message (T), version 3 (RFC 3931 section 4.1.2.1)."""


@value_class(frozen=True, slots=True, kw_only=True)
class Flow:
    """One session's packets on the underlay, both ways. Ports: 0 over IP."""

    local: IPAddress
    remote: IPAddress
    session_id: int
    peer_session_id: int
    local_port: int = 0
    remote_port: int = 0


def session_program(flow: Flow, snaplen: int) -> bytes:
    """The program as an array of struct sock_filter. Later fragments, which have no session id, are let through."""
    program = Program()
    program.load(2, PROTOCOL)
    program.jump("==", _ETHERTYPES[flow.local.version], otherwise="no")
    if flow.local.version == 4:
        _ipv4(program, flow)
    else:
        _ipv6(program, flow)
    program.label("yes")
    program.give(snaplen)
    program.label("no")
    program.give(0)
    return program.assemble()


def everything(snaplen: int) -> bytes:
    """The program that lets everything through, cut to `snaplen` bytes."""
    program = Program()
    program.give(snaplen)
    return program.assemble()


def _ipv4(program: Program, flow: Flow) -> None:
    program.load(1, 9)
    program.jump("==", _protocol(flow), otherwise="no")
    program.load(4, 12)
    program.jump("==", int(flow.remote), otherwise="out?")
    program.load(4, 16)
    program.jump("==", int(flow.local), then="in", otherwise="out?")
    program.label("out?")
    program.load(4, 12)
    program.jump("==", int(flow.local), otherwise="no")
    program.load(4, 16)
    program.jump("==", int(flow.remote), otherwise="no")
    for way in ("out", "in"):
        program.label(way)
        program.load(2, 6)
        program.jump("&", 0x1FFF, then="yes")  # the fragment's offset
        program.set_x_to_ipv4_header(0)
        _payload(program, flow, way)


def _ipv6(program: Program, flow: Flow) -> None:
    """Extension headers other than the fragment header are not followed: neither end makes any."""
    _pair(program, flow.remote, flow.local, "out?")
    _carried(program, flow, "in")
    program.label("out?")
    _pair(program, flow.local, flow.remote, "no")
    _carried(program, flow, "out")


def _pair(program: Program, source: IPAddress, destination: IPAddress, otherwise: str) -> None:
    for start, address in ((8, source), (24, destination)):
        for offset in range(0, 16, 4):
            program.load(4, start + offset)
            program.jump("==", int.from_bytes(address.packed[offset : offset + 4], "big"), otherwise=otherwise)


def _carried(program: Program, flow: Flow, way: str) -> None:
    program.load(1, 6)
    program.jump("==", _protocol(flow), then=f"{way} whole")
    program.jump("==", _FRAGMENT, otherwise="no")
    program.load(1, 40)
    program.jump("==", _protocol(flow), then="yes", otherwise="no")
    program.label(f"{way} whole")
    program.set_x(40)
    _payload(program, flow, way)


def _payload(program: Program, flow: Flow, way: str) -> None:
    """X is where UDP or L2TP begins. The session id on the wire is the receiver's."""
    inbound = way == "in"
    at = 0
    if flow.local_port:
        ports = (flow.remote_port, flow.local_port) if inbound else (flow.local_port, flow.remote_port)
        program.load_at_x(4, 0)
        program.jump("==", ports[0] << 16 | ports[1], otherwise="no")
        program.load_at_x(2, 8)
        program.mask(_DATA_MASK)
        program.jump("==", _DATA, otherwise="no")
        at = 12
    program.load_at_x(4, at)
    program.jump("==", flow.session_id if inbound else flow.peer_session_id, then="yes", otherwise="no")


def _protocol(flow: Flow) -> int:
    return _UDP if flow.local_port else _L2TP
