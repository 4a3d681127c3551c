"""The eBPF program that counts frames by flow: the filter of a packet socket, which lets no frame through to it.

So nothing is put on the netdev, and all of it is gone with the socket. net/core/filter.c has what the helpers do.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from l2tpv3.linux.bpf.assembler import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Helper, Skb
from l2tpv3.linux.bpf.packet_program import (
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    ETHERNET,
    TAG,
    TCP_PROTOCOL,
    UDP_PROTOCOL,
    PacketProgram,
    be16,
)

KEY: Final = Struct("=BBHHH16s16s2s2s")
"""Of a flow: 1 for what leaves by the wire; protocol; EtherType; VLAN, and 1 with one; source, destination; ports.

All but the VLAN are in network order.
"""
COUNTS: Final = Struct("=QQ")
"""Packets and bytes."""
REST: Final = bytes(KEY.size)
"""The key of what belongs to none of the flows that there is room for. No frame has it: each has an EtherType."""
_OUTGOING: Final = 4  # PACKET_OUTGOING (linux/if_packet.h)
_NO_EXIST: Final = 1  # BPF_NOEXIST
_SCTP: Final = 132

# The stack, as offsets from R10.
_KEY: Final = -48
_D_WAY, _D_PROTOCOL, _D_ETHERTYPE, _D_VLAN, _D_TAGGED, _D_SOURCE, _D_TARGET, _D_PORTS = 0, 1, 2, 4, 6, 8, 24, 40
_COUNTS: Final = -64
_IP: Final = -104
_SHORT: Final = -112


def flow_program(flows: int) -> bytes:
    """The program, for bpf(2). flows: the map's file, with KEY and COUNTS, in which REST has to be."""
    return _FlowProgram(flows).code()


class _FlowProgram:
    """R6: the frame. R7: where what is looked at begins. R8: packets. R9: bytes."""

    def __init__(self, flows: int) -> None:
        self._flows = flows
        self._p = PacketProgram()

    def code(self) -> bytes:
        p = self._p
        p.move(R6, R1)
        self._clear_key()
        self._measure()
        self._way()
        self._ethertype()
        self._ipv4()
        self._ipv6()
        self._ports()
        self._other()
        p.label("count")
        self._count()
        p.label("end")
        p.exit(0)
        return p.code()

    def _clear_key(self) -> None:
        for offset in range(0, KEY.size // 8 * 8, 8):
            self._p.store(8, R10, _KEY + offset, 0)
        self._p.store(4, R10, _KEY + KEY.size - 4, 0)

    def _measure(self) -> None:
        """R8, R9: a super-frame is as many packets as the kernel makes of it."""
        p = self._p
        p.of_packet(R9, Skb.LEN)
        p.of_packet(R8, Skb.GSO_SEGS)
        p.jump_if(R8, "!=", 0, "measured")
        p.move(R8, 1)
        p.label("measured")

    def _way(self) -> None:
        p = self._p
        p.of_packet(R1, Skb.PKT_TYPE)
        p.jump_if(R1, "!=", _OUTGOING, "comes in")
        p.store(1, R10, _KEY + _D_WAY, 1)
        p.label("comes in")
        p.of_packet(R1, Skb.VLAN_PRESENT)
        p.jump_if(R1, "==", 0, "no tag beside it")
        p.of_packet(R1, Skb.VLAN_TCI)
        p.alu("&", R1, 0xFFF)
        p.store(2, R10, _KEY + _D_VLAN, R1)
        p.store(2, R10, _KEY + _D_TAGGED, 1)
        p.label("no tag beside it")

    def _ethertype(self) -> None:
        """Goes on at `ipv4`, `ipv6` or `other`, R7 behind the EtherType, which is in the key. A tag is passed over."""
        p = self._p
        p.move(R7, ETHERNET - 2)
        for last in (False, True):
            p.copy(0, _SHORT, 2, "end", behind=R7)
            p.load(2, R1, R10, _SHORT)
            p.store(2, R10, _KEY + _D_ETHERTYPE, R1)
            p.alu("+", R7, 2)
            p.jump_if(R1, "==", be16(ETH_P_IP), "ipv4")
            p.jump_if(R1, "==", be16(ETH_P_IPV6), "ipv6")
            if last:
                break
            p.jump_if(R1, "==", be16(ETH_P_8021Q), "tag")
            p.jump_if(R1, "!=", be16(ETH_P_8021AD), "other")
            p.label("tag")
            p.copy(0, _SHORT, 2, "end", behind=R7)
            p.load(2, R1, R10, _SHORT)
            p.big_endian(R1, 16)
            p.alu("&", R1, 0xFFF)
            p.store(2, R10, _KEY + _D_VLAN, R1)
            p.store(2, R10, _KEY + _D_TAGGED, 1)
            p.alu("+", R7, TAG - 2)
        p.jump("other")

    def _ipv4(self) -> None:
        """Goes on at `ports`, with the protocol in R2 and R7 behind the header; fragments that have none at `count`."""
        p = self._p
        p.label("ipv4")
        p.copy(0, _IP, 20, "count", behind=R7)
        for place, at in ((_D_SOURCE, 12), (_D_TARGET, 16)):
            p.load(4, R1, R10, _IP + at)
            p.store(4, R10, _KEY + place, R1)
        p.load(1, R2, R10, _IP + 9)
        p.store(1, R10, _KEY + _D_PROTOCOL, R2)
        p.behind_ipv4(_IP, R7, "count")
        p.jump("ports")

    def _ipv6(self) -> None:
        p = self._p
        p.label("ipv6")
        p.copy(0, _IP, 40, "count", behind=R7)
        for offset in range(0, 32, 8):
            p.load(8, R1, R10, _IP + 8 + offset)
            p.store(8, R10, _KEY + _D_SOURCE + offset, R1)
        p.load(1, R2, R10, _IP + 6)
        p.store(1, R10, _KEY + _D_PROTOCOL, R2)
        p.alu("+", R7, 40)

    def _ports(self) -> None:
        p = self._p
        p.label("ports")
        p.jump_if(R2, "==", TCP_PROTOCOL, "has ports")
        p.jump_if(R2, "==", UDP_PROTOCOL, "has ports")
        p.jump_if(R2, "!=", _SCTP, "count")
        p.label("has ports")
        p.copy(0, _KEY + _D_PORTS, 4, "count", behind=R7)
        p.jump("count")

    def _other(self) -> None:
        """Of other frames the MAC addresses make the flow."""
        p = self._p
        p.label("other")
        p.copy(0, _IP, 12, "end")
        for place, at in ((_D_TARGET, 0), (_D_SOURCE, 6)):
            for offset in range(0, 6, 2):
                p.load(2, R1, R10, _IP + at + offset)
                p.store(2, R10, _KEY + place + offset, R1)

    def _count(self) -> None:
        p = self._p
        self._find("known")
        p.store(8, R10, _COUNTS, R8)
        p.store(8, R10, _COUNTS + 8, R9)
        p.map(R1, self._flows)
        p.stack(R2, _KEY)
        p.stack(R3, _COUNTS)
        p.move(R4, _NO_EXIST)
        p.call(Helper.MAP_UPDATE_ELEM)
        p.jump_if(R0, "==", 0, "end")
        self._clear_key()
        self._find("known")
        p.jump("end")
        p.label("known")
        p.add_to_memory(8, R0, 0, R8)
        p.add_to_memory(8, R0, 8, R9)

    def _find(self, label: str) -> None:
        """R0 = the counts of the key. Goes on at the label where there are some."""
        p = self._p
        p.map(R1, self._flows)
        p.stack(R2, _KEY)
        p.call(Helper.MAP_LOOKUP_ELEM)
        p.jump_if(R0, "!=", 0, label)
