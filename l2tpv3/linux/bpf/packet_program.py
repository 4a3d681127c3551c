"""Parts of programs that handle a packet, which is always in R6. Numbers: linux/if_ether.h, pkt_cls.h and bpf.h."""

from __future__ import annotations

import sys
from typing import Final

from l2tpv3.linux.bpf.assembler import R0, R1, R2, R3, R4, R5, R6, R10, Helper, Program, Register, Skb

BYTE_ORDER: Final = sys.byteorder
ETHERNET, TAG, UDP = 14, 4, 8
"""Bytes of headers."""
ETH_P_IP, ETH_P_IPV6, ETH_P_8021Q, ETH_P_8021AD = 0x0800, 0x86DD, 0x8100, 0x88A8
TCP_PROTOCOL, UDP_PROTOCOL = 6, 17
UNSPEC, SHOT = -1, 2
"""TC_ACT_*: it goes on as it would without the program, or is dropped."""
AT_MAC, FIXED_GSO = 1, 1 << 0
"""BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO."""


def be16(value: int) -> int:
    """A number of 16 bits as it is read from memory that has it in network order."""
    return int.from_bytes(value.to_bytes(2, "big"), BYTE_ORDER)


class PacketProgram(Program):
    """A program, with what several of ours do. place: an offset from the stack's end."""

    def stack(self, target: Register, place: int) -> None:
        """target = the address of a place on the stack."""
        self.move(target, R10)
        self.alu("+", target, place)

    def of_packet(self, target: Register, field: Skb) -> None:
        """target = what the kernel tells of the packet."""
        self.load(4, target, R6, field)

    def copy(self, offset: int, place: int, size: int, otherwise: str, *, behind: Register | None = None) -> None:
        """Copy bytes of the packet to the stack, from `offset` on (`behind` a place in a register); R1 to R5 are lost.

        otherwise: where it goes on when there are not so many.
        """
        self._at(offset, behind)
        self.stack(R3, place)
        self.move(R4, size)
        self.call(Helper.SKB_LOAD_BYTES)
        self.jump_if(R0, "!=", 0, otherwise)

    def overwrite(self, offset: int, place: int, size: int, otherwise: str) -> None:
        """Copy bytes from the stack into the packet; R1 to R5 are lost."""
        self._at(offset, None)
        self.stack(R3, place)
        self.move(R4, size)
        self.move(R5, 0)
        self.call(Helper.SKB_STORE_BYTES)
        self.jump_if(R0, "!=", 0, otherwise)

    def behind_ipv4(self, place: int, target: Register, fragment: str) -> None:
        """Move `target` from an IPv4 header, which was copied to `place`, behind it: to what it carries.

        Later fragments have no header of that: the program goes on at label `fragment` (RFC 791). Changes R1.
        """
        self.load(2, R1, R10, place + 6)
        self.big_endian(R1, 16)
        self.alu("&", R1, 0x1FFF)
        self.jump_if(R1, "!=", 0, fragment)
        self.load(1, R1, R10, place)
        self.alu("&", R1, 0x0F)
        self.alu("<<", R1, 2)
        self.alu("+", target, R1)

    def redirect(self, ifindex: Register | int) -> None:
        """Have the packet go out at a netdev, and end."""
        self.move(R1, ifindex)
        self.move(R2, 0)
        self.call(Helper.REDIRECT)
        self.exit()

    def _at(self, offset: int, behind: Register | None) -> None:
        if behind is None:
            self.move(R2, offset)
        else:
            self.move(R2, behind)
            self.alu("+", R2, offset)
        self.move(R1, R6)
