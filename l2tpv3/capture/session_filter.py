"""The classic BPF program (Documentation/networking/filter.rst) that picks out one session's packets. No I/O.

It sees packets from their IP header on, as a packet socket of type SOCK_DGRAM gives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import Final

IPAddress = IPv4Address | IPv6Address

_INSTRUCTION = Struct("=HBBI")  # struct sock_filter: code, jt, jf, k
_LOAD_W, _LOAD_H, _LOAD_B = 0x20, 0x28, 0x30  # BPF_LD | BPF_ABS of four, two bytes, one
_LOAD_W_X, _LOAD_H_X = 0x40, 0x48  # BPF_LD | BPF_IND: at X + k
_LOAD_X_HEADER: Final = 0xB1  # BPF_LDX | BPF_B | BPF_MSH: X = 4 * (P[k] & 15), the length of an IPv4 header
_LOAD_X_CONSTANT: Final = 0x01
_AND, _EQUAL, _ANY_BIT, _RETURN = 0x54, 0x15, 0x45, 0x06
_SKB_PROTOCOL: Final = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL: the EtherType
_ETHERTYPES: Final = {4: 0x0800, 6: 0x86DD}
_UDP, _L2TP, _FRAGMENT = 17, 115, 44
_DATA_MASK, _DATA = 0x800F, 0x0003
"""Of the first two bytes over UDP: no control message (T), version 3 (RFC 3931 section 4.1.2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One session's packets on the underlay, both ways. Ports: 0 over IP."""

    local: IPAddress
    remote: IPAddress
    session_id: int
    peer_session_id: int
    local_port: int = 0
    remote_port: int = 0


@dataclass
class _Program:
    """Instructions with jumps to labels. A jump without label goes on with the next instruction."""

    code: list[tuple[int, str, str, int]] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)

    def add(self, code: int, k: int = 0) -> None:
        self.code.append((code, "", "", k))

    def jump(self, code: int, k: int, *, then: str = "", otherwise: str = "") -> None:
        self.code.append((code, then, otherwise, k))

    def label(self, name: str) -> None:
        self.labels[name] = len(self.code)

    def assemble(self) -> bytes:
        return b"".join(
            _INSTRUCTION.pack(code, self._offset(at, then), self._offset(at, otherwise), k)
            for at, (code, then, otherwise, k) in enumerate(self.code)
        )

    def _offset(self, at: int, label: str) -> int:
        return self.labels[label] - at - 1 if label else 0


def session_program(flow: Flow, snaplen: int) -> bytes:
    """The program as an array of struct sock_filter. Later fragments, which have no session id, are let through."""
    program = _Program()
    program.add(_LOAD_H, _SKB_PROTOCOL)
    program.jump(_EQUAL, _ETHERTYPES[flow.local.version], otherwise="no")
    if flow.local.version == 4:
        _ipv4(program, flow)
    else:
        _ipv6(program, flow)
    program.label("yes")
    program.add(_RETURN, snaplen)
    program.label("no")
    program.add(_RETURN, 0)
    return program.assemble()


def everything(snaplen: int) -> bytes:
    """The program that lets everything through, cut to `snaplen` bytes."""
    return _INSTRUCTION.pack(_RETURN, 0, 0, snaplen)


def _ipv4(program: _Program, flow: Flow) -> None:
    program.add(_LOAD_B, 9)
    program.jump(_EQUAL, _protocol(flow), otherwise="no")
    program.add(_LOAD_W, 12)
    program.jump(_EQUAL, int(flow.remote), otherwise="out?")
    program.add(_LOAD_W, 16)
    program.jump(_EQUAL, int(flow.local), then="in", otherwise="out?")
    program.label("out?")
    program.add(_LOAD_W, 12)
    program.jump(_EQUAL, int(flow.local), otherwise="no")
    program.add(_LOAD_W, 16)
    program.jump(_EQUAL, int(flow.remote), otherwise="no")
    for way in ("out", "in"):
        program.label(way)
        program.add(_LOAD_H, 6)
        program.jump(_ANY_BIT, 0x1FFF, then="yes")  # the fragment's offset
        program.add(_LOAD_X_HEADER, 0)
        _payload(program, flow, way)


def _ipv6(program: _Program, flow: Flow) -> None:
    """Extension headers other than the fragment header are not followed: neither end makes any."""
    _pair(program, flow.remote, flow.local, "out?")
    _carried(program, flow, "in")
    program.label("out?")
    _pair(program, flow.local, flow.remote, "no")
    _carried(program, flow, "out")


def _pair(program: _Program, source: IPAddress, destination: IPAddress, otherwise: str) -> None:
    for start, address in ((8, source), (24, destination)):
        for offset in range(0, 16, 4):
            program.add(_LOAD_W, start + offset)
            program.jump(_EQUAL, int.from_bytes(address.packed[offset : offset + 4], "big"), otherwise=otherwise)


def _carried(program: _Program, flow: Flow, way: str) -> None:
    program.add(_LOAD_B, 6)
    program.jump(_EQUAL, _protocol(flow), then=f"{way} whole")
    program.jump(_EQUAL, _FRAGMENT, otherwise="no")
    program.add(_LOAD_B, 40)
    program.jump(_EQUAL, _protocol(flow), then="yes", otherwise="no")
    program.label(f"{way} whole")
    program.add(_LOAD_X_CONSTANT, 40)
    _payload(program, flow, way)


def _payload(program: _Program, flow: Flow, way: str) -> None:
    """X is where UDP or L2TP begins. The session id on the wire is the receiver's."""
    inbound = way == "in"
    at = 0
    if flow.local_port:
        ports = (flow.remote_port, flow.local_port) if inbound else (flow.local_port, flow.remote_port)
        program.add(_LOAD_W_X, 0)
        program.jump(_EQUAL, ports[0] << 16 | ports[1], otherwise="no")
        program.add(_LOAD_H_X, 8)
        program.add(_AND, _DATA_MASK)
        program.jump(_EQUAL, _DATA, otherwise="no")
        at = 12
    program.add(_LOAD_W_X, at)
    program.jump(_EQUAL, flow.session_id if inbound else flow.peer_session_id, then="yes", otherwise="no")


def _protocol(flow: Flow) -> int:
    return _UDP if flow.local_port else _L2TP
