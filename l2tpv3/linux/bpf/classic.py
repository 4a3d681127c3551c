"""An assembler for classic BPF, the filters of packet sockets, tc and seccomp (Documentation/networking/filter.rst).

A program is built once, instruction by instruction, with jumps to labels further on:

    program = Program()
    program.load(2, 12)                                # A = the EtherType
    program.jump("==", 0x0800, otherwise="drop")
    program.give(0xFFFFFFFF)
    program.label("drop")
    program.give(0)
    attach_filter(sock, program.assemble())
"""

from __future__ import annotations

import ctypes
import socket
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from l2tpv3.linux.libc import checked, libc

_sock_filter = Struct("=HBBI")
INSTRUCTION_BYTES: Final = _sock_filter.size

# Places of what lies beside a packet: SKF_AD_OFF + SKF_AD_*, linux/filter.h. Loads of one byte, two for PROTOCOL.
PROTOCOL, VLAN_TAG, VLAN_TAG_PRESENT = 0xFFFFF000, 0xFFFFF000 + 44, 0xFFFFF000 + 48
RANDOM: Final = 0xFFFFF000 + 56
"""Four bytes that are drawn for each packet."""

_LOADS: Final = {1: 0x30, 2: 0x28, 4: 0x20}  # BPF_LD | BPF_ABS | BPF_B, BPF_H, BPF_W
_LOADS_AT_X: Final = {1: 0x50, 2: 0x48, 4: 0x40}  # BPF_LD | BPF_IND
_SET_X, _SET_X_TO_IPV4_HEADER = 0x01, 0xB1  # BPF_LDX | BPF_IMM; BPF_LDX | BPF_MSH | BPF_B
_AND, _RETURN, _ALWAYS = 0x54, 0x06, 0x05  # BPF_ALU | BPF_AND, BPF_RET, BPF_JMP | BPF_JA
_JUMPS: Final = {"==": 0x15, "&": 0x45}  # BPF_JMP | BPF_JEQ, BPF_JSET
_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h


@dataclass
class _Instruction:
    code: int
    k: int = 0
    then: str = ""
    otherwise: str = ""


@dataclass
class Program:
    """A program in the making. A is its accumulator, X its index register.

    Addresses in packets count from where the socket's packets begin. A jump without a label goes on with the next
    instruction.
    """

    _code: list[_Instruction] = field(default_factory=list)
    _labels: dict[str, int] = field(default_factory=dict)

    def load(self, size: int, offset: int) -> None:
        """A = 1, 2 or 4 bytes of the packet, in network order."""
        self._code.append(_Instruction(_LOADS[size], offset))

    def load_at_x(self, size: int, offset: int) -> None:
        """A = 1, 2 or 4 bytes of the packet, `offset` bytes behind X, in network order."""
        self._code.append(_Instruction(_LOADS_AT_X[size], offset))

    def set_x(self, value: int) -> None:
        """X = a number."""
        self._code.append(_Instruction(_SET_X, value))

    def set_x_to_ipv4_header(self, offset: int) -> None:
        """X = the length in bytes of the IPv4 header that begins at `offset`."""
        self._code.append(_Instruction(_SET_X_TO_IPV4_HEADER, offset))

    def mask(self, bits: int) -> None:
        """A = A & bits."""
        self._code.append(_Instruction(_AND, bits))

    def jump(self, condition: str, value: int, *, then: str = "", otherwise: str = "") -> None:
        """Go to the label `then` if A == value or, for the condition "&", A & value is not 0; else to `otherwise`."""
        self._code.append(_Instruction(_JUMPS[condition], value, then, otherwise))

    def go(self, label: str) -> None:
        """Go to a label."""
        self._code.append(_Instruction(_ALWAYS, then=label))

    def give(self, value: int) -> None:
        """End with that result: for packets how many bytes pass, 0 for none."""
        self._code.append(_Instruction(_RETURN, value))

    def label(self, name: str) -> None:
        """The next instruction's name for jumps."""
        self._labels[name] = len(self._code)

    def assemble(self) -> bytes:
        """The program as an array of struct sock_filter.

        Raises KeyError for a jump to a label that there is not, struct.error for one backwards or one with a condition
        over more than 255 instructions, which classic BPF has not.
        """
        return b"".join(self._packed(place, one) for place, one in enumerate(self._code))

    def _packed(self, place: int, one: _Instruction) -> bytes:
        then, otherwise = (self._labels[label] - place - 1 if label else 0 for label in (one.then, one.otherwise))
        if one.code == _ALWAYS:
            return _sock_filter.pack(one.code, 0, 0, then)
        return _sock_filter.pack(one.code, then, otherwise, one.k)


class SockFprog(ctypes.Structure):
    """struct sock_fprog for an assembled program, whose bytes it keeps for as long as it lives."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    def __init__(self, program: bytes) -> None:
        self._kept = ctypes.create_string_buffer(program, len(program))
        super().__init__(len(program) // INSTRUCTION_BYTES, ctypes.cast(self._kept, ctypes.c_void_p))


def attach_filter(sock: socket.socket, program: bytes) -> None:
    """Have a socket receive only what the assembled program lets pass. Raises OSError."""
    given = SockFprog(program)
    checked(
        libc.setsockopt(sock.fileno(), socket.SOL_SOCKET, _SO_ATTACH_FILTER, ctypes.byref(given), ctypes.sizeof(given))
    )
