"""The program that puts a session's frames into packets and sends them, made for each session.

It is at the ingress of the netdev under the session's, where frames arrive that were sent through that one: maybe
super-frames, of which the kernel makes segments later (as it does for its own tunnels), maybe with checksums still to
be finished, maybe with a VLAN tag beside the frame. What it can't do goes to the worker as it came: super-frames over
IP, what the outer packet had to be cut up for, peers to which there is no route through another netdev.

net/core/filter.c has what the helpers do.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from l2tpv3.datapath.ebpf import session_entry
from l2tpv3.linux.bpf.assembler import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
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
    BYTE_ORDER,
    ETH_P_8021Q,
    ETH_P_IP,
    ETH_P_IPV6,
    ETHERNET,
    FIXED_GSO,
    SHOT,
    TAG,
    TCP_PROTOCOL,
    UDP,
    UDP_PROTOCOL,
    PacketProgram,
    be16,
)
from l2tpv3.model.spec import Df, Encap, SessionSpec, TunnelSpec
from l2tpv3.wire.data import L2TP_IP_PROTOCOL, Framing, encode_header

_TTL: Final = 64
_DF: Final = 0x40  # in the byte that begins with IPv4's flags
_AF_INET, _AF_INET6 = 2, 10
_ENCAP_IPV4, _ENCAP_IPV6, _ENCAP_UDP = 1 << 1, 1 << 2, 1 << 4  # BPF_F_ADJ_ROOM_*
_ENCAP_L2_SHIFT: Final = 56
_SUCCESS, _NO_NEIGH, _FRAG_NEEDED = 0, 7, 8  # BPF_FIB_LKUP_RET_*

# The stack, as offsets from R10. The outer headers end on a multiple of 4.
_HEADERS: Final = -106
_FIB: Final = -176
_NEIGHBOUR: Final = -200
_FRAME: Final = -216  # the frame's own ethernet header
_PACKETS, _BYTES = -224, -232
_INNER: Final = -256
_KEY: Final = -304
_LENGTH: Final = -312  # of the longest packet
# struct bpf_fib_lookup
_FIB_BYTES: Final = 64
_F_PROTOCOL, _F_SPORT, _F_LENGTH, _F_IFINDEX, _F_SOURCE, _F_TARGET = 1, 2, 6, 8, 16, 32
_NEIGHBOUR_BYTES: Final = 20  # struct bpf_redir_neigh


@dataclass(frozen=True)
class Outgoing:
    """The facts that all packets of a session share. lower: index of the netdev that the program is on. slow: of the
    netdev that takes what the program can't do. sessions: the map's file. disbelieves: see entry.DISBELIEVES."""

    tunnel: TunnelSpec
    session: SessionSpec
    lower: int
    slow: int
    sessions: int
    disbelieves: bool = True


def transmit(out: Outgoing) -> bytes:
    """The program, for bpf(2).

    Raises EncodeError for a specification that no packet can carry out (see wire.data.Framing).
    """
    return _Transmit(out).code()


class _Transmit:
    """R6: the frame. R7: of a super-frame, bytes of the headers that each segment repeats; of others, whether a tag is
    beside it. R8: bytes of the frame with its tag. R9: bytes that a segment carries, 0 for no super-frame."""

    def __init__(self, out: Outgoing) -> None:
        self._out = out
        self._ipv4 = isinstance(out.tunnel.remote, IPv4Address)
        self._udp = out.tunnel.encap is Encap.UDP
        self._l3 = 20 if self._ipv4 else 40
        self._l4 = UDP if self._udp else 0
        session = out.session
        framing = Framing(out.tunnel.encap, len(session.tx_cookie), session.sublayer)
        self._l2tp = encode_header(framing, session.peer_session_id, session.tx_cookie)
        self._before = self._l3 + self._l4 + len(self._l2tp)  # in front of the frame
        self._inner = _HEADERS + ETHERNET + self._before  # where the frame's own header goes
        self._p = PacketProgram()

    def code(self) -> bytes:
        p = self._p
        p.move(R6, R1)
        p.of_packet(R9, Skb.GSO_SIZE)
        if not self._udp:
            p.jump_if(R9, "!=", 0, "slow")
        p.copy(0, _FRAME, ETHERNET, "slow")
        self._leave_own()
        p.of_packet(R8, Skb.LEN)
        p.of_packet(R1, Skb.VLAN_PRESENT)
        p.jump_if(R1, "==", 0, "measured")
        p.alu("+", R8, TAG)
        p.label("measured")
        self._measure()
        self._route()
        self._outer()
        self._insert()
        p.label("send")
        self._count()
        p.load(4, R1, R10, _FIB + _F_IFINDEX)
        p.stack(R2, _NEIGHBOUR)
        p.move(R3, _NEIGHBOUR_BYTES)
        p.move(R4, 0)
        p.call(Helper.REDIRECT_NEIGH)
        p.exit()
        p.label("slow")
        p.redirect(self._out.slow)
        p.label("broken")
        self._find_entry("drop")
        p.move(R1, 1)
        p.add_to_memory(8, R0, session_entry.TX_ERRORS, R1)
        p.label("drop")
        p.exit(SHOT)
        return p.code()

    def _leave_own(self) -> None:
        """Leave packets of this very tunnel to the worker, which drops them: the route to the peer leads in here."""
        p, tunnel = self._p, self._out.tunnel
        own = tunnel.endpoint.packed + tunnel.remote.packed + (_ports(tunnel) if self._udp else b"")
        at, before = (9, 3) if self._ipv4 else (6, 2)  # of the protocol, and how far behind it the addresses are
        place = _INNER + 4  # loads are aligned
        p.copy(ETHERNET + at, place - before, before + len(own), "another's")
        p.load(1, R1, R10, place - before)
        p.jump_if(R1, "!=", UDP_PROTOCOL if self._udp else L2TP_IP_PROTOCOL, "another's")
        for offset in range(len(own) - 4, -1, -4):  # the ports first: they differ in most
            p.load(4, R1, R10, place + offset)
            p.number(R2, int.from_bytes(own[offset : offset + 4], BYTE_ORDER))
            p.jump_if(R1, "!=", R2, "another's")
        p.jump("slow")
        p.label("another's")

    def _measure(self) -> None:
        """How many bytes the longest packet will have after its ethernet header, in R3; R7; what there is to count."""
        p = self._p
        p.move(R7, 0)
        p.move(R3, R8)
        p.move(R4, 1)
        p.move(R5, R8)
        p.jump_if(R9, "==", 0, "long")
        if self._udp:
            self._measure_super()
        p.label("long")
        p.store(8, R10, _PACKETS, R4)
        p.alu("*", R4, len(self._l2tp))
        p.alu("+", R5, R4)
        p.store(8, R10, _BYTES, R5)
        p.alu("+", R3, self._before)
        p.jump_if(R3, ">", 0xFFFF, "slow")

    def _measure_super(self) -> None:
        """Measure a super-frame, of TCP or UDP right behind IP's header."""
        p = self._p
        p.of_packet(R1, Skb.PROTOCOL)
        p.jump_if(R1, "==", be16(ETH_P_IPV6), "inner 6")
        p.jump_if(R1, "!=", be16(ETH_P_IP), "slow")
        p.copy(ETHERNET, _INNER, 20, "slow")
        p.load(1, R7, R10, _INNER)
        p.alu("&", R7, 0x0F)
        p.alu("<<", R7, 2)
        p.load(1, R2, R10, _INNER + 9)
        p.jump("inner transport")
        p.label("inner 6")
        p.copy(ETHERNET, _INNER, 8, "slow")
        p.move(R7, 40)
        p.load(1, R2, R10, _INNER + 6)
        p.label("inner transport")
        p.alu("+", R7, ETHERNET)
        p.jump_if(R2, "==", UDP_PROTOCOL, "inner udp")
        p.jump_if(R2, "!=", TCP_PROTOCOL, "slow")
        p.copy(12, _INNER, 1, "slow", behind=R7)
        p.load(1, R1, R10, _INNER)
        p.alu(">>", R1, 4)
        p.alu("<<", R1, 2)
        p.alu("+", R7, R1)
        p.jump("segments")
        p.label("inner udp")
        p.alu("+", R7, UDP)
        p.label("segments")
        p.of_packet(R1, Skb.VLAN_PRESENT)
        p.jump_if(R1, "==", 0, "untagged segments")
        p.alu("+", R7, TAG)
        p.label("untagged segments")
        p.move(R4, R8)
        p.alu("-", R4, R7)
        p.alu("+", R4, R9)
        p.alu("-", R4, 1)
        p.alu("/", R4, R9)
        p.move(R5, R4)
        p.alu("-", R5, 1)
        p.alu("*", R5, R7)
        p.alu("+", R5, R8)
        p.move(R3, R7)
        p.alu("+", R3, R9)

    def _route(self) -> None:
        """Ask for the route to the peer, as for a packet of R3 bytes that is forwarded; and keep the next hop.

        What the kernel finds too long is so by the netdev's MTU, or by what ICMP said of the path. Asked without a
        length it tells the netdev's, and compares only the frame with that (bpf_skb_fib_lookup() in net/core/filter.c).
        """
        p = self._p
        p.store(8, R10, _LENGTH, R3)
        self._look_up()
        p.jump_if(R0, "==", _SUCCESS, "routed")
        p.jump_if(R0, "==", _NO_NEIGH, "routed")
        if self._out.disbelieves:
            p.jump_if(R0, "!=", _FRAG_NEEDED, "slow")
            p.move(R3, 0)
            self._look_up()
            p.jump_if(R0, "!=", _SUCCESS, "slow")
            p.load(8, R3, R10, _LENGTH)
            p.load(2, R1, R10, _FIB + _F_LENGTH)
            p.jump_if(R3, "<=", R1, "routed")
        p.jump("slow")
        p.label("routed")
        p.load(1, R1, R10, _FIB)
        p.store(4, R10, _NEIGHBOUR, R1)
        for at in range(0, 16, 4):
            p.load(4, R1, R10, _FIB + _F_TARGET + at)
            p.store(4, R10, _NEIGHBOUR + 4 + at, R1)

    def _look_up(self) -> None:
        """R0 = what the kernel says of the route for R3 bytes, which is in _FIB then; R3 = 0: of any length."""
        p, tunnel = self._p, self._out.tunnel
        size = 4 if self._ipv4 else 16
        whole = bytearray(_FIB_BYTES)
        whole[0] = _AF_INET if self._ipv4 else _AF_INET6
        whole[_F_PROTOCOL] = UDP_PROTOCOL if self._udp else L2TP_IP_PROTOCOL
        if self._udp:
            whole[_F_SPORT : _F_SPORT + 4] = _ports(tunnel)
        whole[_F_IFINDEX : _F_IFINDEX + 4] = self._out.lower.to_bytes(4, BYTE_ORDER)
        whole[_F_SOURCE : _F_SOURCE + size] = tunnel.endpoint.packed
        whole[_F_TARGET : _F_TARGET + size] = tunnel.remote.packed
        p.store_bytes(R10, _FIB, bytes(whole))
        p.store(2, R10, _FIB + _F_LENGTH, R3)
        p.move(R1, R6)
        p.stack(R2, _FIB)
        p.move(R3, _FIB_BYTES)
        p.move(R4, 0)
        p.call(Helper.FIB_LOOKUP)

    def _outer(self) -> None:
        """The outer headers on the stack, and the frame's addresses behind them."""
        p, tunnel = self._p, self._out.tunnel
        ip = _HEADERS + ETHERNET
        ethertype = ETH_P_IP if self._ipv4 else ETH_P_IPV6
        # The addresses are set when the packet goes to a neighbour; a multicast one would have it dropped.
        p.store_bytes(R10, _HEADERS, bytes.fromhex("020000000000" * 2) + ethertype.to_bytes(2, "big"))
        protocol = UDP_PROTOCOL if self._udp else L2TP_IP_PROTOCOL
        addresses = tunnel.endpoint.packed + tunnel.remote.packed
        # What is inherited from each frame is the worker's to send: see offload.tasks.
        ttl, traffic_class = tunnel.ttl or _TTL, (tunnel.dscp or 0) << 2
        if self._ipv4:
            flags = _DF if tunnel.df is Df.ON else 0
            header = bytes([0x45, traffic_class, 0, 0, 0, 0, flags, 0, ttl, protocol, 0, 0]) + addresses
            p.store_bytes(R10, ip, header)
            self._ipv4_numbers(ip, sum(int.from_bytes(header[at : at + 2], "big") for at in range(0, 20, 2)))
        else:
            first = (6 << 28 | traffic_class << 20).to_bytes(4, "big")
            p.store_bytes(R10, ip, first + bytes([0, 0, protocol, ttl]) + addresses)
            self._length(ip + 4, self._l4 + len(self._l2tp))
        if self._udp:
            udp = ip + self._l3
            p.store_bytes(R10, udp, _ports(tunnel) + bytes(4))
            self._length(udp + 4, UDP + len(self._l2tp))
        p.store_bytes(R10, ip + self._l3 + self._l4, self._l2tp)
        for at in range(0, 12, 4):
            p.load(4, R1, R10, _FRAME + at)
            p.store(4, R10, self._inner + at, R1)

    def _length(self, at: int, more: int) -> None:
        """The length of the frame and that many bytes more, in network order. What is cut into segments gets others."""
        p = self._p
        p.move(R1, R8)
        p.alu("+", R1, more)
        p.big_endian(R1, 16)
        p.store(2, R10, at, R1)

    def _ipv4_numbers(self, ip: int, total: int) -> None:
        """Length, an identification, which packets that may be cut up need, and the header's checksum."""
        p = self._p
        self._length(ip + 2, self._before)
        p.call(Helper.GET_PRANDOM_U32)
        p.alu("&", R0, 0xFFFF)
        p.move(R2, R8)
        p.alu("+", R2, self._before)
        p.alu("&", R2, 0xFFFF)
        p.alu("+", R2, R0)
        p.alu("+", R2, total)
        for _ in range(2):
            p.move(R1, R2)
            p.alu(">>", R1, 16)
            p.alu("&", R2, 0xFFFF)
            p.alu("+", R2, R1)
        p.alu("^", R2, 0xFFFF)
        p.big_endian(R2, 16)
        p.store(2, R10, ip + 10, R2)
        p.big_endian(R0, 16)
        p.store(2, R10, ip + 4, R0)

    def _insert(self) -> None:
        """Make room for the headers and write them: of three kinds of frames, each in its way. Goes on at `send`."""
        p = self._p
        p.of_packet(R1, Skb.PROTOCOL)
        p.jump_if(R1, "==", be16(ETH_P_IP), "ip")
        p.jump_if(R1, "==", be16(ETH_P_IPV6), "ip")
        self._insert_other()
        p.label("ip")
        p.of_packet(R1, Skb.VLAN_PRESENT)
        p.jump_if(R1, "!=", 0, "tagged ip")
        p.load(2, R1, R10, _FRAME + 12)
        p.store(2, R10, self._inner + 12, R1)
        self._make_room(ETHERNET, "slow")
        p.jump("send")
        p.label("tagged ip")
        self._keep_tag()
        self._make_room(ETHERNET + TAG, "slow")
        self._pop_tag()
        p.jump("send")

    def _keep_tag(self) -> None:
        """The frame's ethertype with the tag that is beside it, in the frame's own header behind the outer ones."""
        p = self._p
        p.of_packet(R1, Skb.VLAN_PROTO)
        p.store(2, R10, self._inner + 12, R1)
        p.of_packet(R1, Skb.VLAN_TCI)
        p.big_endian(R1, 16)
        p.store(2, R10, self._inner + 14, R1)
        p.load(2, R1, R10, _FRAME + 12)
        p.store(2, R10, self._inner + 16, R1)

    def _insert_other(self) -> None:
        """What is no IP packet, for which the helpers have no room: it is made to look like one.

        Two tags are put on; the first is then in the frame, and what follows it gets IPv4's ethertype. Taking tags off
        has the kernel read what the frame is now (skb_vlan_pop() in net/core/skbuff.c). A tag that was beside the frame
        is in it afterwards, behind the ethernet header.
        """
        p = self._p
        p.jump_if(R9, "!=", 0, "slow")
        p.load(2, R1, R10, _FRAME + 12)
        p.store(2, R10, self._inner + 12, R1)
        p.of_packet(R7, Skb.VLAN_PRESENT)
        p.jump_if(R7, "==", 0, "other type")
        self._keep_tag()
        p.label("other type")
        for tag in (1, 2):
            p.move(R1, R6)
            p.move(R2, be16(ETH_P_8021Q))
            p.move(R3, tag)
            p.call(Helper.SKB_VLAN_PUSH)
            p.jump_if(R0, "!=", 0, "broken")
        p.store(2, R10, _INNER, be16(ETH_P_IP))
        p.overwrite(ETHERNET + 2, _INNER, 2, "broken")
        for _ in range(2):
            self._pop_tag()
        self._make_room(ETHERNET, "other again")
        p.jump_if(R7, "==", 0, "send")
        # Some kernels (Linux 6.1) think of the tag as in front of the packet, and have the room behind it.
        p.overwrite(ETHERNET + self._before + ETHERNET, self._inner + ETHERNET, TAG, "broken")
        p.jump("send")
        p.label("other again")
        p.overwrite(12, self._inner + 12, 2, "broken")
        p.jump("slow")

    def _pop_tag(self) -> None:
        """Take off the tag that is beside the frame."""
        p = self._p
        p.move(R1, R6)
        p.call(Helper.SKB_VLAN_POP)
        p.jump_if(R0, "!=", 0, "broken")

    def _make_room(self, inner: int, otherwise: str) -> None:
        """Make room for the outer headers and `inner` bytes of the frame's own, and write them.

        The kernel refuses it to what is marked as in a tunnel already: to what another tunnel's netdev has sent, or
        what came out of a session by way of a veth. That is the worker's.
        """
        p = self._p
        flags = FIXED_GSO | (_ENCAP_IPV4 if self._ipv4 else _ENCAP_IPV6) | (_ENCAP_UDP if self._udp else 0)
        flags |= (len(self._l2tp) + inner) << _ENCAP_L2_SHIFT
        p.move(R1, R6)
        p.move(R2, self._before + inner)
        p.move(R3, AT_MAC)
        p.number(R4, flags)
        p.call(Helper.SKB_ADJUST_ROOM)
        p.jump_if(R0, "!=", 0, otherwise)
        p.overwrite(0, _HEADERS, ETHERNET + self._before + inner, "broken")

    def _count(self) -> None:
        p = self._p
        self._find_entry("counted")
        for at, place in ((_PACKETS, session_entry.TX_PACKETS), (_BYTES, session_entry.TX_BYTES)):
            p.load(8, R1, R10, at)
            p.add_to_memory(8, R0, place, R1)
        p.label("counted")

    def _find_entry(self, otherwise: str) -> None:
        """R0 = the session's entry in the map."""
        p = self._p
        p.store_bytes(R10, _KEY, session_entry.key(self._out.tunnel, self._out.session.session_id))
        p.map(R1, self._out.sessions)
        p.stack(R2, _KEY)
        p.call(Helper.MAP_LOOKUP_ELEM)
        p.jump_if(R0, "==", 0, otherwise)


def _ports(tunnel: TunnelSpec) -> bytes:
    return tunnel.local_port.to_bytes(2, "big") + tunnel.remote_port.to_bytes(2, "big")
