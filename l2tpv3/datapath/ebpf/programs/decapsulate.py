"""The program that takes frames out of packets that come in, one for all sessions in a network namespace.

It is at the ingress of the netdevs by which peers are reached. What is not a packet of a session, as it should be, goes
on to the kernel's IP, and so to the worker's socket, which counts what is wrong with it: fragments, IP options, control
packets, a wrong cookie. So do packets that the kernel merged (UDP GRO).
"""

from __future__ import annotations

from typing import Final

from l2tpv3.datapath.ebpf import session_entry
from l2tpv3.linux.bpf.assembler import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R8,
    R9,
    R10,
    Helper,
    Skb,
)
from l2tpv3.linux.bpf.packet_program import (
    AT_MAC,
    ETH_P_8021AD,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    ETHERNET,
    FIXED_GSO,
    SHOT,
    TAG,
    UDP,
    UDP_PROTOCOL,
    UNSPEC,
    PacketProgram,
    be16,
)
from l2tpv3.wire.data import L2TP_IP_PROTOCOL, T_BIT, VERSION, VERSION_MASK

_NOW_IPV4, _NOW_IPV6 = 1 << 7, 1 << 8  # BPF_F_ADJ_ROOM_DECAP_L3_*, from Linux 6.3 on
_KIND: Final = T_BIT | VERSION_MASK  # the first two bytes of an L2TP header: T, and the version
_FRAGMENT: Final = 0x3FFF
_LEAST: Final = ETHERNET + 20
"""Bytes of a frame for which the kernel takes the headers before it off. Shorter ones are the worker's, and so are
packets of a session's control channel, which have vccv.PACKET_BYTES there."""

# The stack, as offsets from R10.
_PACKET: Final = -64  # from the IP header on
_FRAME: Final = -80  # the frame's ethernet header
_INNER: Final = -104
_KEY: Final = -152
_COOKIE: Final = -160


def receive(version: int, sessions: int) -> bytes:
    """The program, for bpf(2). version: of IP, outside. sessions: the map's file."""
    return _Receive(version, sessions).code()


class _Receive:
    """R6: the packet. R7: the session's entry. R8: where the frame is in the packet. R9: the frame's bytes."""

    def __init__(self, version: int, sessions: int) -> None:
        self._ipv4 = version == 4
        self._l3 = 20 if self._ipv4 else 40
        self._sessions = sessions
        self._p = PacketProgram()

    def code(self) -> bytes:
        p = self._p
        p.move(R6, R1)
        p.of_packet(R1, Skb.PKT_TYPE)  # to another host's MAC address
        p.jump_if(R1, "!=", 0, "pass")
        p.of_packet(R1, Skb.VLAN_PRESENT)  # another netdev's
        p.jump_if(R1, "!=", 0, "pass")
        p.copy(ETHERNET, _PACKET, self._l3 + 16, "pass")
        self._check_ip()
        self._find()
        self._check_cookie()
        self._check_length()
        self._decapsulate()
        p.label("pass")
        p.exit(UNSPEC)
        p.label("drop")
        p.exit(SHOT)
        return p.code()

    def _check_ip(self) -> None:
        """No options, no fragment. R2 = the protocol. R9 = where the packet ends by what IP says."""
        p = self._p
        if self._ipv4:
            p.load(1, R1, R10, _PACKET)
            p.jump_if(R1, "!=", 0x45, "pass")
            p.load(2, R1, R10, _PACKET + 6)
            p.big_endian(R1, 16)
            p.jump_if(R1, "&", _FRAGMENT, "pass")
            p.load(1, R2, R10, _PACKET + 9)
            p.load(2, R9, R10, _PACKET + 2)
            p.big_endian(R9, 16)
            p.alu("+", R9, ETHERNET)
        else:
            p.load(1, R2, R10, _PACKET + 6)
            p.load(2, R9, R10, _PACKET + 4)
            p.big_endian(R9, 16)
            p.alu("+", R9, ETHERNET + 40)

    def _find(self) -> None:
        """R7 = the session's entry. R8 = where the L2TP header goes on behind the session id."""
        p = self._p
        size = 4 if self._ipv4 else 16
        for at in range(0, 2 * size, 4):
            p.load(4, R1, R10, _PACKET + (12 if self._ipv4 else 8) + at)
            p.store(4, R10, _KEY + at, R1)
        rest = _KEY + 2 * size
        p.store(4, R10, rest + 8, R2)
        l4 = _PACKET + self._l3
        p.jump_if(R2, "==", UDP_PROTOCOL, "udp")
        p.jump_if(R2, "!=", L2TP_IP_PROTOCOL, "pass")
        p.store(4, R10, rest, 0)
        p.load(4, R1, R10, l4)
        p.move(R8, ETHERNET + self._l3 + 4)
        p.jump("look up")
        p.label("udp")
        p.load(2, R1, R10, l4 + 4)
        p.big_endian(R1, 16)
        p.alu("+", R1, ETHERNET + self._l3)
        p.jump_if(R1, "!=", R9, "pass")
        p.load(2, R1, R10, l4 + 8)
        p.big_endian(R1, 16)
        p.alu("&", R1, _KIND)
        p.jump_if(R1, "!=", VERSION, "pass")
        p.load(4, R1, R10, l4)
        p.store(4, R10, rest, R1)
        p.load(4, R1, R10, l4 + 12)
        p.move(R8, ETHERNET + self._l3 + UDP + 8)
        p.label("look up")
        p.store(4, R10, rest + 4, R1)
        p.map(R1, self._sessions)
        p.stack(R2, _KEY)
        p.call(Helper.MAP_LOOKUP_ELEM)
        p.jump_if(R0, "==", 0, "pass")
        p.move(R7, R0)
        p.load(4, R1, R7, session_entry.TASKS)
        p.alu("&", R1, session_entry.RECEIVES)
        p.jump_if(R1, "==", 0, "pass")

    def _check_cookie(self) -> None:
        """Then R8 = where the frame is."""
        p = self._p
        p.load(4, R1, R7, session_entry.COOKIE_LENGTH)
        p.jump_if(R1, "==", 0, "right")
        p.store(8, R10, _COOKIE, 0)
        for length in (4, 8):
            following = f"not {length}"
            p.load(4, R1, R7, session_entry.COOKIE_LENGTH)
            p.jump_if(R1, "!=", length, following)
            p.copy(0, _COOKIE, length, "pass", behind=R8)
            p.load(length, R1, R10, _COOKIE)
            p.load(length, R2, R7, session_entry.COOKIE)
            p.jump_if(R1, "!=", R2, "pass")
            p.jump("right")
            p.label(following)
        p.jump("pass")
        p.label("right")
        p.load(2, R1, R7, session_entry.REST)
        p.alu("+", R8, R1)

    def _check_length(self) -> None:
        """Check that the packet is complete and has nothing behind it; then R9 = the frame's bytes."""
        p = self._p
        p.copy(0, _FRAME, ETHERNET, "pass", behind=R8)
        p.of_packet(R1, Skb.LEN)
        p.of_packet(R2, Skb.GSO_SIZE)
        p.jump_if(R2, "!=", 0, "super")
        p.jump_if(R1, "!=", R9, "pass")
        p.alu("-", R9, R8)
        p.jump("measured")
        p.label("super")
        self._check_super()
        p.label("measured")

    def _check_super(self) -> None:
        """Check a super-frame: one frame that its sender's kernel left whole, or many packets, merged or never cut up.

        Of one the IP header says how long it is, up to the end.
        """
        p = self._p
        p.move(R9, R1)
        p.alu("-", R9, R8)
        p.move(R3, ETHERNET)
        p.load(2, R4, R10, _FRAME + 12)
        p.jump_if(R4, "==", be16(ETH_P_8021Q), "super tag")
        p.jump_if(R4, "!=", be16(ETH_P_8021AD), "super type")
        p.label("super tag")
        p.copy(ETHERNET + 2, _INNER, 2, "pass", behind=R8)
        p.load(2, R4, R10, _INNER)
        p.move(R3, ETHERNET + TAG)
        p.label("super type")
        # R3 and R4 are lost with each call.
        p.store(8, R10, _COOKIE, R4)
        p.store(8, R10, _KEY, R3)
        p.alu("+", R3, R8)
        p.copy(0, _INNER, 20, "pass", behind=R3)
        p.load(8, R3, R10, _KEY)
        p.load(8, R4, R10, _COOKIE)
        p.jump_if(R4, "==", be16(ETH_P_IPV6), "super 6")
        p.jump_if(R4, "!=", be16(ETH_P_IP), "pass")
        p.load(2, R1, R10, _INNER + 2)
        p.big_endian(R1, 16)
        p.jump("super length")
        p.label("super 6")
        p.load(2, R1, R10, _INNER + 4)
        p.big_endian(R1, 16)
        p.alu("+", R1, 40)
        p.label("super length")
        p.alu("+", R1, R3)
        p.jump_if(R1, "!=", R9, "pass")

    def _decapsulate(self) -> None:
        p = self._p
        p.jump_if(R9, "<", _LEAST, "pass")
        self._shrink()
        p.overwrite(0, _FRAME, ETHERNET, "drop")
        p.move(R1, 1)
        p.add_to_memory(8, R7, session_entry.RX_PACKETS, R1)
        p.load(2, R1, R7, session_entry.HEADER)
        p.alu("+", R9, R1)
        p.add_to_memory(8, R7, session_entry.RX_BYTES, R9)
        p.load(4, R1, R7, session_entry.LOWER)
        p.redirect(R1)

    def _shrink(self) -> None:
        """Take off all from the outer IP header to the frame's addresses, whose place is the outer ones'."""
        p = self._p
        # Of what is left the kernel wants a header of the outer IP's length, unless told that it is another IP now; and
        # a super-frame is cut up as what it is. To tell it takes Linux 6.3, so only where it is needed.
        p.move(R4, FIXED_GSO)
        p.load(2, R1, R10, _FRAME + 12)
        p.jump_if(R1, "!=" if self._ipv4 else "==", be16(ETH_P_IPV6), "shrink")
        p.of_packet(R1, Skb.GSO_SIZE)
        p.jump_if(R1, "!=", 0, "other")
        p.jump_if(R9, ">=", ETHERNET + self._l3, "shrink")
        p.label("other")
        p.move(R4, FIXED_GSO | (_NOW_IPV6 if self._ipv4 else _NOW_IPV4))
        p.label("shrink")
        p.move(R1, R6)
        p.move(R2, 0)
        p.alu("-", R2, R8)
        p.move(R3, AT_MAC)
        p.call(Helper.SKB_ADJUST_ROOM)
        p.jump_if(R0, "!=", 0, "pass")
