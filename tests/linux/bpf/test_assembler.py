"""Instructions against what LLVM makes of the same: `llvm-mc -arch=bpfel -show-encoding`, and bpfeb.

What its assembler has no words for (numbers stored, `&` as a jump's relation) has the opcodes of the table in RFC 9669,
appendix A.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable

import pytest

from l2tpv3.linux.bpf import assembler
from l2tpv3.linux.bpf.assembler import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Helper, Program, Skb

Step = Callable[[Program], None]

ASSEMBLED: list[tuple[str, Step, str, str]] = [
    ("r1 = r6", lambda p: p.move(R1, R6), "bf61000000000000", "bf16000000000000"),
    ("r1 = 5", lambda p: p.move(R1, 5), "b701000005000000", "b710000000000005"),
    ("r2 = -1", lambda p: p.move(R2, -1), "b7020000ffffffff", "b7200000ffffffff"),
    ("r3 += r10", lambda p: p.alu("+", R3, R10), "0fa3000000000000", "0f3a000000000000"),
    ("r3 += -152", lambda p: p.alu("+", R3, -152), "0703000068ffffff", "07300000ffffff68"),
    ("r2 -= r8", lambda p: p.alu("-", R2, R8), "1f82000000000000", "1f28000000000000"),
    ("r4 *= 16", lambda p: p.alu("*", R4, 16), "2704000010000000", "2740000000000010"),
    ("r4 /= r9", lambda p: p.alu("/", R4, R9), "3f94000000000000", "3f49000000000000"),
    ("r1 &= 15", lambda p: p.alu("&", R1, 15), "570100000f000000", "571000000000000f"),
    ("r7 <<= 2", lambda p: p.alu("<<", R7, 2), "6707000002000000", "6770000000000002"),
    ("r1 >>= 4", lambda p: p.alu(">>", R1, 4), "7701000004000000", "7710000000000004"),
    ("r2 ^= 65535", lambda p: p.alu("^", R2, 0xFFFF), "a7020000ffff0000", "a72000000000ffff"),
    ("r1 = be16 r1", lambda p: p.big_endian(R1, 16), "dc01000010000000", "dc10000000000010"),
    ("r1 = be32 r1", lambda p: p.big_endian(R1, 32), "dc01000020000000", "dc10000000000020"),
    ("r1 = be64 r1", lambda p: p.big_endian(R1, 64), "dc01000040000000", "dc10000000000040"),
    ("r1 = *(u8 *)(r10 - 64)", lambda p: p.load(1, R1, R10, -64), "71a1c0ff00000000", "711affc000000000"),
    ("r1 = *(u16 *)(r10 - 58)", lambda p: p.load(2, R1, R10, -58), "69a1c6ff00000000", "691affc600000000"),
    ("r9 = *(u32 *)(r6 + 176)", lambda p: p.load(4, R9, R6, Skb.GSO_SIZE), "6169b00000000000", "619600b000000000"),
    ("r1 = *(u64 *)(r7 + 48)", lambda p: p.load(8, R1, R7, 48), "7971300000000000", "7917003000000000"),
    ("*(u8 *)(r10 - 1) = r1", lambda p: p.store(1, R10, -1, R1), "731affff00000000", "73a1ffff00000000"),
    ("*(u16 *)(r10 - 2) = r1", lambda p: p.store(2, R10, -2, R1), "6b1afeff00000000", "6ba1fffe00000000"),
    ("*(u32 *)(r10 - 4) = r1", lambda p: p.store(4, R10, -4, R1), "631afcff00000000", "63a1fffc00000000"),
    ("*(u64 *)(r10 - 8) = r4", lambda p: p.store(8, R10, -8, R4), "7b4af8ff00000000", "7ba4fff800000000"),
    ("*(u64 *)(r7 + 48) += r1", lambda p: p.add_to_memory(8, R7, 48, R1), "db17300000000000", "db71003000000000"),
    ("*(u32 *)(r7 + 8) += r2", lambda p: p.add_to_memory(4, R7, 8, R2), "c327080000000000", "c372000800000000"),
    ("call 69", lambda p: p.call(Helper.FIB_LOOKUP), "8500000045000000", "8500000000000045"),
    ("exit", lambda p: p.exit(), "9500000000000000", "9500000000000000"),
    ("r0 = 2; exit", lambda p: p.exit(2), "b7000000020000009500000000000000", "b7000000000000029500000000000000"),
    (
        "r4 = 0x0f000000000000f3 ll",
        lambda p: p.number(R4, 0x0F000000000000F3),
        "18040000f3000000000000000000000f",
        "18400000000000f3000000000f000000",
    ),
    (
        "r4 = 0xffffffff80000001 ll",
        lambda p: p.number(R4, 0xFFFFFFFF80000001),
        "180400000100008000000000ffffffff",
        "184000008000000100000000ffffffff",
    ),
]

TABLE: list[tuple[str, Step, str]] = [
    ("*(u8 *)(r10 - 1) = 7", lambda p: p.store(1, R10, -1, 7), "720affff07000000"),
    ("*(u16 *)(r10 - 2) = 7", lambda p: p.store(2, R10, -2, 7), "6a0afeff07000000"),
    ("*(u32 *)(r10 - 4) = 7", lambda p: p.store(4, R10, -4, 7), "620afcff07000000"),
    ("*(u32 *)(r10 - 4) = 0xfffefdfc", lambda p: p.store(4, R10, -4, 0xFFFEFDFC), "620afcfffcfdfeff"),
    ("*(u64 *)(r10 - 8) = 7", lambda p: p.store(8, R10, -8, 7), "7a0af8ff07000000"),
    ("a map, by its file", lambda p: p.map(R1, 3), "18110000030000000000000000000000"),
]


def name(case: tuple[object, ...]) -> str:
    """What the instruction is called."""
    return str(case[0])


@pytest.mark.parametrize("case", ASSEMBLED, ids=name)
@pytest.mark.parametrize("order", ["little", "big"])
def test_one_instruction(case: tuple[str, Step, str, str], order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, step, little, big = case
    monkeypatch.setattr(assembler, "_ORDER", order)
    monkeypatch.setattr(assembler, "_INSTRUCTION", struct.Struct("<BBhi" if order == "little" else ">BBhi"))
    program = Program()
    step(program)
    assert program.code().hex() == (little if order == "little" else big)


@pytest.mark.parametrize("case", TABLE, ids=name)
def test_one_instruction_by_the_table(case: tuple[str, Step, str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, step, little = case
    monkeypatch.setattr(assembler, "_ORDER", "little")
    monkeypatch.setattr(assembler, "_INSTRUCTION", struct.Struct("<BBhi"))
    program = Program()
    step(program)
    assert program.code().hex() == little


@pytest.mark.parametrize(
    ("relation", "right", "expected"),
    [
        ("==", 0, "1500ffff00000000"),
        ("!=", 69, "5500ffff45000000"),
        (">", 65535, "2500ffffffff0000"),
        ("<", 34, "a500ffff22000000"),
        ("<=", 3, "b500ffff03000000"),
        ("&", 0x3FFF, "4500ffffff3f0000"),
        ("!=", R2, "5d20ffff00000000"),
        (">=", R2, "3d20ffff00000000"),
        ("", 0, "0500ffff00000000"),
    ],
)
def test_relations(relation: str, right: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`if r0 RELATION right goto -1`."""
    monkeypatch.setattr(assembler, "_ORDER", "little")
    monkeypatch.setattr(assembler, "_INSTRUCTION", struct.Struct("<BBhi"))
    program = Program()
    program.label("here")
    program.jump_if(R0, relation, right, "here")
    assert program.code().hex() == expected


def distances(program: Program) -> list[int]:
    """The offset of each instruction."""
    code = program.code()
    return [struct.unpack_from("=h", code, at + 2)[0] for at in range(0, len(code), 8)]


def test_labels_before_and_behind_count_both_halves_of_a_wide_number() -> None:
    """A distance is counted in instructions of 8 bytes from the next one on; a number of 64 bits is two of them."""
    program = Program()
    program.label("first")
    program.jump_if(R1, "==", 0, "last")
    program.number(R2, 1 << 40)
    program.jump("first")
    program.jump("next")
    program.label("next")
    program.label("next too")
    program.jump("next too")
    program.label("last")
    program.exit()
    assert distances(program) == [5, 0, 0, -4, 0, -1, 0]


def test_a_label_has_one_place_and_a_jump_a_label() -> None:
    program = Program()
    program.label("one")
    with pytest.raises(AssertionError, match="one"):
        program.label("one")
    program.jump("nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        program.code()


def test_bytes_are_stored_as_they_are_in_steps_that_are_aligned() -> None:
    """Each store is told its number in host order."""
    program = Program()
    value = bytes(range(0xF0, 0xFB))
    program.store_bytes(R10, -106, value)
    code = program.code()
    memory, sizes = bytearray(len(value)), []
    for at in range(0, len(code), 8):
        opcode, registers, offset, number = struct.unpack_from("=BBhi", code, at)
        size = {0x72: 1, 0x6A: 2, 0x62: 4}[opcode]
        assert registers in (0x0A, 0xA0)
        assert offset % size == 0
        whole = (number & (1 << 8 * size) - 1).to_bytes(size, sys.byteorder)
        memory[offset + 106 : offset + 106 + size] = whole
        sizes.append(size)
    assert memory == value
    assert sizes == [2, 4, 4, 1]
