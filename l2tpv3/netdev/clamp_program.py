"""The program that lowers the MSS that TCP announces in SYN packets, so that segments fit an MTU.

It looks at frames at both sides of a session's netdev, behind VLAN tags too. All that is not such a packet, or not as
it should be, passes as it is. RFC 9293 sections 3.1 and 3.7.1.
"""

from __future__ import annotations

from typing import Final

from l2tpv3.linux.bpf.assembler import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, Helper, Skb
from l2tpv3.linux.bpf.packet_program import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    TAG,
    TCP_PROTOCOL,
    UNSPEC,
    PacketProgram,
    be16,
)

_IPV4_HEADER, _IPV6_HEADER, _TCP_HEADER = 20, 40, 20
_ETHERTYPE_AT: Final = 12
_TAGS_MAX: Final = 2  # in the frame; one more may be beside it
_OPTIONS_MAX: Final = 37
"""Options that are looked at: more can't be in the 40 bytes that there are for them, the last one the MSS."""
_SYN: Final = 0x02
_NO_OPERATION, _MSS, _MSS_BYTES = 1, 2, 4
_CHECKSUM_AT: Final = 16
_TWO_BYTES: Final = 2  # BPF_F_HDR_FIELD_MASK: the size of what changes

# The stack, as offsets from R10.
_IP: Final = -40
_TCP: Final = -60
_OPTION: Final = -64
_VALUE: Final = -66
_END: Final = -80  # where TCP's header ends, in the frame


def clamp(mtu: int) -> bytes:
    """The program for that MTU, in bytes, for bpf(2). Each VLAN tag takes 4 of them."""
    return _Clamp(mtu).code()


class _Clamp:
    """R6: the frame. R7: where what is looked at begins. R8: bytes of a segment that fit. R9: where the option is."""

    def __init__(self, mtu: int) -> None:
        self._mtu = mtu
        self._p = PacketProgram()

    def code(self) -> bytes:
        p = self._p
        p.move(R6, R1)
        p.move(R8, self._mtu - _TCP_HEADER)
        p.of_packet(R1, Skb.VLAN_PRESENT)
        p.jump_if(R1, "==", 0, "no tag beside it")
        p.alu("-", R8, TAG)
        p.label("no tag beside it")
        self._ethertype()
        self._ip()
        self._tcp()
        for number in range(_OPTIONS_MAX):
            self._option(f"after {number}")
        p.label("pass")
        p.exit(UNSPEC)
        self._lower()
        return p.code()

    def _ethertype(self) -> None:
        """Goes on at `ipv4` or `ipv6`, R7 behind the ethertype."""
        p = self._p
        p.move(R7, _ETHERTYPE_AT)
        for number in range(_TAGS_MAX + 1):
            p.copy(0, _VALUE, 2, "pass", behind=R7)
            p.alu("+", R7, 2)
            p.load(2, R1, R10, _VALUE)
            p.jump_if(R1, "==", be16(ETH_P_IP), "ipv4")
            p.jump_if(R1, "==", be16(ETH_P_IPV6), "ipv6")
            if number == _TAGS_MAX:
                break
            p.jump_if(R1, "==", be16(ETH_P_8021Q), f"tag {number}")
            p.jump_if(R1, "!=", be16(ETH_P_8021AD), "pass")
            p.label(f"tag {number}")
            p.alu("+", R7, TAG - 2)
            p.alu("-", R8, TAG)
        p.jump("pass")

    def _ip(self) -> None:
        """Goes on behind, R7 at TCP's header."""
        p = self._p
        p.label("ipv4")
        p.copy(0, _IP, _IPV4_HEADER, "pass", behind=R7)
        p.load(1, R1, R10, _IP + 9)
        p.jump_if(R1, "!=", TCP_PROTOCOL, "pass")
        p.load(2, R1, R10, _IP + 6)
        p.big_endian(R1, 16)
        p.alu("&", R1, 0x1FFF)  # a fragment that is not the first
        p.jump_if(R1, "!=", 0, "pass")
        p.load(1, R1, R10, _IP)
        p.alu("&", R1, 0x0F)
        p.alu("<<", R1, 2)
        p.jump_if(R1, "<", _IPV4_HEADER, "pass")
        p.alu("+", R7, R1)
        p.alu("-", R8, _IPV4_HEADER)
        p.jump("tcp")
        p.label("ipv6")
        p.copy(0, _IP, _IPV6_HEADER, "pass", behind=R7)
        p.load(1, R1, R10, _IP + 6)
        p.jump_if(R1, "!=", TCP_PROTOCOL, "pass")
        p.alu("+", R7, _IPV6_HEADER)
        p.alu("-", R8, _IPV6_HEADER)
        p.label("tcp")

    def _tcp(self) -> None:
        """Goes on behind, R9 at the first option, where its header ends on the stack."""
        p = self._p
        p.jump_if(R8, ">", 0xFFFF, "pass")  # less than nothing fits
        p.copy(0, _TCP, _TCP_HEADER, "pass", behind=R7)
        p.load(1, R1, R10, _TCP + 13)
        p.alu("&", R1, _SYN)
        p.jump_if(R1, "==", 0, "pass")
        p.load(1, R1, R10, _TCP + 12)
        p.alu(">>", R1, 4)
        p.alu("<<", R1, 2)
        p.alu("+", R1, R7)
        p.store(8, R10, _END, R1)
        p.move(R9, R7)
        p.alu("+", R9, _TCP_HEADER)

    def _option(self, following: str) -> None:
        """R9 at an option: to `lower` when it is the MSS, else behind it; to `pass` when the header ends."""
        p = self._p
        p.load(8, R1, R10, _END)
        p.alu("-", R1, _MSS_BYTES)
        p.jump_if(R9, ">", R1, "pass")  # no room for an MSS
        p.copy(0, _OPTION, _MSS_BYTES, "pass", behind=R9)
        p.load(1, R1, R10, _OPTION)
        p.jump_if(R1, "==", 0, "pass")
        p.move(R2, 1)
        p.jump_if(R1, "==", _NO_OPERATION, following)
        p.load(1, R2, R10, _OPTION + 1)
        p.jump_if(R2, "<", 2, "pass")
        p.jump_if(R1, "!=", _MSS, following)
        p.jump_if(R2, "==", _MSS_BYTES, "lower")
        p.jump("pass")
        p.label(following)
        p.alu("+", R9, R2)

    def _lower(self) -> None:
        """R9 at the MSS: have it be R8 at the most. The checksum is of 16-bit words: one that begins at an odd byte of
        TCP's header lies in two of them, the bytes of each the other way round."""
        p = self._p
        p.label("lower")
        p.load(2, R3, R10, _OPTION + 2)
        p.move(R4, R3)
        p.big_endian(R4, 16)
        p.jump_if(R4, "<=", R8, "pass")
        p.move(R4, R8)
        p.big_endian(R4, 16)
        p.store(2, R10, _VALUE, R4)
        p.move(R1, R9)
        p.alu("-", R1, R7)
        p.alu("&", R1, 1)
        p.jump_if(R1, "==", 0, "even")
        for register in (R3, R4):
            p.move(R1, register)
            p.alu(">>", R1, 8)
            p.alu("<<", register, 8)
            p.alu("+", register, R1)
            p.alu("&", register, 0xFFFF)
        p.label("even")
        p.move(R1, R6)
        p.move(R2, R7)
        p.alu("+", R2, _CHECKSUM_AT)
        p.move(R5, _TWO_BYTES)
        p.call(Helper.L4_CSUM_REPLACE)
        p.jump_if(R0, "!=", 0, "unchanged")
        p.alu("+", R9, 2)
        p.move(R1, R6)
        p.move(R2, R9)
        p.stack(R3, _VALUE)
        p.move(R4, 2)
        p.move(R5, 0)
        p.call(Helper.SKB_STORE_BYTES)
        p.label("unchanged")
        p.exit(UNSPEC)
