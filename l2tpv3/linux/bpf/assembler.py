"""eBPF instructions, put together one by one into a program: bytes out, no I/O.

Encoding: Documentation/bpf/standardization/instruction-set.rst and linux/bpf.h. A jump names a label, which may come
later; numbers of helper functions and offsets in struct __sk_buff are those of linux/bpf.h.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

_INSTRUCTION: Final = Struct("=BBhi")
_LD, _LDX, _ST, _STX, _JMP, _ALU64 = 0x00, 0x61, 0x62, 0x63, 0x05, 0x07
_IMM64, _ATOMIC = 0x18, 0xC3
_FROM_REGISTER: Final = 0x08
_SIZES: Final = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}  # BPF_B, BPF_H, BPF_W, BPF_DW
_TO_BIG_ENDIAN: Final = 0xDC  # BPF_ALU | BPF_END | BPF_TO_BE
_PSEUDO_MAP_FD: Final = 1
_ALU: Final = {
    "+": 0x00,
    "-": 0x10,
    "*": 0x20,
    "/": 0x30,
    "&": 0x50,
    "<<": 0x60,
    ">>": 0x70,
    "^": 0xA0,
    "=": 0xB0,
}
_JUMPS: Final = {"": 0x00, "==": 0x10, ">": 0x20, ">=": 0x30, "&": 0x40, "!=": 0x50, "<": 0xA0, "<=": 0xB0}
_CALL, _EXIT = 0x85, 0x95


class Register(IntEnum):
    """R0: what a helper returns. R1 to R5: its arguments, lost with a call. R6 to R9: kept. R10: the stack's end."""

    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)


R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register


class Helper(IntEnum):
    """Functions of the kernel that a program can call (enum bpf_func_id)."""

    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    GET_PRANDOM_U32 = 7
    SKB_STORE_BYTES = 9
    L4_CSUM_REPLACE = 11
    SKB_VLAN_PUSH = 18
    SKB_VLAN_POP = 19
    REDIRECT = 23
    SKB_LOAD_BYTES = 26
    SKB_CHANGE_TAIL = 38
    SKB_ADJUST_ROOM = 50
    FIB_LOOKUP = 69
    PROBE_READ_KERNEL = 113
    REDIRECT_NEIGH = 152


class Skb(IntEnum):
    """Offsets of 32-bit members of struct __sk_buff (linux/bpf.h)."""

    LEN = 0
    PKT_TYPE = 4
    PROTOCOL = 16
    VLAN_PRESENT = 20
    VLAN_TCI = 24
    VLAN_PROTO = 28
    INGRESS_IFINDEX = 36
    GSO_SEGS = 164
    GSO_SIZE = 176


class Program:
    """Instructions so far. Methods append some; `code` is all of them.

    Memory is named by a register and an offset in bytes; sizes are 1, 2, 4 or 8 bytes, in host order.
    """

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: dict[int, str] = {}

    def alu(self, operation: str, target: Register, source: Register | int) -> None:
        """target = target OPERATION source, in 64 bits; `=` is a move. A number is of 32 bits and signed."""
        code = _ALU64 | _ALU[operation]
        if isinstance(source, Register):
            self._put(code | _FROM_REGISTER, target, source, 0, 0)
        else:
            self._put(code, target, 0, 0, source)

    def move(self, target: Register, source: Register | int) -> None:
        """Copy a register: target = source."""
        self.alu("=", target, source)

    def number(self, target: Register, value: int) -> None:
        """target = a number of 64 bits without a sign."""
        self._wide(target, 0, value & 0xFFFFFFFF, value >> 32)

    def map(self, target: Register, fd: int) -> None:
        """target = a map, by its file."""
        self._wide(target, _PSEUDO_MAP_FD, fd, 0)

    def big_endian(self, target: Register, bits: int) -> None:
        """Turn the lower 16, 32 or 64 bits from host to network order, or back; the rest is zero."""
        self._put(_TO_BIG_ENDIAN, target, 0, 0, bits)

    def load(self, size: int, target: Register, base: Register, offset: int) -> None:
        """target = memory at base + offset."""
        self._put(_LDX | _SIZES[size], target, base, offset, 0)

    def store(self, size: int, base: Register, offset: int, source: Register | int) -> None:
        """Memory at base + offset = source. A number is of 32 bits at most."""
        if isinstance(source, Register):
            self._put(_STX | _SIZES[size], base, source, offset, 0)
        else:
            self._put(_ST | _SIZES[size], base, 0, offset, _signed(source))

    def store_bytes(self, base: Register, offset: int, value: bytes) -> None:
        """Memory at base + offset = these bytes. Both are best a multiple of 4."""
        while value:
            size = next(one for one in (4, 2, 1) if len(value) >= one and offset % one == 0)
            self.store(size, base, offset, int.from_bytes(value[:size], _ORDER))
            value, offset = value[size:], offset + size

    def add_to_memory(self, size: int, base: Register, offset: int, source: Register) -> None:
        """Memory at base + offset += source, at once for all CPUs. size: 4 or 8."""
        self._put(_ATOMIC | _SIZES[size], base, source, offset, 0)

    def jump(self, label: str) -> None:
        """Go on at a label."""
        self.jump_if(R0, "", 0, label)

    def jump_if(self, left: Register, relation: str, right: Register | int, label: str) -> None:
        """Go on at a label if that is so, both without a sign; `&` is so when they have a bit in common."""
        code = _JMP | _JUMPS[relation]
        self._jumps[len(self._code)] = label
        if isinstance(right, Register):
            self._put(code | _FROM_REGISTER, left, right, 0, 0)
        else:
            self._put(code, left, 0, 0, right)

    def label(self, name: str) -> None:
        """Name the place where the next instruction is."""
        assert name not in self._labels, name
        self._labels[name] = len(self._code)

    def call(self, helper: Helper) -> None:
        """Call a helper: arguments in R1 and further, what it returns in R0."""
        self._put(_CALL, 0, 0, 0, helper)

    def exit(self, verdict: int | None = None) -> None:
        """End with a verdict; None: with R0."""
        if verdict is not None:
            self.move(R0, verdict)
        self._put(_EXIT, 0, 0, 0, 0)

    def code(self) -> bytes:
        """The program as bpf(2) takes it."""
        whole = bytearray()
        for number, (code, registers, offset, value) in enumerate(self._code):
            label = self._jumps.get(number)
            distance = offset if label is None else self._labels[label] - number - 1
            whole += _INSTRUCTION.pack(code, registers, distance, value)
        return bytes(whole)

    def _wide(self, target: Register, source: int, lower: int, upper: int) -> None:
        self._put(_IMM64, target, source, 0, _signed(lower))
        self._put(_LD, 0, 0, 0, _signed(upper))

    def _put(self, code: int, target: int, source: int, offset: int, value: int) -> None:
        self._code.append((code, source << 4 | target if _ORDER == "little" else target << 4 | source, offset, value))


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value


_ORDER: Final = "little" if Struct("=H").pack(1)[0] else "big"
