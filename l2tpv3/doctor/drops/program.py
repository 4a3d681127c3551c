"""The eBPF program that counts what the kernel drops: it is called at the tracepoint skb:kfree_skb.

The tracepoint's arguments are the packet, the address in the kernel, and the reason (include/trace/events/skb.h; the
reason since Linux 5.17). Packets of netdevs or peers that are asked for are counted, and no others: on a busy host
others are dropped all the time. It changes nothing, and all of it is gone when the files are closed.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from l2tpv3.linux.bpf.assembler import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, Helper, Register
from l2tpv3.linux.bpf.btf import KernelTypes
from l2tpv3.linux.bpf.packet_program import ETH_P_IP, ETH_P_IPV6, UDP_PROTOCOL, PacketProgram, be16

KEY: Final = Struct("=QIIIBxH16s16s2s2s4x")
"""The address in the kernel; the network namespace's inode and the netdev's index, 0 where the packet is at none; the
reason; the IP protocol and the EtherType, 0 for other packets; source and destination, and their ports, 0 without.
"""
COUNT: Final = Struct("=Q")
NETDEV: Final = Struct("=II")
"""What is asked for: a network namespace's inode, and a netdev's index."""
PEER_BYTES: Final = 16
"""What else is asked for: an address of a peer, with zeros behind it for IPv4."""
LOOKED: Final = bytes(KEY.size)
"""The key under which all drops of this host are counted; no drop has it."""
LOOKED_MOST: Final = 1_000_000
"""So many drops are looked at, and no more: each costs a part of a microsecond."""

_NO_EXIST: Final = 1  # BPF_NOEXIST
_D_LOCATION, _D_NETNS, _D_IFINDEX, _D_REASON, _D_PROTOCOL, _D_ETHERTYPE = 0, 8, 12, 16, 20, 22
_D_SOURCE, _D_TARGET, _D_PORTS = 24, 40, 56

# The stack, as offsets from R10.
_KEY: Final = -64
_COUNT: Final = -72
_VALUE: Final = -80
_IP: Final = -120


class Layout(NamedTuple):
    """Where members lie in the kernel's structs, in bytes."""

    head: int
    network_header: int
    ethertype: int
    netdev: int
    came_by: int
    ifindex: int
    netns: int
    inode: int


def layout(types: KernelTypes) -> Layout:
    """The running kernel's. Raises UnavailableError."""
    return Layout(
        head=types.offset("sk_buff", "head"),
        network_header=types.offset("sk_buff", "network_header"),
        ethertype=types.offset("sk_buff", "protocol"),
        netdev=types.offset("sk_buff", "dev"),
        came_by=types.offset("sk_buff", "skb_iif"),
        ifindex=types.offset("net_device", "ifindex"),
        netns=types.offset("net_device", "nd_net", "net"),
        inode=types.offset("net", "ns", "inum"),
    )


class Maps(NamedTuple):
    """Files: KEY to COUNT, in which LOOKED has to be; NETDEV, and addresses of peers, to any one byte."""

    counts: int
    netdevs: int
    peers: int


def drop_program(maps: Maps, at: Layout) -> bytes:
    """The program, for bpf(2)."""
    return _DropProgram(maps, at).code()


class _DropProgram:
    """R6: the packet. R7: whether it is at a netdev that is asked for. R8: its IP header. R9: what is kept a while."""

    def __init__(self, maps: Maps, at: Layout) -> None:
        self._maps, self._at = maps, at
        self._p = PacketProgram()

    def code(self) -> bytes:
        p = self._p
        p.move(R9, R1)
        p.move(R7, 0)
        for offset in range(0, KEY.size, 8):
            p.store(8, R10, _KEY + offset, 0)
        self._one_more()
        self._arguments()
        self._netdev()
        self._ethertype()
        self._ipv4()
        self._ipv6()
        self._ports()
        self._whose()
        self._count()
        p.label("end")
        p.exit(0)
        return p.code()

    def _one_more(self) -> None:
        """Ends the program where enough has been looked at."""
        p = self._p
        self._find(self._maps.counts, _KEY)
        p.jump_if(R0, "==", 0, "end")
        p.load(8, R1, R0, 0)
        p.jump_if(R1, ">=", LOOKED_MOST, "end")
        p.move(R1, 1)
        p.add_to_memory(8, R0, 0, R1)

    def _arguments(self) -> None:
        p = self._p
        p.load(8, R6, R9, 0)
        p.load(8, R1, R9, 8)
        p.store(8, R10, _KEY + _D_LOCATION, R1)
        p.load(8, R1, R9, 16)
        p.store(4, R10, _KEY + _D_REASON, R1)

    def _netdev(self) -> None:
        """Puts it into the key. At a socket there is something else in its place, which can't be read or is 0."""
        p = self._p
        self._read(8, R6, self._at.netdev, _VALUE, "at no netdev")
        p.load(8, R9, R10, _VALUE)
        self._read(4, R9, self._at.ifindex, _KEY + _D_IFINDEX, "at no netdev")
        self._read(8, R9, self._at.netns, _VALUE, "at no netdev")
        p.load(8, R9, R10, _VALUE)
        self._read(4, R9, self._at.inode, _KEY + _D_NETNS, "at no netdev")
        self._find(self._maps.netdevs, _KEY + _D_NETNS)
        p.jump_if(R0, "!=", 0, "asked for")
        self._came_by()
        p.jump_if(R0, "==", 0, "at no netdev")
        p.load(4, R1, R10, _VALUE + 4)
        p.store(4, R10, _KEY + _D_IFINDEX, R1)
        p.label("asked for")
        p.move(R7, 1)
        p.label("at no netdev")

    def _came_by(self) -> None:
        """R0: not 0 where the netdev by which it came is asked for: a bridge may have brought it to another one."""
        p = self._p
        p.load(4, R1, R10, _KEY + _D_NETNS)
        p.store(4, R10, _VALUE, R1)
        self._read(4, R6, self._at.came_by, _VALUE + 4, "at no netdev")
        self._find(self._maps.netdevs, _VALUE)

    def _ethertype(self) -> None:
        """Goes on at `ipv4`, at `ipv6` or at `whose`, R8 at the IP header."""
        p = self._p
        self._read(2, R6, self._at.network_header, _VALUE, "whose")
        p.load(2, R9, R10, _VALUE)
        self._read(8, R6, self._at.head, _VALUE, "whose")
        p.load(8, R8, R10, _VALUE)
        p.alu("+", R8, R9)
        self._read(2, R6, self._at.ethertype, _KEY + _D_ETHERTYPE, "whose")
        p.load(2, R1, R10, _KEY + _D_ETHERTYPE)
        p.jump_if(R1, "==", be16(ETH_P_IP), "ipv4")
        p.jump_if(R1, "==", be16(ETH_P_IPV6), "ipv6")
        p.jump("whose")

    def _ipv4(self) -> None:
        """Goes on at `ports`, with the protocol in R9 and R8 behind the header; later fragments at `whose`."""
        p = self._p
        p.label("ipv4")
        self._read(20, R8, 0, _IP, "whose")
        p.load(1, R1, R10, _IP)
        p.alu(">>", R1, 4)
        p.jump_if(R1, "!=", 4, "whose")
        p.load(1, R9, R10, _IP + 9)
        p.store(1, R10, _KEY + _D_PROTOCOL, R9)
        for place, at in ((_D_SOURCE, 12), (_D_TARGET, 16)):
            p.load(4, R1, R10, _IP + at)
            p.store(4, R10, _KEY + place, R1)
        p.behind_ipv4(_IP, R8, "whose")
        p.jump("ports")

    def _ipv6(self) -> None:
        p = self._p
        p.label("ipv6")
        self._read(40, R8, 0, _IP, "whose")
        p.load(1, R1, R10, _IP)
        p.alu(">>", R1, 4)
        p.jump_if(R1, "!=", 6, "whose")
        p.load(1, R9, R10, _IP + 6)
        p.store(1, R10, _KEY + _D_PROTOCOL, R9)
        for offset in range(0, 32, 8):
            p.load(8, R1, R10, _IP + 8 + offset)
            p.store(8, R10, _KEY + _D_SOURCE + offset, R1)
        p.alu("+", R8, 40)

    def _ports(self) -> None:
        p = self._p
        p.label("ports")
        p.jump_if(R9, "!=", UDP_PROTOCOL, "whose")
        self._read(4, R8, 0, _KEY + _D_PORTS, "whose")

    def _whose(self) -> None:
        """Ends the program where nobody has asked for the packet."""
        p = self._p
        p.label("whose")
        p.jump_if(R7, "!=", 0, "count")
        for place in (_D_SOURCE, _D_TARGET):
            self._find(self._maps.peers, _KEY + place)
            p.jump_if(R0, "!=", 0, "count")
        p.jump("end")

    def _count(self) -> None:
        p = self._p
        p.label("count")
        self._find(self._maps.counts, _KEY)
        p.jump_if(R0, "!=", 0, "known")
        p.store(8, R10, _COUNT, 1)
        p.map(R1, self._maps.counts)
        p.stack(R2, _KEY)
        p.stack(R3, _COUNT)
        p.move(R4, _NO_EXIST)
        p.call(Helper.MAP_UPDATE_ELEM)
        p.jump("end")
        p.label("known")
        p.move(R1, 1)
        p.add_to_memory(8, R0, 0, R1)

    def _find(self, map_: int, place: int) -> None:
        """R0 = the value of a key on the stack, 0 where there is none."""
        p = self._p
        p.map(R1, map_)
        p.stack(R2, place)
        p.call(Helper.MAP_LOOKUP_ELEM)

    def _read(self, size: int, base: Register, offset: int, place: int, otherwise: str) -> None:
        """Copy memory of the kernel to the stack; where it can't be read, zeros, and it goes on elsewhere."""
        p = self._p
        p.stack(R1, place)
        p.move(R2, size)
        p.move(R3, base)
        p.alu("+", R3, offset)
        p.call(Helper.PROBE_READ_KERNEL)
        p.jump_if(R0, "!=", 0, otherwise)
