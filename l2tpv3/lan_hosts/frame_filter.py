"""The filter of the packet socket: what hosts say of themselves passes, and of the rest all, or a sample. No I/O."""

from __future__ import annotations

from typing import Final

from l2tpv3.linux.bpf.classic import RANDOM, Program

SNAPLEN: Final = 600
"""Bytes of a frame that says something: a DHCP message with its options, an LLDP frame."""
_HEADER: Final = 64
"""Bytes of another one, of which only the ethernet header matters."""
SAMPLE: Final = 64
"""Of so many other frames one passes, where it is a sample."""
_UDP, _ICMP6 = 17, 58


def saying_program(*, sample: bool) -> bytes:
    """The program for frames from their ethernet header on, with a VLAN tag in it or beside it."""
    program = Program()
    program.load(2, 12)
    program.jump("==", 0x8100, then="tagged")
    program.jump("==", 0x88A8, then="tagged")
    _of_kind(program, 14, "plain")
    program.label("tagged")
    program.load(2, 16)
    _of_kind(program, 18, "behind a tag")
    program.label("says")
    program.give(SNAPLEN)
    program.label("other")
    if sample:
        program.load(4, RANDOM)
        program.jump("&", SAMPLE - 1, then="drop")
    program.give(_HEADER)
    program.label("drop")
    program.give(0)
    return program.assemble()


def _of_kind(program: Program, at: int, name: str) -> None:
    """Go on at `says` or `other`, by the EtherType in A. at: where what it stands before begins."""
    program.jump("==", 0x0806, then="says")
    program.jump("==", 0x88CC, then="says")
    program.jump("==", 0x86DD, then=f"{name}, IPv6")
    program.jump("==", 0x0800, otherwise="other")
    program.load(1, at + 9)
    program.jump("==", _UDP, otherwise="other")
    program.load(2, at + 6)
    program.jump("&", 0x1FFF, then="other")
    program.set_x_to_ipv4_header(at)
    program.load_at_x(2, at + 2)
    program.jump("==", 5353, then="says")
    program.jump("==", 67, then="says")
    program.jump("==", 68, then="says", otherwise="other")
    program.label(f"{name}, IPv6")
    program.load(1, at + 6)
    program.jump("==", _UDP, then=f"{name}, UDP")
    program.jump("==", _ICMP6, otherwise="other")
    program.load(1, at + 40)
    program.jump("==", 135, then="says")
    program.jump("==", 136, then="says", otherwise="other")
    program.label(f"{name}, UDP")
    program.load(2, at + 42)
    program.jump("==", 5353, then="says", otherwise="other")
